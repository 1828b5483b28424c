"""COW snapshots: how full their exception stores are, which are lost, and how many hang on one origin."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, evidence
from sctune.lvm_view import FROM_LVM, Fill, SnapshotView, by_uuid, extend_command, snapshot_view, subject_of
from sctune.model.dm import SnapshotState
from sctune.model.units import MIB, size_words
from sctune.model.volume import VolumeState
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.lvm import LogicalVolume, LvmReport

_MANY = 3
_CHUNK = 4096
_EXCEPTIONS = 256  # in a chunk: 16 bytes each (Linux drivers/md/dm-snap-persistent.c, struct disk_exception)

FILLING = Code(
    code="LVM_SNAPSHOT_FILLING",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="A snapshot's COW store is filling up",
    meaning="A COW snapshot keeps the old content of every chunk that was written to its origin since it was made. The space for "
    "that, its COW store, is nearly used up.",
    why="When the store is full, the next write to the origin makes the snapshot invalid: its content is lost for good, and a "
    "copy that is being read from it breaks off or, worse, was read in part before. The origin itself is not harmed.",
    thresholds="Used / size of the COW store, as device-mapper counts it, metadata included (LVM's Data% where that cannot be "
    "had): warning from thresholds.snapshot_used.warning (80 %), critical from thresholds.snapshot_used.critical (95 %). "
    "A store that takes all of its origin and the tables for that cannot overflow and is not judged. "
    "A snapshot that is being merged into its origin empties and is not judged; an inactive one takes no writes.",
    see=("lvs -o lv_full_name,origin,lv_size,snap_percent", "dmsetup status --target snapshot    # used/size metadata, in sectors"),
    remedy="Make the COW store larger while the snapshot is still valid, or end what it is for: let the copy finish and remove "
    "the snapshot. Where the VG has no free extents (a Eucalyptus overlay volume has its VG to itself), add a PV to it first. "
    "Extending takes effect at once and disturbs nobody.",
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/device-mapper/snapshot.rst; lvcreate(8), lvextend(8)",
    volume=VolumeState.DEGRADED,
)
INVALID = Code(
    code="LVM_SNAPSHOT_INVALID",
    severities=(Severity.CRITICAL,),
    title="A snapshot is lost",
    meaning="Device-mapper has given the snapshot up: its COW store overflowed or could not be written. Every read of it fails. "
    "(Or the merging of a snapshot into its origin failed half way.)",
    why="The snapshot's content is lost, and a copy that was being made from it is not complete, although a file of it may lie in "
    "the store. The origin is not harmed by an overflow, but keeps paying for the snapshot with every write.",
    thresholds="Device-mapper's status is Invalid, Overflow or Merge failed; without its answer, LVM's attribute I, S or m.",
    see=("dmsetup status --target snapshot", "lvs -o lv_full_name,lv_attr,origin    # 5th letter I: invalid"),
    remedy="Stop what still reads it, remove it, and make a new snapshot (in a cloud: delete the failed snapshot there and take "
    "it again), with a COW store that takes all that is written meanwhile. A file already copied from it must not be used.",
    risk=Risk.SAFE,
    source="Linux drivers/md/dm-snap.c (snapshot_status), Documentation/admin-guide/device-mapper/snapshot.rst; lvs(8), lv_attr",
    volume=VolumeState.DEGRADED,
)
MULTIPLE = Code(
    code="LVM_SNAPSHOTS_MULTIPLE",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="An LV has several COW snapshots",
    meaning="More than one COW snapshot (not thin ones) hangs on one origin.",
    why="The first write to a chunk of the origin is copied into the store of each of its COW snapshots before it is done: "
    "writes get slower with every snapshot, and all stores fill at the same time.",
    thresholds="More than 1 COW snapshot of one origin: warning; more than 3: critical.",
    see=("lvs -o lv_full_name,origin,snap_percent,lv_time --select 'origin!=\"\"'",),
    remedy="Remove the snapshots that nobody needs any more; a cloud's snapshot is over when its copy is. Where many snapshots "
    "have to be kept, thin LVs do not have this cost.",
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/device-mapper/snapshot.rst; lvmthin(7)",
    volume=VolumeState.DEGRADED,
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    report = need(inventory.lvm)
    snapshots = [lv for lv in report.logical_volumes if lv.is_snapshot]
    if not snapshots:
        return not_applicable("there is no COW snapshot")
    dm = inventory.dm
    devices = by_uuid(dm)
    by_name = {(lv.vg_uuid, lv.name): lv for lv in (*report.logical_volumes, *report.internal)}
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    for lv in snapshots:
        view = snapshot_view(lv, devices, by_name.get((lv.vg_uuid, lv.origin)))
        if view.state not in (None, SnapshotState.ACTIVE):
            findings.append(_invalid(view, inventory))
        elif view.fill is not None:
            origin = by_name.get((lv.vg_uuid, lv.origin))
            if not view.merging and not (origin and cannot_overflow(view.fill, origin.size)):
                findings.extend(_filling(view.lv, view.fill, look, report))
        elif lv.active and not view.merging:
            unexamined.append(_not_told(lv, dm))
    findings.extend(_multiple(snapshots, by_name, inventory))
    return Result(examined=len(snapshots) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


def cannot_overflow(fill: Fill, origin: int) -> bool:
    """Whether a COW store holds its whole origin and the tables of that: a header, and a chunk of table for each 256 chunks (of
    4 KiB; larger ones need less). `lvcreate -l 100%ORIGIN` makes it so. One of the origin's size alone, as Eucalyptus' DAS makes
    it, does overflow when more than 99.6 % of the origin is overwritten (tried)."""
    chunks = -(-origin // _CHUNK)
    needed = (chunks + -(-chunks // _EXCEPTIONS) + 1) * _CHUNK
    return fill.total is not None and fill.total >= needed


def _not_told(lv: LogicalVolume, dm: object) -> Unexamined:
    what = f"COW store of {lv.full_name}"
    if isinstance(dm, Unavailable):
        return Unexamined(what=what, reason=dm.reason, detail=f"LVM tells no percentage; {dm}")
    return Unexamined(what=what, reason=Reason.FAILED, detail="neither device-mapper nor LVM tells how full it is")


def _filling(lv: LogicalVolume, fill: Fill, look: Look, report: LvmReport) -> tuple[Finding, ...]:
    level = look.config.thresholds.snapshot_used
    if fill.ratio < level.warning:
        return ()
    settings = known(look.inventory.lvm_settings)
    subject = subject_of(look.inventory, lv)
    more = extend_command(report, lv)
    return (
        FILLING.found(
            subject,
            f"The COW store of {lv.full_name} is {fill.ratio:.0%} full ({size_words(lv.size)})",
            evidence(
                used_ratio=round(fill.ratio, 4),
                used=fill.used,
                size=fill.total,
                origin=f"{lv.vg}/{lv.origin}",
                autoextend_threshold=settings.snapshot_autoextend_threshold if settings else None,
                source=fill.source,
            ),
            severity=Severity.CRITICAL if fill.ratio >= level.critical else Severity.WARNING,
            commands=(more,) if more else _add_space(lv, look.inventory, report),
        ),
    )


def _add_space(lv: LogicalVolume, inventory: Inventory, report: LvmReport) -> tuple[str, ...]:
    """A further PV for a VG that is full: beside the COW store's own file where it lies in one."""
    devices = {pv.device for pv in report.physical_volumes if pv.uuid in lv.pv_uuids and pv.device is not None}
    loops = known(inventory.loops)
    backing = next((loop.backing_file for loop in (loops.devices if loops else ()) if loop.device in devices), None)
    vg, name = quote(lv.vg), quote(lv.full_name)
    if not backing:
        return (f"vgs {vg}    # no free extents: add a PV with vgextend", f"lvextend --extents +50%LV {name}")
    file = quote(backing + ".more")
    size = max(MIB, lv.size // MIB * MIB) + 4 * MIB
    return (
        f"truncate --size {size} {file}",
        f"LOOP=$(losetup --find --show --nooverlap {file}) && pvcreate $LOOP && vgextend {vg} $LOOP",
        f"lvextend --extents +100%FREE {name}",
        f"# when the snapshot has been removed: vgreduce {vg} $LOOP; pvremove $LOOP; losetup --detach $LOOP; rm {file}",
    )


def _invalid(view: SnapshotView, inventory: Inventory) -> Finding:
    lv = view.lv
    copies = _copies(lv, inventory)
    failed_merge = view.state is SnapshotState.MERGE_FAILED
    return INVALID.found(
        subject_of(inventory, lv),
        f"Merging {lv.full_name} into {lv.origin} failed"
        if failed_merge
        else f"Snapshot {lv.full_name} is invalid: its content is lost",
        evidence(
            state=str(view.state),
            origin=f"{lv.vg}/{lv.origin}",
            cow_store_size=lv.size,
            copies_reading_it=copies,
            source=view.source if view.source != FROM_LVM else f"{FROM_LVM}, lv_attr {lv.attr}",
        ),
        remedy="The origin holds old and new chunks mixed, and the COW store those not yet merged: remove neither. Find the "
        "error of the device below in the kernel log, mend it, and activate the origin again: merging then goes on."
        if failed_merge
        else None,
        commands=(
            (f"dmesg | grep -i snapshot; dmsetup status --target snapshot-merge; lvs -a {quote(lv.vg)}",)
            if failed_merge
            else (*(f"kill {pid}" for pid in _pids(copies)), f"lvremove {quote(lv.full_name)}")
        ),
    )


def _copies(lv: LogicalVolume, inventory: Inventory) -> tuple[str, ...]:
    processes = known(inventory.processes)
    wanted = {lv.path, lv.dm_path}
    return tuple(
        f"{c.process.pid} {' '.join(c.process.argv)}" for c in (processes.copies if processes else ()) if c.source in wanted
    )


def _pids(copies: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(copy.partition(" ")[0] for copy in copies)


def _multiple(snapshots: list[LogicalVolume], by_name: dict[tuple[str, str], LogicalVolume], inventory: Inventory) -> list[Finding]:
    groups: dict[tuple[str, str], list[LogicalVolume]] = {}
    for lv in snapshots:
        groups.setdefault((lv.vg_uuid, lv.origin), []).append(lv)
    findings = []
    for key, group in groups.items():
        if len(group) < 2:
            continue
        origin = by_name.get(key)
        name = f"{group[0].vg}/{group[0].origin}"
        findings.append(
            MULTIPLE.found(
                subject_of(inventory, origin if origin is not None else group[0]),
                f"{name} has {len(group)} COW snapshots",
                evidence(
                    count=len(group),
                    snapshots=tuple(sorted(lv.full_name for lv in group)),
                    read_by_a_copy=tuple(sorted(lv.full_name for lv in group if _copies(lv, inventory))),
                    source=FROM_LVM,
                ),
                severity=Severity.CRITICAL if len(group) > _MANY else Severity.WARNING,
                commands=(
                    f"lvs -o lv_full_name,lv_attr,origin,snap_percent,lv_time {quote(group[0].vg)}",
                    *(f"lvremove {quote(lv.full_name)}" for lv in group if lv.snapshot_invalid),
                ),
            )
        )
    return findings


CHECKS = (
    Check(
        name="lvm-snapshots",
        title="COW snapshots",
        codes=(FILLING, INVALID, MULTIPLE),
        needs=("lvm", "dm", "chains", "loops", "processes"),
        run=_run,
    ),
)
