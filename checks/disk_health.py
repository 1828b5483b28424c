"""Whether the host's own disks are failing, by their own word and the kernel's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.disk_state import FailingDisk, failing_disks, physical
from sctune.findings import Code, Finding, Risk, Severity, evidence
from sctune.unavailable import Reason, Unavailable, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.disk_health import DiskHealth

FAILING = Code(
    code="DISK_FAILING",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="A disk is failing",
    meaning="The disk itself says that it fails, or data on it could not be read or written.",
    why="What lies on it, volumes or the volume store, is lost when it goes; before that, reads get slow and fail. Disks that "
    "report a failure mostly do fail within weeks.",
    thresholds="Critical: SMART's verdict is FAILED, a prefail attribute is below its threshold now, NVMe's critical warning "
    "says anything but temperature, or the kernel met a medium or hardware error on it since boot. Warning: sectors that "
    "cannot be read at present (attribute 197), or that its own test could not read (198), NVMe media errors, SCSI errors that "
    "could not be corrected. Reallocated sectors alone, old entries in the error log and the kernel's ioerr_cnt, which counts "
    "refused commands on sound disks, are not judged. Not asked: disks that sleep, removable ones, virtio and iSCSI disks.",
    see=("smartctl --health --attributes /dev/DISK", "smartctl --log=error --log=selftest /dev/DISK", "dmesg --ctime | grep DISK"),
    remedy="Bring the data to safety first: as few reads as possible, volumes that matter before others. Then replace the "
    "disk; in a RAID, fail and remove it there. Where only the count of errors tells, let it test itself (smartctl "
    "--test=long) and watch whether the count grows.",
    risk=Risk.SAFE,
    source="smartctl(8), EXIT STATUS; NVM Express Base Specification, SMART / Health Information; smartd(8)",
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    need(inventory.block)
    disks = physical(inventory)
    if not disks:
        return not_applicable("there is no disk that could tell its health: only virtual, removable or iSCSI ones")
    health, log = inventory.disk_health, inventory.kernel_log
    unexamined = [Unexamined.of(answer) for answer in (health, log) if isinstance(answer, Unavailable) and not _absent(answer)]
    if isinstance(health, Unavailable) and isinstance(log, Unavailable):
        need(log if _absent(health) else health)
    silent = set()
    for answer in () if isinstance(health, Unavailable) else health:
        if isinstance(answer, Unavailable):
            if not _absent(answer):
                unexamined.append(Unexamined.of(answer))
                silent.add(answer.what)
        elif answer.asleep:
            detail = "it sleeps, and is not woken for this"
            unexamined.append(Unexamined(what=f"/dev/{answer.device}", reason=Reason.NOT_COLLECTED, detail=detail))
            silent.add(answer.device)
    findings = tuple(_finding(disk, inventory) for disk in failing_disks(inventory))
    return Result(examined=len(disks) - len(silent), findings=findings, unexamined=tuple(unexamined))


def _absent(answer: Unavailable) -> bool:
    return answer.reason is Reason.ABSENT


def _finding(disk: FailingDisk, inventory: Inventory) -> Finding:
    node = f"/dev/{disk.device.name}"
    health = disk.health
    last = max((fault.last for fault in disk.faults if fault.last is not None), default=None)
    return FAILING.found(
        disk.subject,
        f"{node}{f' ({disk.device.model})' if disk.device.model else ''}: {'; '.join(disk.reasons)}",
        evidence(
            device=node,
            reasons=disk.reasons,
            **(_told(health) if health is not None else {}),
            kernel_errors=sum(fault.count for fault in disk.faults),
            kernel_last=last,
            said=tuple(fault.text for fault in disk.faults),
            source=" and ".join((*((health.tool,) if health else ()), *(("the kernel's log",) if disk.faults else ()))),
        ),
        severity=disk.severity,
        commands=(f"smartctl --xall {node}", f"lsblk {node}    # what lies on it"),
    )


def _told(health: DiskHealth) -> dict[str, int | float | bool | None]:
    """What the disk counts, without what it does not count."""
    values = {
        "passed": health.passed,
        "critical_warning": health.critical_warning,
        "media_errors": health.media_errors,
        "uncorrected_errors": health.uncorrected,
        "pending_sectors": health.pending,
        "uncorrectable_sectors": health.uncorrectable,
        "reallocated_sectors": health.reallocated,
        "used_ratio": health.used_ratio,
    }
    return {name: value for name, value in values.items() if value is not None}


CHECKS = (
    Check(
        name="disk-health",
        title="Health of the host's own disks",
        codes=(FAILING,),
        needs=("block", "disk_health", "disk_ids", "kernel_log", "mounts"),
        run=_run,
    ),
)
