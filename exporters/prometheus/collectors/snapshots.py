"""Snapshots: COW snapshots with the fill of their exception stores, thin snapshots, and running copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.look_inventory import lvm_age
from sctune.exporters.prometheus.metric import Metric
from sctune.lvm_view import by_uuid, snapshot_view
from sctune.model.dm import SnapshotState, SnapshotStatus
from sctune.model.process import CopyTool
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.chain import Chains
    from sctune.model.dm import DmDevice
    from sctune.model.lvm import LogicalVolume

STATES = ("active", "inactive", "merging", "overflow", "invalid", "merge_failed")
_NAME = ("snapshot",)
_STATUS = "device-mapper's status of the snapshot (DM_TABLE_STATUS)"
_REPORT = "LVM's report"

SNAPSHOTS = Metric(
    name="sctune_snapshots",
    about="LVM snapshots by state, thin ones included; a full exception store makes one invalid (overflow until it is read).",
    source=f"{_STATUS}; {_REPORT}",
    labels=("state",),
)
COPIES = Metric(
    name="sctune_snapshot_copies_in_progress",
    about="Running copies of volumes and snapshots, by their tool.",
    source="the process table",
    labels=("tool",),
)
INFO = Metric(
    name="sctune_snapshot_info",
    about="Always 1; the snapshot's volume, its VG, LV and origin, and whether it is a COW or a thin snapshot.",
    source=_REPORT,
    labels=("snapshot", "volume", "vg", "lv", "origin", "kind"),
    detail=True,
)
STATE = Metric(
    name="sctune_snapshot_state",
    about="Which state the snapshot is in (1).",
    source=f"{_STATUS}; {_REPORT}",
    labels=("snapshot", "state"),
    detail=True,
)
CREATED = Metric(
    name="sctune_snapshot_created_timestamp_seconds",
    about="When it was made.",
    source=f"{_REPORT} (lv_time)",
    labels=_NAME,
    detail=True,
)
ORIGIN_SIZE = Metric(
    name="sctune_snapshot_origin_size_bytes", about="Size of the volume that it is of.", source=_REPORT, labels=_NAME, detail=True
)
COW_SIZE = Metric(
    name="sctune_snapshot_cow_size_bytes",
    about="Size of the exception store of a COW snapshot. Absent where it is invalid or not active.",
    source=_STATUS,
    labels=_NAME,
    detail=True,
)
COW_USED = Metric(
    name="sctune_snapshot_cow_used_bytes",
    about="What of it is used, its metadata included; full, the snapshot is lost. Absent where it is invalid or not active.",
    source=_STATUS,
    labels=_NAME,
    detail=True,
)
COW_METADATA = Metric(
    name="sctune_snapshot_cow_metadata_bytes",
    about="What of that is metadata; as much as is used: nothing has been copied, or a merge is done.",
    source=_STATUS,
    labels=_NAME,
    detail=True,
)
METRICS = (SNAPSHOTS, COPIES, INFO, STATE, CREATED, ORIGIN_SIZE, COW_SIZE, COW_USED, COW_METADATA)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the snapshots of one look."""
    inventory = look.inventory
    processes = known(inventory.processes)
    if processes is not None:
        samples.counts(COPIES, tuple(CopyTool), (copy.tool for copy in processes.copies))
    report = inventory.lvm
    if isinstance(report, Unavailable):
        if report.reason is Reason.ABSENT:
            samples.counts(SNAPSHOTS, STATES, ())
            return
        raise CannotCollect(str(report))
    samples.used("lvm_fullreport")
    if known(inventory.dm):
        samples.used("dm_ioctl")
    age = lvm_age(inventory)
    if age is not None and age.stale:
        samples.read(age.read_at)
    snapshots = [lv for lv in report.logical_volumes if lv.origin]
    origins = {(lv.vg_uuid, lv.name): lv for lv in report.logical_volumes}
    devices = by_uuid(inventory.dm)
    samples.counts(SNAPSHOTS, STATES, (state_of(lv, devices, origins) for lv in snapshots))
    if samples.detail:
        _describe(snapshots, origins, devices, look, samples)
    if isinstance(inventory.dm, Unavailable) and inventory.dm.reason is not Reason.ABSENT and snapshots:
        raise CannotCollect(str(inventory.dm))


def _describe(
    snapshots: Iterable[LogicalVolume],
    origins: Mapping[tuple[str, str], LogicalVolume],
    devices: Mapping[str, DmDevice],
    look: Look,
    samples: Samples,
) -> None:
    chains = known(look.inventory.chains)
    options = look.options
    named = [(_name(lv, chains), lv) for lv in snapshots]
    for name, lv in chosen(named, lambda one: one[0], options.volumes, options.limit_of("snapshots"), samples):
        origin = origins.get((lv.vg_uuid, lv.origin))
        volume = _name(origin, chains) if origin is not None else ""
        samples.add(INFO, 1.0, name, volume, lv.vg, lv.name, lv.origin, "cow" if lv.is_snapshot else "thin")
        samples.states(STATE, STATES, state_of(lv, devices, origins), name)
        if lv.created is not None:
            samples.add(CREATED, lv.created, name)
        if origin is not None:
            samples.add(ORIGIN_SIZE, float(origin.size), name)
        status = _status(lv, origin, devices)
        if status is not None and status.used is not None and status.total is not None:
            samples.add(COW_SIZE, float(status.total), name)
            samples.add(COW_USED, float(status.used), name)
            if status.metadata is not None:
                samples.add(COW_METADATA, float(status.metadata), name)


def _name(lv: LogicalVolume, chains: Chains | None) -> str:
    return chains.subject_of_lv(lv).id if chains is not None else lv.full_name


def state_of(lv: LogicalVolume, devices: Mapping[str, DmDevice], origins: Mapping[tuple[str, str], LogicalVolume]) -> str:
    """The state of a snapshot in one of STATES."""
    if not lv.is_snapshot:
        return "active" if lv.active else "inactive"
    view = snapshot_view(lv, devices, origins.get((lv.vg_uuid, lv.origin)))
    if view.state in (SnapshotState.INVALID, SnapshotState.OVERFLOW, SnapshotState.MERGE_FAILED):
        return str(view.state)
    if view.merging:
        return "merging"
    return "inactive" if view.state is None else "active"


def _status(lv: LogicalVolume, origin: LogicalVolume | None, devices: Mapping[str, DmDevice]) -> SnapshotStatus | None:
    """Device-mapper's status: of the snapshot's own device, while it is merged of its origin's."""
    if not lv.is_snapshot:
        return None
    for one in (lv, origin):
        device = devices.get(one.dm_uuid) if one is not None else None
        for target in known(device.targets) or () if device is not None else ():
            if isinstance(target.status, SnapshotStatus):
                return target.status
    return None


COLLECTOR = Collector(
    name="snapshots",
    about="LVM snapshots: state, age, how full their exception stores are; copies that run.",
    metrics=METRICS,
    collect=collect,
)
