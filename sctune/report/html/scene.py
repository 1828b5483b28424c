"""What of a look is drawn beside its findings: chains, space, quotas, what sctune applied. Read while the host is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.account_quota import account_use
from sctune.capacity.survey import PARTS as CAPACITY_PARTS
from sctune.capacity.survey import Question, survey
from sctune.chain_links import Links
from sctune.chain_tree import remote_tree, tree
from sctune.guest_disks import guest_index
from sctune.lvm_view import by_uuid, snapshot_view
from sctune.measures import measures
from sctune.records import dataclass
from sctune.remote import remote_volumes
from sctune.unavailable import known
from sctune.volume_state import VolumeStates
from sctune.volumes import PARTS as VOLUME_PARTS
from sctune.volumes import is_volume, remote_row, row, unread_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.account_quota import AccountUse
    from sctune.findings import Code, Finding
    from sctune.inventory import Inventory
    from sctune.lvm_view import SnapshotView
    from sctune.model.applied import Applied
    from sctune.model.capacity import Capacity
    from sctune.model.measure import Measure
    from sctune.model.tree import Link
    from sctune.model.volume import VolumeRow
    from sctune.unavailable import Unavailable

PARTS = tuple(dict.fromkeys((*VOLUME_PARTS, *CAPACITY_PARTS, "applied")))
"""The parts of a look that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One volume with its chain, bottom up."""

    row: VolumeRow
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One COW snapshot by its lasting name, and how full its COW store is."""

    name: str
    view: SnapshotView


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All of it. `volumes` is None where not all checks were run that judge volumes: nobody can say then that one is well.
    `others` counts the host's own LVs and loop devices, which are not drawn. `unread` could not be looked at. `files` are those of
    the configuration."""

    volumes: tuple[Drawn, ...] | None
    others: int
    unread: tuple[Unavailable, ...]
    capacity: Capacity
    measures: tuple[Measure, ...]
    snapshots: tuple[Snapshot, ...]
    accounts: tuple[AccountUse, ...]
    applied: Applied | Unavailable
    files: tuple[str, ...]


def scene(inventory: Inventory, findings: Iterable[Finding], codes: Mapping[str, Code], *, judged: bool = True) -> Scene:
    """The scene of a look. `findings` are what was found on it, `judged` whether all checks that judge volumes were run."""
    found = tuple(findings)
    chains = known(inventory.chains)
    quotas = inventory.config.quotas
    accounts = quotas.accounts if quotas is not None and chains is not None else {}
    return Scene(
        volumes=tuple(_drawn(inventory, found, codes)) if judged else None,
        others=sum(not is_volume(chain) for chain in chains.chains) if chains is not None else 0,
        unread=tuple(dict.fromkeys(unread_parts(inventory))),
        capacity=survey(inventory, Question()),
        measures=measures(inventory),
        snapshots=tuple(_snapshots(inventory)),
        accounts=tuple(account_use(name, one, chains, inventory.stores) for name, one in accounts.items() if chains is not None),
        applied=inventory.applied,
        files=inventory.config.files,
    )


def _drawn(inventory: Inventory, findings: tuple[Finding, ...], codes: Mapping[str, Code]) -> Iterator[Drawn]:
    chains = known(inventory.chains)
    if chains is None:
        return
    states = VolumeStates(inventory, findings, codes)
    index = guest_index(inventory)
    links = Links(inventory)
    for chain in chains.chains:
        if is_volume(chain):
            yield Drawn(row=row(chain, states, index), links=tree(chain, inventory, findings, codes, links=links))
    for volume in remote_volumes(inventory):
        if not volume.comes_back:
            yield Drawn(row=remote_row(volume, states), links=remote_tree(volume, inventory, findings, codes, links=links))


def _snapshots(inventory: Inventory) -> Iterator[Snapshot]:
    report, chains = known(inventory.lvm), known(inventory.chains)
    if report is None or chains is None:
        return
    devices = by_uuid(inventory.dm)
    by_name = {(lv.vg_uuid, lv.name): lv for lv in (*report.logical_volumes, *report.internal)}
    for lv in report.logical_volumes:
        if lv.is_snapshot:
            view = snapshot_view(lv, devices, by_name.get((lv.vg_uuid, lv.origin)))
            yield Snapshot(name=chains.subject_of_lv(lv).id, view=view)
