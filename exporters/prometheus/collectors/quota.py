"""Quotas: how much volumes and snapshots have of what they may have, for this host and for single accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.account_quota import account_use
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Metric
from sctune.quota import limits, partitions_of, properties_source, snapshots_used, volumes_used
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.account_quota import Against
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.chain import Chains
    from sctune.model.store import VolumeStore

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
    about=f"How much there is of what counts against the limit, at least: a store that cannot be read makes it less. {_WHOSE}",
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
    """Fills in what is limited. What is used is told of that alone: volumes' own metrics have the rest."""
    inventory = look.inventory
    chains, stores, cloud = inventory.chains, inventory.stores, inventory.cloud
    if isinstance(chains, Unavailable):
        raise CannotCollect(str(chains))
    in_force = limits(inventory.config.quotas, known(cloud), partitions=partitions_of(chains), source=properties_source(inventory))
    if in_force.total is not None:
        samples.add(LIMIT_BYTES, float(in_force.total.size), TOTAL)
        samples.add(USED_BYTES, float(volumes_used(chains.chains, stores).size), TOTAL)
    if in_force.snapshots is not None:
        samples.add(LIMIT_BYTES, float(in_force.snapshots.size), SNAPSHOTS)
        samples.add(USED_BYTES, float(snapshots_used(chains, stores).size), SNAPSHOTS)
    accounts = _accounts(look, chains, stores, samples)
    if accounts or in_force.total is not None or in_force.snapshots is not None:
        _need(stores)
    if isinstance(cloud, Unavailable) and cloud.reason is not Reason.ABSENT:
        raise CannotCollect(str(cloud))


def _accounts(look: Look, chains: Chains, stores: tuple[VolumeStore, ...] | Unavailable, samples: Samples) -> bool:
    quotas = look.inventory.config.quotas
    accounts = quotas.accounts if quotas is not None else {}
    for name, account in accounts.items():
        use = account_use(name, account, chains, stores)
        _told(f"account/{name}", (*use.volumes, *use.snapshots), samples)
    return bool(accounts)


def _told(quota: str, numbers: Iterable[Against], samples: Samples) -> None:
    for one in numbers:
        if one.is_size:
            limit, used = LIMIT_BYTES, USED_BYTES
        else:
            limit, used = (LIMIT_VOLUMES, USED_VOLUMES) if one.what == "volumes" else (LIMIT_SNAPSHOTS, USED_SNAPSHOTS)
        samples.add(limit, float(one.limit), quota)
        samples.add(used, float(one.used), quota)


def _need(stores: tuple[VolumeStore, ...] | Unavailable) -> None:
    """Raises CannotCollect where a store could not be read: what is used is more than was counted then."""
    if isinstance(stores, Unavailable):
        if stores.reason is not Reason.ABSENT:
            raise CannotCollect(str(stores))
        return
    for store in stores:
        if isinstance(store.files, Unavailable) and store.files.reason is not Reason.ABSENT:
            raise CannotCollect(str(store.files))


COLLECTOR = Collector(
    name="quota", about="What volumes and snapshots have of what they may have.", metrics=METRICS, collect=collect
)
