"""The numbers of a host that monitoring keeps a history of, also while all is well. Pure.

Read from what the look has fetched anyway: a measure whose part was not asked for, or could not be read, is left out, since a
number that is not known must not become 0 in somebody's graph. A thing that comes and goes (a snapshot) has no series of its own:
of those there is the number, and the worst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sctune.loop_limit import loop_limits
from sctune.lvm_view import by_uuid, pool_status, snapshot_view
from sctune.model.measure import Measure, MeasureUnit
from sctune.quota import limits, partitions_of, snapshots_used, volumes_used
from sctune.store_view import filesystems, volume_files
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.config.model import Level
    from sctune.inventory import Inventory, Part

T = TypeVar("T")


def measures(inventory: Inventory) -> tuple[Measure, ...]:
    """All that is known. Of one host the names are the same in every run."""
    return tuple(
        measure for source in (_volumes, _loops, _stores, _snapshots, _pools, _service, _quotas) for measure in source(inventory)
    )


def _seen(inventory: Inventory, part: Part[T]) -> T | None:
    """A part if it was fetched and answered. Nothing is asked for here: the look is over."""
    return known(part.__get__(inventory, type(inventory))) if part.name in inventory.parts else None


def _count(name: str, value: int) -> Measure:
    return Measure(name=name, value=value, unit=MeasureUnit.COUNT)


def _volumes(inventory: Inventory) -> Iterator[Measure]:
    chains = _seen(inventory, type(inventory).chains)
    if chains is not None:
        yield _count("volumes", sum(chain.ours for chain in chains.chains))


def _loops(inventory: Inventory) -> Iterator[Measure]:
    loops = _seen(inventory, type(inventory).loops)
    if loops is None:
        return
    found = loop_limits(loops, _seen(inventory, type(inventory).chains), inventory.config.loop_limit)
    limit = min(found)[0] if found else None
    level = inventory.config.thresholds.loop_limit
    yield Measure(
        name="loops",
        value=len(loops.devices),
        unit=MeasureUnit.COUNT,
        warning=level.warning * limit if limit is not None else None,
        critical=level.critical * limit if limit is not None else None,
        maximum=limit,
    )


def _stores(inventory: Inventory) -> Iterator[Measure]:
    thresholds = inventory.config.thresholds
    loops = _seen(inventory, type(inventory).loops)
    stores = _seen(inventory, type(inventory).stores)
    for group in filesystems(stores or ()):
        space = group.space
        if isinstance(space, Unavailable) or space.total <= 0:
            continue
        used = space.total - space.free
        yield _filled("store_used", used, used + space.available, thresholds.store_used, of=group.name)
        if space.inodes > 0:
            taken = space.inodes - space.inodes_free
            yield _filled("store_inodes", taken, space.inodes, thresholds.store_used, of=group.name, unit=MeasureUnit.COUNT)
        if loops is not None and not any(isinstance(store.files, Unavailable) for store in group.stores):
            unwritten = sum(max(0, file.apparent - file.allocated) for file in volume_files(group, loops))
            yield Measure(
                name="store_unwritten",
                of=group.name,
                value=unwritten,
                unit=MeasureUnit.BYTES,
                warning=thresholds.store_overcommit * space.available,
            )


def _filled(name: str, used: int, total: int, level: Level, *, of: str, unit: MeasureUnit = MeasureUnit.BYTES) -> Measure:
    return Measure(
        name=name, of=of, value=used, unit=unit, warning=level.warning * total, critical=level.critical * total, maximum=total
    )


def _snapshots(inventory: Inventory) -> Iterator[Measure]:
    report = _seen(inventory, type(inventory).lvm)
    if report is None:
        return
    dm = _seen(inventory, type(inventory).dm)
    devices = by_uuid(dm or ())
    by_name = {(lv.vg_uuid, lv.name): lv for lv in (*report.logical_volumes, *report.internal)}
    snapshots = [lv for lv in report.logical_volumes if lv.is_snapshot]
    views = [snapshot_view(lv, devices, by_name.get((lv.vg_uuid, lv.origin))) for lv in snapshots]
    fullest = max((view.fill.ratio for view in views if view.fill is not None and not view.merging), default=0.0)
    yield _count("snapshots", len(snapshots))
    yield _ratio("snapshot_used", fullest, inventory.config.thresholds.snapshot_used)


def _ratio(name: str, value: float, level: Level, of: str = "") -> Measure:
    return Measure(
        name=name, of=of, value=value, unit=MeasureUnit.RATIO, warning=level.warning, critical=level.critical, maximum=1.0
    )


def _pools(inventory: Inventory) -> Iterator[Measure]:
    report = _seen(inventory, type(inventory).lvm)
    dm = _seen(inventory, type(inventory).dm)
    devices = by_uuid(dm or ())
    level = inventory.config.thresholds.thin_pool_used
    for lv in report.logical_volumes if report is not None else ():
        if "thin-pool" not in lv.segment_types:
            continue
        data, metadata = lv.data_percent, lv.metadata_percent
        status = pool_status(lv, devices)
        if status is not None and status.data_used is not None and status.data_total:
            data = status.data_used / status.data_total
        if status is not None and status.metadata_used is not None and status.metadata_total:
            metadata = status.metadata_used / status.metadata_total
        for name, value in (("thin_data", data), ("thin_metadata", metadata)):
            if value is not None:
                yield _ratio(name, value, level, of=lv.full_name)


def _service(inventory: Inventory) -> Iterator[Measure]:
    """What is exported and what this host itself has imported."""
    tgt = _seen(inventory, type(inventory).tgt)
    if tgt is not None and not tgt.unanswered:
        yield _count("targets", len(tgt.targets))
        yield _count("initiators", sum(len(target.nexuses) for target in tgt.targets))
    sessions = _seen(inventory, type(inventory).sessions)
    if sessions is not None or _absent(inventory, "sessions"):
        yield _count("sessions", len(sessions or ()))


def _absent(inventory: Inventory, name: str) -> bool:
    part = inventory.parts.get(name)
    return isinstance(part, Unavailable) and part.reason is Reason.ABSENT


def _quotas(inventory: Inventory) -> Iterator[Measure]:
    chains, stores = _seen(inventory, type(inventory).chains), _seen(inventory, type(inventory).stores)
    if chains is None or stores is None or not any(chain.ours for chain in chains.chains):
        return
    config = inventory.config
    in_force = limits(config.quotas, _seen(inventory, type(inventory).cloud), partitions=partitions_of(chains))
    for name, limit, used, share in (
        ("quota_volumes", in_force.total, volumes_used(chains.chains, stores), config.thresholds.quota_total),
        ("quota_snapshots", in_force.snapshots, snapshots_used(chains, stores), config.thresholds.quota_snapshots),
    ):
        if limit is not None and not used.unknown:
            yield Measure(
                name=name,
                value=used.size,
                unit=MeasureUnit.BYTES,
                warning=share * limit.size,
                critical=limit.size + 1,  # exceeded, not reached
                maximum=limit.size,
            )
