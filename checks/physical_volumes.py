"""Physical volumes: whether every one is there, and there once."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Cause, Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.loop_use import all_could_be_seen, users
from sctune.lvm_view import subject_of
from sctune.model.units import size_words
from sctune.model.volume import VolumeState
from sctune.unavailable import Reason, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import DuplicatePv, LogicalVolume, LvmReport, PhysicalVolume

_SOURCE = "lvm fullreport"

MISSING = Code(
    code="LVM_PV_MISSING",
    severities=(Severity.CRITICAL,),
    title="A physical volume is missing",
    meaning="A VG's metadata name a PV, and no device that LVM sees carries it.",
    why="LVs with an extent on it cannot be activated, or fail where they are active and read it. The VG's metadata cannot be "
    "changed while it is missing: no LV can be made, removed or resized in it.",
    thresholds="Any PV that LVM reports as missing, seen twice. PVs that may be on a disk of a lost iSCSI session, which "
    "LVM was not let near, are not judged.",
    see=("pvs -o pv_name,pv_uuid,vg_name,pv_missing", "lvs -a -o lv_full_name,devices,lv_health_status", "losetup --list"),
    remedy="Bring the device back: attach the backing file again, log in to the target, find the disk, or let LVM see it where a "
    "filter in lvm.conf or the devices file (lvmdevices --adddev DEVICE) keeps LVM from it. Nothing is lost while the device "
    "still exists somewhere. If LVM calls it missing even then, the VG was changed without it: `vgextend --restoremissing VG "
    "DEVICE` takes it back; what was written to a mirror meanwhile is not on it. `vgreduce --removemissing --force` deletes the "
    "LVs on it for good: that is the last step, when the device is known to be destroyed, never the first.",
    risk=Risk.SAFE,
    source="vgreduce(8), vgextend(8) --restoremissing, lvmdevices(8), lvmreport(7) pv_missing",
    confirm=True,
    volume=VolumeState.BROKEN,
)
DUPLICATE = Code(
    code="LVM_DUPLICATE_PV",
    severities=(Severity.CRITICAL,),
    title="A physical volume is on two devices",
    meaning="LVM finds the same PV, by its uuid, on more than one device: one file attached twice, a copy of a volume attached "
    "beside it, a disk seen through two paths without multipath, or a volume of a guest seen both here and through an iSCSI disk.",
    why="LVM picks one of them and may pick another next time. Two copies drift apart; with the wrong one in use, data written to "
    "the right one seem to be gone. LVM refuses to change such a VG (allow_changes_with_duplicate_pvs).",
    thresholds="Any PV uuid that LVM reports on more than one device.",
    see=("pvs -a -o pv_name,pv_uuid,vg_name,pv_duplicate", "losetup --list --output NAME,BACK-FILE", "lsblk"),
    remedy="Find out what the devices are to each other, and take away the one that is not in use: detach the second loop device, "
    "set up multipath, or hide guests' disks from the host's LVM with devices/global_filter. A wanted copy gets uuids of its "
    "own with vgimportclone.",
    risk=Risk.DISRUPTIVE,
    source="lvm2 lib/cache/lvmcache.c; lvm.conf(5) allow_changes_with_duplicate_pvs; vgimportclone(8)",
    volume=VolumeState.BROKEN,
)


def _volumes(look: Look) -> Result:
    inventory = look.inventory
    report = need(inventory.lvm)
    if not report.physical_volumes and not report.duplicates:
        return not_applicable("LVM has no physical volume here")
    missing: dict[Subject, list[PhysicalVolume]] = {}
    unexamined: list[Unexamined] = []
    for pv in report.physical_volumes:
        if not pv.missing:
            continue
        doubt = _doubt(pv, report, inventory)
        if doubt is not None:
            unexamined.append(doubt)
            continue
        for subject in _subjects(pv.uuid, pv.vg, report, inventory):
            missing.setdefault(subject, []).append(pv)
    findings = [_missing(subject, pvs, report, inventory) for subject, pvs in missing.items()]
    findings += _duplicates(report, inventory)
    return Result(examined=len(report.physical_volumes) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


def _doubt(pv: PhysicalVolume, report: LvmReport, inventory: Inventory) -> Unexamined | None:
    """Why LVM may call a PV missing that is there: its disk was left out, or its device is suspended and was passed over."""
    what = f"PV {pv.uuid} of {pv.vg}"
    if report.excluded and not pv.last_path.startswith("/dev/loop"):
        names = ", ".join(report.excluded[:8])
        return Unexamined(
            what=what, reason=Reason.FAILED, detail=f"LVM was kept away from {names}, which may hold it: no answer there"
        )
    name = pv.last_path.rpartition("/")[2]
    for device in known(inventory.dm) or ():
        if device.suspended and name and name in (device.name, device.kernel_name):
            return Unexamined(what=what, reason=Reason.FAILED, detail=f"{pv.last_path} is suspended and cannot be read")
    return None


def _users(uuid: str, report: LvmReport) -> list[LogicalVolume]:
    return [lv for lv in report.logical_volumes if uuid in lv.pv_uuids]


def _subjects(uuid: str, vg: str, report: LvmReport, inventory: Inventory) -> tuple[Subject, ...]:
    """The volumes and snapshots with extents on a PV; its VG where none of its LVs is a cloud's."""
    subjects = dict.fromkeys(subject_of(inventory, lv) for lv in _users(uuid, report))
    named = tuple(subject for subject in subjects if subject.kind is not SubjectKind.LV)
    return named or (Subject(kind=SubjectKind.VG, id=vg),)


def _missing(subject: Subject, pvs: list[PhysicalVolume], report: LvmReport, inventory: Inventory) -> Finding:
    vg = pvs[0].vg
    lvs = list(dict.fromkeys(lv.full_name for pv in pvs for lv in _users(pv.uuid, report)))
    one = len(pvs) == 1
    file = _file_of(subject, pvs, report, inventory)
    return MISSING.found(
        subject,
        f"{vg} misses {'a PV' if one else f'{len(pvs)} PVs'} ({size_words(sum(pv.size for pv in pvs))})"
        + (f"; {', '.join(lvs[:3])} {'lies' if len(lvs) == 1 else 'lie'} on {'it' if one else 'them'}" if lvs else ""),
        evidence(
            pv_uuids=tuple(pv.uuid for pv in pvs),
            last_devices=tuple(pv.last_path for pv in pvs if pv.last_path),
            vg=vg,
            lvs=tuple(lvs),
            backing_file=file,
            source=f"{_SOURCE}, its warnings",
        ),
        commands=_bring_back(pvs, lvs, vg, file),
    )


def _file_of(subject: Subject, pvs: list[PhysicalVolume], report: LvmReport, inventory: Inventory) -> str | None:
    """The volume's backing file, where it has one, no loop device shows it, and the VG misses the PV that was the volume's own."""
    chains = known(inventory.chains)
    chain = next((chain for chain in (chains.chains if chains else ()) if chain.subject == subject), None)
    if chain is None or chain.file is None or len(pvs) != 1:
        return None
    loops = known(inventory.loops)
    attached = loops is not None and any(loop.backing_file == chain.file.path for loop in loops.devices)
    own = chain.lv is not None and chain.lv.pv_uuids[:1] == (pvs[0].uuid,)
    return chain.file.path if own and not attached else None


def _bring_back(pvs: list[PhysicalVolume], lvs: list[str], vg: str, file: str | None) -> tuple[str, ...]:
    on_loops = any(pv.last_path.startswith("/dev/loop") for pv in pvs)
    if file is not None:
        attach: tuple[str, ...] = (f"losetup --find --show --nooverlap {quote(file)}",)
    elif on_loops:
        attach = ("losetup --list    # which backing file is not attached?", "losetup --find --show --nooverlap FILE")
    else:
        attach = ("lsblk; dmesg | tail -50    # why is the device gone?",)
    activate = tuple(f"lvchange --activate y {quote(name)}" for name in lvs)
    return (*attach, f"pvs -o pv_name,pv_uuid,vg_name,pv_missing --select vg_name={quote(vg)}", *activate)


def _duplicates(report: LvmReport, inventory: Inventory) -> list[Finding]:
    findings: dict[Subject, Finding] = {}
    pvs = {pv.uuid: pv for pv in report.physical_volumes}
    for duplicate in report.duplicates:
        pv = pvs.get(duplicate.uuid)
        loops = _loops_at(duplicate.paths, inventory)
        for subject in _duplicate_subjects(duplicate, pv, loops, report, inventory):
            findings.setdefault(subject, _duplicate(subject, duplicate, pv, loops, inventory))
    return list(findings.values())


def _duplicate_subjects(
    duplicate: DuplicatePv, pv: PhysicalVolume | None, loops: tuple[LoopDevice, ...], report: LvmReport, inventory: Inventory
) -> tuple[Subject, ...]:
    if pv is not None and pv.vg:
        return _subjects(pv.uuid, pv.vg, report, inventory)
    chains = known(inventory.chains)
    if loops and chains is not None:
        return (chains.subject_of_loop(loops[0]),)
    return (Subject(kind=SubjectKind.DISK, id=f"PV {duplicate.uuid}"),)


def _loops_at(paths: tuple[str, ...], inventory: Inventory) -> tuple[LoopDevice, ...]:
    state = known(inventory.loops)
    return tuple(loop for loop in (state.devices if state else ()) if f"/dev/{loop.name}" in paths)


def _duplicate(
    subject: Subject, duplicate: DuplicatePv, pv: PhysicalVolume | None, loops: tuple[LoopDevice, ...], inventory: Inventory
) -> Finding:
    used = duplicate.preferred or (pv.path if pv is not None else "")
    detach = tuple(f"losetup --detach /dev/{loop.name}" for loop in _spare(used, loops, inventory))
    return DUPLICATE.found(
        subject,
        f"LVM finds one PV on {' and '.join(duplicate.paths)}" + (f" and uses {used}" if used else ""),
        evidence(
            pv_uuid=duplicate.uuid,
            devices=duplicate.paths,
            used=used or None,
            vg=pv.vg if pv is not None else None,
            backing_files=tuple(f"/dev/{loop.name}: {loop.backing_file}" for loop in loops),
            source=f"{_SOURCE}, its warnings",
        ),
        commands=("lsblk " + " ".join(quote(path) for path in duplicate.paths), *detach),
        caused_by=_one_file_twice(loops, inventory) or _in_a_volume(duplicate, inventory),
    )


def _spare(used: str, loops: tuple[LoopDevice, ...], inventory: Inventory) -> list[LoopDevice]:
    """The loop devices that may go: LVM uses another one, and nothing else uses them."""
    if not used or not all_could_be_seen(inventory):
        return []
    block, mounts, chains = known(inventory.block) or (), known(inventory.mounts) or (), known(inventory.chains)
    return [loop for loop in loops if f"/dev/{loop.name}" != used and not users(loop, block=block, mounts=mounts, chains=chains)]


def _in_a_volume(duplicate: DuplicatePv, inventory: Inventory) -> Cause | None:
    """The finding LVM_SCANS_VOLUMES, where the PV is a guest's, seen on the LV, its snapshots and a session's disk."""
    from sctune.volume_content import SCANNED, contents

    seen = contents(inventory)
    for path in duplicate.paths:
        if (inside := seen.of_path(path)) is not None:
            return Cause(code=SCANNED, subject=inside.subject)
    return None


def _one_file_twice(loops: tuple[LoopDevice, ...], inventory: Inventory) -> Cause | None:
    """The finding LOOP_DUPLICATE_BACKING, where these loop devices show one file. Its subject is that of the first of the
    file's loop devices that carries a volume, else of the first (checks/loop_backing.py)."""
    from sctune.checks.loop_backing import duplicates

    state, chains = known(inventory.loops), known(inventory.chains)
    names = {loop.name for loop in loops}
    for group in duplicates(state.devices if state else ()):
        if chains is not None and len(names.intersection(loop.name for loop in group)) > 1:
            serving = (loop for loop in group if (c := chains.by_loop.get(loop.name)) is not None and (c.ours or c.exports))
            return Cause(code="LOOP_DUPLICATE_BACKING", subject=chains.subject_of_loop(next(serving, group[0])))
    return None


CHECKS = (
    Check(
        name="lvm-physical-volumes",
        title="Physical volumes",
        codes=(MISSING, DUPLICATE),
        needs=("lvm", "loops", "block", "dm", "chains", "mounts", "tgt", "processes"),
        run=_volumes,
    ),
)
