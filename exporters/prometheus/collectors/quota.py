"""Quotas: how much volumes and snapshots have of what they may have, for this host and for single accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.account_quota import account_use
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.collectors.volumes import sources
from sctune.exporters.prometheus.look_inventory import lvm_age
from sctune.exporters.prometheus.metric import Metric
from sctune.exporters.prometheus.served import silent
from sctune.quota import limits, partitions_of, properties_source, snapshots_used, volumes_used
from sctune.unavailable import Reason, Unavailable, known
from sctune.volume_state import blind_parts, hidden_disks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.account_quota import Against
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.inventory import Inventory

_USED = "the chains of this host's volumes and the files of its snapshots, in logical sizes (N GiB as asked for)"
_LIMIT = "quotas of the configuration, else recorded cloud properties"
_QUOTA = ("quota",)
_WHOSE = "total and snapshots_total are this host's, account/NAME one account's."
TOTAL, SNAPSHOTS = "total", "snapshots_total"

LIMIT_BYTES = Metric(
    name="sctune_quota_limit_bytes",
    about=f"How much there may be in all; absent where nothing limits it. {_WHOSE}",
    source=_LIMIT,
    labels=_QUOTA,
)
USED_BYTES = Metric(
    name="sctune_quota_used_bytes",
    about=f"How much there is of what counts against the limit; absent while a layer of volumes cannot be looked at. {_WHOSE}",
    source=_USED,
    labels=_QUOTA,
)
LIMIT_VOLUMES = Metric(
    name="sctune_quota_limit_volumes",
    about="How many volumes an account may have; absent where nothing limits it.",
    source="quotas.accounts of the configuration",
    labels=_QUOTA,
)
USED_VOLUMES = Metric(
    name="sctune_quota_used_volumes", about="Volumes on this host that count against the limit.", source=_USED, labels=_QUOTA
)
LIMIT_SNAPSHOTS = Metric(
    name="sctune_quota_limit_snapshots",
    about="How many snapshots an account may have; absent where nothing limits it.",
    source="quotas.accounts of the configuration",
    labels=_QUOTA,
)
USED_SNAPSHOTS = Metric(
    name="sctune_quota_used_snapshots", about="Snapshots on this host that count against the limit.", source=_USED, labels=_QUOTA
)
METRICS = (LIMIT_BYTES, USED_BYTES, LIMIT_VOLUMES, USED_VOLUMES, LIMIT_SNAPSHOTS, USED_SNAPSHOTS)


def collect(look: Look, samples: Samples) -> None:
    """Fills in what is limited. What is used is told of that alone: volumes' own metrics have the rest. Where a layer could not be
    looked at, more is used than can be counted: then the limits alone are told."""
    inventory = look.inventory
    chains, stores, cloud = inventory.chains, inventory.stores, inventory.cloud
    if isinstance(chains, Unavailable):
        raise CannotCollect(str(chains))
    in_force = limits(inventory.config.quotas, known(cloud), partitions=partitions_of(chains), source=properties_source(inventory))
    quotas = inventory.config.quotas
    accounts = quotas.accounts if quotas is not None else {}
    blind = _blind(inventory)
    if in_force.total is not None:
        samples.add(LIMIT_BYTES, float(in_force.total.size), TOTAL)
        if not blind:
            samples.add(USED_BYTES, float(volumes_used(chains.chains, stores).size), TOTAL)
    if in_force.snapshots is not None:
        samples.add(LIMIT_BYTES, float(in_force.snapshots.size), SNAPSHOTS)
        if not blind:
            samples.add(USED_BYTES, float(snapshots_used(chains, stores).size), SNAPSHOTS)
    for name, account in accounts.items():
        use = account_use(name, account, chains, stores)
        _told(f"account/{name}", (*use.volumes, *use.snapshots), samples, counted=not blind)
    if accounts or in_force.total is not None or in_force.snapshots is not None:
        _looked_at(inventory, samples)
        if blind:
            raise CannotCollect(str(blind[0]))
    if isinstance(cloud, Unavailable) and cloud.reason is not Reason.ABSENT:
        raise CannotCollect(str(cloud))


def _blind(inventory: Inventory) -> tuple[Unavailable, ...]:
    """The layers that hide what is used. What tgtd exports is none of them: what a cloud made has a file or an LV besides."""
    hidden = silent(inventory)
    return tuple(one for one in (*blind_parts(inventory), *hidden_disks(inventory)) if one not in hidden)


def _looked_at(inventory: Inventory, samples: Samples) -> None:
    for source in sources(inventory):
        samples.used(source)
    age = lvm_age(inventory)
    if age is not None and age.stale:
        samples.read(age.read_at)


def _told(quota: str, numbers: Iterable[Against], samples: Samples, *, counted: bool) -> None:
    """An account's limits and, where it could be counted, what it has of them."""
    for one in numbers:
        if one.is_size:
            limit, used = LIMIT_BYTES, USED_BYTES
        else:
            limit, used = (LIMIT_VOLUMES, USED_VOLUMES) if one.what == "volumes" else (LIMIT_SNAPSHOTS, USED_SNAPSHOTS)
        samples.add(limit, float(one.limit), quota)
        if counted:
            samples.add(used, float(one.used), quota)


COLLECTOR = Collector(
    name="quota", about="What volumes and snapshots have of what they may have.", metrics=METRICS, collect=collect
)
