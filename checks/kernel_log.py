"""What the kernel has said of storage since boot."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result
from sctune.findings import Code, Finding, Risk, Severity, Subject, evidence
from sctune.kernel_subjects import KernelSubjects, without_doubles
from sctune.model.volume import VolumeState
from sctune.unavailable import need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.findings import Cause
    from sctune.inventory import Inventory
    from sctune.model.kernel_log import FaultKind, KernelFault, KernelLog

_SHOWN = 3

ERRORS = Code(
    code="KERNEL_STORAGE_ERRORS",
    severities=(Severity.WARNING,),
    title="The kernel has logged storage errors",
    meaning="Since boot the kernel has failed to read or write something that is still attached: a disk, a loop device, an "
    "LV, a file system or an iSCSI session.",
    why="Data that a guest or a file system believed written may be lost, and a copy that was being made may be incomplete. "
    "Nobody but the kernel's log tells, and it is gone at the next boot. Where another finding explains the lines, mend that "
    "first.",
    thresholds="Any line about an I/O error, a lost page write, a file system's error, an invalidated snapshot, a thin pool "
    "out of space or read-only, a failed RAID member, a session whose recovery timed out, a disk taken offline. Not judged: "
    "removable disks, CD-ROM, floppy, nbd; what was said of a device that is gone, or whose name something newer has; refused "
    "discards; reads of a loop device's first sector, which fail on sound hosts while it is detached. The kernel leaves out "
    "lines when there are many: counts are what was logged, not what happened.",
    see=("dmesg --ctime --level=emerg,alert,crit,err,warn", "journalctl --dmesg --boot --priority=warning"),
    remedy="Find out what failed and when; look at the layer below (smartctl, multipath -ll, iscsiadm -m session -P 1, lvs, "
    "df). Check the file systems of the guests on what lost writes, and make copies that were running then anew. Once it is "
    "mended, mute the finding until the next boot: the lines stay in the log.",
    risk=Risk.SAFE,
    source="Linux block/blk-core.c, fs/buffer.c, drivers/block/loop.c, drivers/md, drivers/scsi/scsi_transport_iscsi.c; "
    "Documentation/ABI/testing/dev-kmsg",
    volume=VolumeState.DEGRADED,
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    log = need(inventory.kernel_log)
    if not log.faults:
        return Result(examined=1)
    subjects = KernelSubjects(inventory, look.config.thresholds.store_used.warning)
    found: dict[Subject, list[KernelFault]] = {}
    causes: dict[Subject, Cause] = {}
    for fault in without_doubles(log.faults):
        joined = subjects.join(fault)
        if joined is None:
            continue
        subject, cause = joined
        found.setdefault(subject, []).append(fault)
        if cause is not None:
            causes.setdefault(subject, cause)
    findings = tuple(_finding(subject, faults, log, causes.get(subject), inventory) for subject, faults in found.items())
    return Result(examined=1, findings=findings)


def _finding(subject: Subject, faults: list[KernelFault], log: KernelLog, cause: Cause | None, inventory: Inventory) -> Finding:
    counts: dict[FaultKind, int] = {}
    for fault in faults:
        counts[fault.kind] = counts.get(fault.kind, 0) + fault.count
    devices = tuple(dict.fromkeys(fault.device for fault in faults if fault.device))
    first = min((fault.first for fault in faults if fault.first is not None), default=None)
    last = max((fault.last for fault in faults if fault.last is not None), default=None)
    kinds = tuple(f"{kind} x{count}" if count > 1 else str(kind) for kind, count in counts.items())
    return ERRORS.found(
        subject,
        f"The kernel has logged{' of ' + ', '.join(devices) if devices else ''}: {', '.join(kinds)}",
        evidence(
            lines=kinds,
            devices=devices,
            first=first,
            last=last,
            last_seconds_ago=_ago(last, log, inventory),
            said=tuple(fault.text for fault in faults[:_SHOWN]),
            log_begins=None if log.complete else log.begins,
            source=f"{log.source} (seconds of the kernel's clock since boot)",
        ),
        commands=(_command(devices, faults),),
        caused_by=cause,
    )


def _command(devices: Iterable[str], faults: list[KernelFault]) -> str:
    """How the lines are seen: by the devices' names, else by their own words."""
    words = tuple(devices) or tuple(fault.text.partition(": ")[2].partition(":")[0] or fault.text for fault in faults)
    return "dmesg --ctime | grep --fixed-strings " + " ".join(f"-e {quote(word)}" for word in words)


def _ago(last: float | None, log: KernelLog, inventory: Inventory) -> int | None:
    """How long ago the last line was logged; not told where the kernel's clock stood still meanwhile."""
    boot = inventory.clock.boot
    return None if last is None or log.suspended or boot < last else round(boot - last)


CHECKS = (
    Check(
        name="kernel-log",
        title="Storage errors in the kernel's log",
        codes=(ERRORS,),
        needs=(
            "kernel_log",
            "block",
            "chains",
            "dm",
            "disk_health",
            "disk_ids",
            "lio_state",
            "loops",
            "lvm",
            "raid",
            "sessions",
            "stores",
        ),
        run=_run,
    ),
)
