"""What LVM and device-mapper say of one LV, put together. Pure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.findings import Subject, SubjectKind
from sctune.model.dm import SnapshotState, SnapshotStatus, ThinPoolStatus
from sctune.records import dataclass
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.inventory import Inventory
    from sctune.model.dm import DmDevice
    from sctune.model.lvm import LogicalVolume, LvmReport, VolumeGroup

_POOL_LAYER = "-tpool"
FROM_DM = "device-mapper (dmsetup status)"
FROM_LVM = "lvm fullreport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How full something is: `used` of `total` bytes (or blocks) where they are known, `ratio` 0..1."""

    ratio: float
    used: int | None
    total: int | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotView:
    """A COW snapshot: device-mapper's word before LVM's. `fill` is None where neither tells a number, which is normal for a
    snapshot that is not active, is not valid, or is being merged into its origin."""

    lv: LogicalVolume
    state: SnapshotState | None
    merging: bool
    fill: Fill | None
    source: str


def subject_of(inventory: Inventory, lv: LogicalVolume) -> Subject:
    """The snapshot or volume that the LV is, or VG/LV."""
    chains = known(inventory.chains)
    return chains.subject_of_lv(lv) if chains else Subject(kind=SubjectKind.LV, id=lv.full_name)


def by_uuid(dm: Iterable[DmDevice] | Unavailable) -> Mapping[str, DmDevice]:
    """Device-mapper's devices by uuid; none where they could not be read."""
    return {} if isinstance(dm, Unavailable) else {device.uuid: device for device in dm}


def snapshot_view(lv: LogicalVolume, devices: Mapping[str, DmDevice], origin: LogicalVolume | None) -> SnapshotView:
    """What is known of a COW snapshot. While it is merged, its state is told by the origin's device (snapshot-merge)."""
    merging = lv.attr[:1] == "S"
    status = _snapshot_status(devices.get(lv.dm_uuid))
    if merging and status is None and origin is not None:
        status = _snapshot_status(devices.get(origin.dm_uuid))
    if status is not None:
        fill = None
        if status.used is not None and status.total:
            fill = Fill(ratio=status.used / status.total, used=status.used, total=status.total, source=FROM_DM)
        return SnapshotView(lv=lv, state=status.state, merging=merging, fill=fill, source=FROM_DM)
    state = _state_by_lvm(lv)
    fill = None
    if lv.snap_percent is not None and state is SnapshotState.ACTIVE:
        fill = Fill(ratio=lv.snap_percent, used=None, total=lv.size, source=FROM_LVM)
    return SnapshotView(lv=lv, state=state, merging=merging, fill=fill, source=FROM_LVM)


def _snapshot_status(device: DmDevice | None) -> SnapshotStatus | None:
    if device is None or isinstance(device.targets, Unavailable):
        return None
    return next((target.status for target in device.targets if isinstance(target.status, SnapshotStatus)), None)


def _state_by_lvm(lv: LogicalVolume) -> SnapshotState | None:
    if lv.snapshot_invalid:
        return SnapshotState.INVALID
    if lv.attr[4:5] in ("m", "M"):
        return SnapshotState.MERGE_FAILED
    return SnapshotState.ACTIVE if lv.active else None


def pool_status(lv: LogicalVolume, devices: Mapping[str, DmDevice]) -> ThinPoolStatus | None:
    """Device-mapper's status of a thin pool: on its -tpool layer where thin LVs use it, else on its own device."""
    for uuid in (lv.dm_uuid + _POOL_LAYER, lv.dm_uuid):
        status = pool_status_of(devices.get(uuid))
        if status is not None:
            return status
    return None


def pool_status_of(device: DmDevice | None) -> ThinPoolStatus | None:
    """The status of a device's thin-pool target, None where it has none or it could not be had."""
    if device is None or isinstance(device.targets, Unavailable):
        return None
    return next((target.status for target in device.targets if isinstance(target.status, ThinPoolStatus)), None)


def of_errors(device: DmDevice) -> bool:
    """Whether all that the device has to give is errors: what `dmsetup wipe_table` and `dmsetup remove --force` leave behind."""
    targets = known(device.targets)
    return bool(targets) and all(target.kind == "error" for target in targets or ())


def vg_of(report: LvmReport, lv: LogicalVolume) -> VolumeGroup | None:
    """The LV's VG, by uuid: two VGs may have one name."""
    return next((vg for vg in report.volume_groups if vg.uuid == lv.vg_uuid), None)


def free_extents(report: LvmReport, lv: LogicalVolume) -> int:
    """How many extents of the LV's VG are free."""
    vg = vg_of(report, lv)
    return vg.free // vg.extent_size if vg is not None and vg.extent_size else 0


def extend_command(report: LvmReport, lv: LogicalVolume, *, free: int | None = None) -> str | None:
    """The command that makes an LV up to half as large again from `free` extents of its VG (all that are free there), None where
    there are none."""
    vg = vg_of(report, lv)
    free = free_extents(report, lv) if free is None else free
    if vg is None or free == 0:
        return None
    return f"lvextend --extents +{min(free, max(1, lv.size // vg.extent_size // 2))} {quote(lv.full_name)}"
