"""The VGs and thin pools that volumes are cut from: what is allocated, what is promised, what still fits. Pure.

An overlay volume has a VG of its own on its file, which its file system bounds: those are not told here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.lvm_view import by_uuid, pool_status
from sctune.model.capacity import GroupCapacity, GroupKind, NextSnapshot, Role, Room, Share
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.lvm import LogicalVolume, VolumeGroup


def group_capacities(inventory: Inventory, size: int) -> tuple[tuple[GroupCapacity, ...], tuple[Unavailable, ...]]:
    """Each VG and thin pool that a cloud's or exported volumes lie in, and what could not be had. `size` is that of the volumes
    asked about."""
    report = inventory.lvm
    if isinstance(report, Unavailable):
        # Whether volumes are LVs here cannot be told without it; an overlay's lie in files, which are counted by themselves.
        return (), (report,) if report.reason is not Reason.ABSENT else ()
    chains = known(inventory.chains)
    volumes = {chain.lv.uuid: chain for chain in (chains.chains if chains else ()) if chain.lv is not None and _is_volume(chain)}
    found: list[GroupCapacity] = []
    unknown: list[Unavailable] = []
    for vg in report.volume_groups:
        lvs = [lv for lv in report.logical_volumes if lv.vg_uuid == vg.uuid]
        if not any(lv.uuid in volumes for lv in lvs):
            continue
        found.append(_vg(vg, lvs, volumes, size))
        for pool in (lv for lv in lvs if "thin-pool" in lv.segment_types):
            thin = [lv for lv in lvs if lv.pool == pool.name]
            if any(lv.uuid in volumes for lv in thin):
                made = _pool(inventory, pool, thin, volumes, size)
                found.append(made)
                if made.used is None:
                    unknown.append(_not_told(inventory, pool))
    return tuple(found), tuple(unknown)


def _is_volume(chain: Chain) -> bool:
    """A cloud's or an exported LV; not one on a file of its own."""
    return chain.backend.name != "eucalyptus-overlay" and (chain.ours or bool(chain.exports))


def _not_told(inventory: Inventory, pool: LogicalVolume) -> Unavailable:
    dm = inventory.dm
    reason = dm.reason if isinstance(dm, Unavailable) else Reason.FAILED
    return Unavailable(reason=reason, what=f"how full thin pool {pool.full_name} is", detail="neither device-mapper nor LVM tells")


def _vg(vg: VolumeGroup, lvs: list[LogicalVolume], volumes: dict[str, Chain], size: int) -> GroupCapacity:
    thick = [lv for lv in lvs if not lv.pool]
    snapshots = [lv for lv in thick if lv.is_snapshot]
    mine = [lv for lv in thick if lv.uuid in volumes]
    rest = [lv for lv in thick if not lv.is_snapshot and lv.uuid not in volumes]
    shares = [_share(Role.VOLUMES, mine), _share(Role.SNAPSHOTS, snapshots), _share(Role.OTHER_LVS, rest)]
    hidden = max(0, vg.size - vg.free - sum(share.allocated for share in shares))
    shares.append(Share(role=Role.OVERHEAD, count=None, length=None, allocated=hidden))
    each = _extents(size, vg.extent_size)
    need = _snapshot(mine, volumes, vg.extent_size, vg.free)
    largest = max(each, need.copy if need is not None else 0)
    room = Room(size=size, each=each, full=max(0, vg.free // each), with_snapshot=max(0, (vg.free - largest) // each))
    return GroupCapacity(
        kind=GroupKind.VG,
        name=vg.name,
        vg_uuid=vg.uuid,
        size=vg.size,
        used=vg.size - vg.free,
        extent_size=vg.extent_size,
        nearly_full=None,
        metadata_used=None,
        shares=tuple(shares),
        promised=vg.size - vg.free,
        snapshot=need,
        room=room if mine else None,
    )


def _pool(
    inventory: Inventory, pool: LogicalVolume, thin: list[LogicalVolume], volumes: dict[str, Chain], size: int
) -> GroupCapacity:
    status = pool_status(pool, by_uuid(inventory.dm))
    used: int | None = None
    metadata = pool.metadata_percent
    if status is not None and status.data_used is not None and status.data_total:
        used = pool.size * status.data_used // status.data_total
        if status.metadata_used is not None and status.metadata_total:
            metadata = status.metadata_used / status.metadata_total
    elif pool.data_percent is not None:
        used = round(pool.size * pool.data_percent)
    level = inventory.config.thresholds.thin_pool_used.warning
    promised = sum(lv.size for lv in thin)
    spare = int(level * pool.size) - promised
    mine = [lv for lv in thin if lv.uuid in volumes]
    snapshots = [lv for lv in thin if lv.origin and lv.uuid not in volumes]
    rest = [lv for lv in thin if lv.uuid not in volumes and not lv.origin]
    # A thin snapshot takes nothing when it is made, and as much as its origin once all of that has been overwritten.
    largest = max((lv.size for lv in mine), default=0)
    name = next((volumes[lv.uuid].id for lv in mine if lv.size == largest), "")
    free = pool.size - used if used is not None else None
    return GroupCapacity(
        kind=GroupKind.THIN_POOL,
        name=pool.full_name,
        vg_uuid=pool.vg_uuid,
        size=pool.size,
        used=used,
        extent_size=0,
        nearly_full=level,
        metadata_used=metadata,
        shares=tuple(
            _share(role, lvs, written=True)
            for role, lvs in ((Role.VOLUMES, mine), (Role.SNAPSHOTS, snapshots), (Role.OTHER_LVS, rest))
        ),
        promised=promised,
        snapshot=NextSnapshot(volume=name, size=largest, copy=0, cow=largest, left=free - largest) if free is not None else None,
        room=Room(
            size=size,
            each=size,
            full=max(0, spare // size),
            with_snapshot=max(0, (spare - max(size, largest)) // size),
        ),
    )


def _share(role: Role, lvs: Iterable[LogicalVolume], *, written: bool = False) -> Share:
    """`written`: of thin LVs, what is mapped; an LV that shares blocks with a snapshot counts them too."""
    these = list(lvs)
    allocated = sum(round(lv.size * (lv.data_percent or 0.0)) if written else lv.size for lv in these)
    return Share(role=role, count=len(these), length=sum(lv.size for lv in these), allocated=allocated)


def _snapshot(mine: list[LogicalVolume], volumes: dict[str, Chain], extent: int, free: int) -> NextSnapshot | None:
    """A COW snapshot that can take every block of its origin, as DAS and Cinder make them."""
    if not mine:
        return None
    largest = max(mine, key=lambda lv: (lv.size, lv.name))
    need = _extents(largest.size, extent)
    return NextSnapshot(volume=volumes[largest.uuid].id, size=largest.size, copy=need, cow=0, left=free - need)


def _extents(size: int, extent: int) -> int:
    """`size` in whole extents."""
    return -(-size // extent) * extent if extent else size
