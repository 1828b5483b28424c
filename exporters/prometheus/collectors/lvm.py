"""LVM: volume groups, physical and logical volumes, thin pools."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.look_inventory import lvm_age
from sctune.exporters.prometheus.metric import Metric
from sctune.exporters.prometheus.options import Selection
from sctune.lvm_view import by_uuid, pool_status, pool_status_of
from sctune.model.dm import PoolMode
from sctune.unavailable import Reason, Unavailable, known
from sctune.volume_state import hidden_disks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.inventory import Inventory
    from sctune.model.dm import DmDevice
    from sctune.model.lvm import LogicalVolume, LvmReport, PhysicalVolume, VolumeGroup

_REPORT = "LVM's report, kept until something changes"
_POOL = "device-mapper's status of the pool (DM_TABLE_STATUS)"
_VG, _PV, _LV = ("vg",), ("vg", "pv"), ("vg", "lv")
MODES = tuple(PoolMode)
_METADATA_BLOCK = 4096
"""Documentation/admin-guide/device-mapper/thin-provisioning.rst: metadata blocks are of 4 KiB."""
_ALL = Selection()


def _vg(name: str, about: str) -> Metric:
    return Metric(name=f"sctune_lvm_vg_{name}", about=about, source=_REPORT, labels=_VG, detail=True)


def _pv(name: str, about: str) -> Metric:
    return Metric(name=f"sctune_lvm_pv_{name}", about=about, source=_REPORT, labels=_PV, detail=True)


def _thin(name: str, about: str) -> Metric:
    return Metric(name=f"sctune_lvm_thin_pool_{name}", about=about, source=_POOL, labels=_LV, detail=True)


REPORTED = Metric(
    name="sctune_lvm_report_timestamp_seconds",
    about="When LVM was last asked. It is asked when something changed, and else every ten minutes.",
    source="the exporter itself",
)
GROUPS = Metric(name="sctune_lvm_vgs", about="Volume groups.", source=_REPORT)
PHYSICAL = Metric(name="sctune_lvm_pvs", about="Physical volumes.", source=_REPORT)
LOGICAL = Metric(name="sctune_lvm_lvs", about="Logical volumes, snapshots and pools included.", source=_REPORT)
MISSING = Metric(name="sctune_lvm_missing_pvs", about="Physical volumes that LVM misses, of all VGs.", source=_REPORT)
SUSPENDED = Metric(
    name="sctune_lvm_suspended_lvs",
    about="Active LVs that are suspended: all I/O to them waits. For a moment that is normal.",
    source="/sys/block/dm-N/dm/suspended",
)
VG_SIZE = _vg("size_bytes", "Size of the VG.")
VG_FREE = _vg("free_bytes", "What of it is not allocated.")
VG_PVS = _vg("physical_volumes", "Its PVs.")
VG_MISSING = _vg("missing_physical_volumes", "Those of them that LVM misses.")
VG_LVS = _vg("logical_volumes", "Its LVs.")
PV_INFO = Metric(
    name="sctune_lvm_pv_info",
    about="Always 1; where a PV is. Empty where it is missing.",
    source=_REPORT,
    labels=("vg", "pv", "device"),
    detail=True,
)
PV_SIZE = _pv("size_bytes", "Size of the PV, by its uuid: device names do not last.")
PV_FREE = _pv("free_bytes", "What of it is not allocated.")
PV_MISSING = _pv("missing", "Whether LVM misses it (1).")
LV_INFO = Metric(
    name="sctune_lvm_lv_info",
    about="Always 1; an LV's uuid, its device where it is active, and its layout.",
    source=_REPORT,
    labels=("vg", "lv", "lv_uuid", "device", "layout"),
    detail=True,
)
LV_SIZE = Metric(name="sctune_lvm_lv_size_bytes", about="Size of the LV.", source=_REPORT, labels=_LV, detail=True)
LV_ACTIVE = Metric(
    name="sctune_lvm_lv_active",
    about="Whether the kernel has it (1).",
    source="device-mapper, by the LV's uuid",
    labels=_LV,
    detail=True,
)
LV_SUSPENDED = Metric(
    name="sctune_lvm_lv_suspended",
    about="Whether it is suspended (1): all I/O to it waits.",
    source="/sys/block/dm-N/dm/suspended",
    labels=_LV,
    detail=True,
)
DATA_SIZE = _thin("data_size_bytes", "Size of the pool's data.")
DATA_USED = _thin("data_used_bytes", "What of it is used.")
META_SIZE = _thin("metadata_size_bytes", "Size of the pool's metadata.")
META_USED = _thin("metadata_used_bytes", "What of it is used; full, no write that needs a new block succeeds.")
POOL_STATE = Metric(
    name="sctune_lvm_thin_pool_state",
    about="Which mode the pool is in (1). A pool whose data is all used is rw until the next write.",
    source=_POOL,
    labels=("vg", "lv", "state"),
    detail=True,
)
NEEDS_CHECK = _thin("needs_check", "Whether its metadata has to be checked (1): it stays read-only until then.")

METRICS = (
    *(REPORTED, GROUPS, PHYSICAL, LOGICAL, MISSING, SUSPENDED),
    *(VG_SIZE, VG_FREE, VG_PVS, VG_MISSING, VG_LVS),
    *(PV_INFO, PV_SIZE, PV_FREE, PV_MISSING),
    *(LV_INFO, LV_SIZE, LV_ACTIVE, LV_SUSPENDED),
    *(DATA_SIZE, DATA_USED, META_SIZE, META_USED, POOL_STATE, NEEDS_CHECK),
)


def collect(look: Look, samples: Samples) -> None:
    """Fills in LVM of one look."""
    inventory = look.inventory
    report = inventory.lvm
    if isinstance(report, Unavailable):
        if report.reason is Reason.ABSENT:
            return
        raise CannotCollect(str(report))
    samples.used("lvm_fullreport")
    age = lvm_age(inventory)
    samples.add(REPORTED, age.read_at if age is not None else look.now)
    if age is not None and age.stale:
        samples.read(age.read_at)
    devices = by_uuid(inventory.dm)
    if devices:
        samples.used("dm_ioctl")
    suspended = sum(lv.dm_uuid in devices and devices[lv.dm_uuid].suspended for lv in report.logical_volumes)
    samples.add(GROUPS, float(len(report.volume_groups)))
    samples.add(PHYSICAL, float(len(report.physical_volumes)))
    samples.add(LOGICAL, float(len(report.logical_volumes)))
    samples.add(MISSING, float(sum(pv.missing for pv in report.physical_volumes)))
    samples.add(SUSPENDED, float(suspended))
    if samples.detail:
        _describe(report, devices, look, samples)
    dm = inventory.dm
    if isinstance(dm, Unavailable) and dm.reason is not Reason.ABSENT:
        raise CannotCollect(str(dm))
    for hidden in hidden_disks(inventory):
        raise CannotCollect(str(hidden))


def _describe(report: LvmReport, devices: Mapping[str, DmDevice], look: Look, samples: Samples) -> None:
    options, limit = look.options, look.options.limit_of("lvm")
    groups = [vg for vg in report.volume_groups if vg.name]
    wanted = chosen(groups, lambda one: one.name, options.groups, limit, samples)
    _groups(wanted, samples)
    names = {vg.name for vg in wanted}
    blocks = {block.device: block.name for block in known(look.inventory.devices) or ()}
    pvs = [pv for pv in report.physical_volumes if not pv.duplicate and (pv.vg in names or not pv.vg)]
    _physical(chosen(pvs, lambda one: one.uuid, _ALL, limit, samples), blocks, samples)
    # Of two VGs of one name only one has active LVs, and those are told.
    lvs = sorted((lv for lv in report.logical_volumes if lv.vg in names), key=lambda one: not one.active)
    told = chosen(lvs, lambda one: one.full_name, _ALL, limit, samples)
    _logical(told, devices, look.inventory, samples)
    for lv in told:
        if "pool" in lv.layout and "thin" in lv.layout:
            _pool(lv, devices, samples)


def _groups(groups: Sequence[VolumeGroup], samples: Samples) -> None:
    names = [(vg.name,) for vg in groups]
    samples.fill(VG_SIZE, names, [float(vg.size) for vg in groups])
    samples.fill(VG_FREE, names, [float(vg.free) for vg in groups])
    samples.fill(VG_PVS, names, [float(vg.pv_count) for vg in groups])
    samples.fill(VG_MISSING, names, [float(vg.missing_pv_count) for vg in groups])
    samples.fill(VG_LVS, names, [float(vg.lv_count) for vg in groups])


def _physical(pvs: Sequence[PhysicalVolume], blocks: Mapping[tuple[int, int], str], samples: Samples) -> None:
    names = [(pv.vg, pv.uuid) for pv in pvs]
    on = ["" if pv.missing or pv.device is None else blocks.get(pv.device, pv.path) for pv in pvs]
    samples.fill(PV_INFO, [(*name, device) for name, device in zip(names, on, strict=True)], repeat(1.0))
    samples.fill(PV_SIZE, names, [float(pv.size) for pv in pvs])
    samples.fill(PV_FREE, names, [float(pv.free) for pv in pvs])
    samples.fill(PV_MISSING, names, [float(pv.missing) for pv in pvs])


def _logical(lvs: Sequence[LogicalVolume], devices: Mapping[str, DmDevice], inventory: Inventory, samples: Samples) -> None:
    seen = known(inventory.dm) is not None
    names = [(lv.vg, lv.name) for lv in lvs]
    about, active, suspended = [], [], []
    for lv in lvs:
        device = devices.get(lv.dm_uuid)
        works = device is not None if seen else lv.active
        about.append((lv.vg, lv.name, lv.uuid, device.kernel_name if device is not None else "", ",".join(lv.layout)))
        active.append(float(works))
        suspended.append(float(device.suspended if device is not None else lv.suspended and works))
    samples.fill(LV_INFO, about, repeat(1.0))
    samples.fill(LV_SIZE, names, [float(lv.size) for lv in lvs])
    samples.fill(LV_ACTIVE, names, active)
    samples.fill(LV_SUSPENDED, names, suspended)


def _pool(lv: LogicalVolume, devices: Mapping[str, DmDevice], samples: Samples) -> None:
    status = pool_status(lv, devices)
    if status is None:
        return
    samples.states(POOL_STATE, MODES, status.mode, lv.vg, lv.name)
    samples.add(NEEDS_CHECK, float(status.needs_check), lv.vg, lv.name)
    device = next(
        (one for uuid in (f"{lv.dm_uuid}-tpool", lv.dm_uuid) if pool_status_of(one := devices.get(uuid)) is not None), None
    )
    size = device.size if device is not None else lv.size
    if status.data_used is not None and status.data_total:
        samples.add(DATA_SIZE, float(size), lv.vg, lv.name)
        # The kernel counts blocks of a size that only the table tells; the device is as long as all of them.
        samples.add(DATA_USED, float(size * status.data_used // status.data_total), lv.vg, lv.name)
    if status.metadata_used is not None and status.metadata_total is not None:
        samples.add(META_SIZE, float(status.metadata_total * _METADATA_BLOCK), lv.vg, lv.name)
        samples.add(META_USED, float(status.metadata_used * _METADATA_BLOCK), lv.vg, lv.name)


COLLECTOR = Collector(
    name="lvm", about="Volume groups, physical and logical volumes, and thin pools.", metrics=METRICS, collect=collect
)
