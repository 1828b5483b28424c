"""Whether RAID arrays, md's and LVM's, have all their members."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Cause, Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.lvm_view import subject_of
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.lvm import LogicalVolume
    from sctune.model.raid import MdArray

_REBUILDS = frozenset({"recover", "reshape"})
_LVM_RAID = ("raid1", "raid4", "raid5", "raid6", "raid10", "mirror")
_LVM_DEGRADED = {
    "partial": "a member is missing",
    "refresh needed": "a member had failed and is not in use again",
}

DEGRADED = Code(
    code="RAID_DEGRADED",
    severities=(Severity.CRITICAL,),
    title="A RAID array lacks members",
    meaning="An array works without one or more of its members, or not at all.",
    why="It may not survive the next failure, and a disk that failed is often not alone of its age. Until it is whole it is "
    "slower too. A rebuild reads every block of the members that are left, which is when the next one fails.",
    thresholds="md: `degraded` above 0, also while a rebuild runs, or array_state `broken`. LVM: lv_health_status `partial` "
    "or `refresh needed` of a raid or mirror LV. An array that was made with a missing member is degraded too. A resync after "
    "an unclean stop and a scheduled check are not.",
    see=("cat /proc/mdstat; mdadm --detail /dev/MD", "lvs -a -o lv_full_name,segtype,lv_health_status,sync_percent,devices"),
    remedy="Find out why the member failed (dmesg, smartctl). Remove it and add a new one; it is rebuilt by itself. A member "
    "that only lost its cable can be added again. LVM: lvchange --refresh where it is back, lvconvert --repair where it is "
    "gone.",
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/md.rst; mdadm(8), MANAGE MODE; lvmraid(7)",
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    arrays = inventory.raid
    report = inventory.lvm
    lvs = [] if isinstance(report, Unavailable) else [lv for lv in report.logical_volumes if _is_raid(lv)]
    unexamined = [Unexamined.of(answer) for answer in (arrays, report) if isinstance(answer, Unavailable) and not _absent(answer)]
    if isinstance(arrays, Unavailable) and isinstance(report, Unavailable):
        need(report if _absent(arrays) else arrays)
    judged = [array for array in known(arrays) or () if not array.external and array.level != "container"]
    idle = [array for array in judged if array.state in ("inactive", "clear")]
    unexamined.extend(_not_started(array) for array in idle if array.state == "inactive")
    running = [array for array in judged if array not in idle]
    if not judged and not lvs and not unexamined:
        return not_applicable("there is no RAID array")
    findings = [_md(array) for array in running if array.degraded or array.state == "broken"]
    findings.extend(_lvm(lv, inventory) for lv in lvs if lv.health in _LVM_DEGRADED)
    return Result(examined=len(running) + len(lvs), findings=tuple(findings), unexamined=tuple(unexamined))


def _is_raid(lv: LogicalVolume) -> bool:
    return any(kind.startswith(_LVM_RAID) for kind in lv.segment_types)


def _absent(answer: Unavailable) -> bool:
    return answer.reason is Reason.ABSENT


def _not_started(array: MdArray) -> Unexamined:
    detail = "it is assembled and not started: what it lacks is not told"
    return Unexamined(what=f"/dev/{array.name}", reason=Reason.FAILED, detail=detail)


def _md(array: MdArray) -> Finding:
    node = quote(f"/dev/{array.name}")
    faulty = [member.device for member in array.members if "faulty" in member.states]
    if array.state == "broken":
        summary = f"{array.name} ({array.level}) has lost so many members that it does not work"
    else:
        summary = f"{array.name} ({array.level}) lacks {array.degraded} of its {array.disks} members"
    if array.action in _REBUILDS:
        summary += " and is being rebuilt" + (f": {array.progress:.0%} done" if array.progress is not None else "")
    elif faulty:
        summary += f"; {', '.join(faulty)} failed"
    return DEGRADED.found(
        Subject(kind=SubjectKind.DISK, id=array.name),
        summary,
        evidence(
            level=array.level,
            state=array.state,
            members=array.disks,
            lacking=array.degraded,
            devices=tuple(f"{member.device} {','.join(member.states)}" for member in array.members),
            action=array.action,
            progress=None if array.progress is None else round(array.progress, 4),
            source=f"/sys/block/{array.name}/md",
        ),
        commands=(
            f"mdadm --detail {node}",
            *(f"mdadm {node} --remove {quote('/dev/' + device)}" for device in faulty),
        ),
    )


def _lvm(lv: LogicalVolume, inventory: Inventory) -> Finding:
    name = quote(lv.full_name)
    missing = lv.health == "partial"
    subject = subject_of(inventory, lv)
    return DEGRADED.found(
        subject,
        f"{lv.full_name} ({', '.join(lv.segment_types)}): {_LVM_DEGRADED[lv.health]}",
        evidence(segment_types=lv.segment_types, health=lv.health, attr=lv.attr, source="lvm fullreport"),
        commands=(
            f"lvs -a -o lv_full_name,lv_health_status,sync_percent,devices {quote(lv.vg)}",
            f"lvconvert --repair {name}" if missing else f"lvchange --refresh {name}",
        ),
        caused_by=_missing_pv(lv, subject, inventory) if missing else None,
    )


def _missing_pv(lv: LogicalVolume, subject: Subject, inventory: Inventory) -> Cause | None:
    """LVM_PV_MISSING is about a cloud's volume, else about the VG."""
    report = known(inventory.lvm)
    lost = [pv for pv in (report.physical_volumes if report else ()) if pv.missing and pv.vg == lv.vg]
    vg = Subject(kind=SubjectKind.VG, id=lv.vg)
    return Cause(code="LVM_PV_MISSING", subject=vg if subject.kind is SubjectKind.LV else subject) if lost else None


CHECKS = (
    Check(
        name="raid",
        title="RAID arrays have all their members",
        codes=(DEGRADED,),
        needs=("raid", "lvm", "chains"),
        run=_run,
    ),
)
