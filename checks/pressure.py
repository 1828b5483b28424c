"""Whether work stands still for want of disks or memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import HOST, Code, Finding, Risk, Severity, evidence
from sctune.model.units import size_words
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.config.model import Level
    from sctune.model.system import IoWaiting, Memory, Pressure

_BUSY = 0.10  # of the time we look: a disk that less was asked of holds nobody up
_SWAPPED = 0.10  # of the swap space: less is what was put there long ago and nobody has asked for since

IO_HIGH = Code(
    code="IO_PRESSURE_HIGH",
    severities=(Severity.INFO, Severity.WARNING, Severity.CRITICAL),
    title="The host waits for its disks",
    meaning="For a part of the last minute every task that had work to do stood still until some I/O was done, and several tasks "
    "wait for disks at once.",
    why="Nothing got done in that time, whatever the load figures say. Volumes share the disks: guests see it as latency, and "
    "where it lasts, as commands that time out.",
    thresholds="`full avg60` of /proc/pressure/io from thresholds.io_pressure on: 5 % is a warning; 20 % is critical where "
    "`full avg300` has reached it too, which takes a minute of complete standstill or more of less. Then /proc/stat is read "
    "twelve times within a second and a half, and it is info only: where fewer than 1.5 tasks (thresholds.io_waiting) wait at "
    "once, running copies (dd, gunzip, tar) left out, since one task that waits for its own I/O holds up nobody and is all "
    "that an idle host's `full` is made of; a loop device without direct I/O waits once more for each that waits for it, so "
    "where there is one, tasks count half; where nobody waits any more; where no disk is busy for a tenth of that time and no "
    "network file system is mounted (idle rings of io_uring count as waiting from Linux 6.5 on, and so does what a limit of its "
    "cgroup holds back). Where nobody can tell how many wait it is a warning at most, and info beside a copy. Not applicable "
    "where the kernel does not measure pressure (before Linux 4.20; Red Hat's without psi=1).",
    see=(
        "cat /proc/pressure/io",
        "for n in 1 2 3 4 5 6 7 8; do grep procs_blocked /proc/stat; sleep 0.2; done    # how many wait at once",
        "grep -H full /sys/fs/cgroup/*/io.pressure /sys/fs/cgroup/system.slice/*/io.pressure    # whose I/O it is",
        "ps -eLo state,pid,wchan:32,args | grep '^D'",
        "iostat -x 5 3",
    ),
    remedy="Find out whose I/O it is. Copies of snapshots and wiping of deleted volumes can wait or be held back (ionice, io.max "
    "of a cgroup); otherwise the disks have more volumes than they can serve.",
    risk=Risk.SAFE,
    source="Linux Documentation/accounting/psi.rst, kernel/sched/psi.c; proc(5) on procs_blocked; Documentation/admin-guide/"
    "iostats.rst; measurements: docs/precision.md",
)
MEMORY_PRESSURE = Code(
    code="MEMORY_PRESSURE",
    severities=(Severity.WARNING,),
    title="The host is short of memory",
    meaning="Tasks stand still because memory has to be found for them first, or almost none is left and the host is swapping.",
    why="Pages of volumes are thrown out of memory and read again at once, tgtd and the cloud's own processes are swapped out, and "
    "the kernel's next step is to kill one of them.",
    thresholds="`full avg60` of /proc/pressure/memory from thresholds.memory_pressure (5 %) on; or MemAvailable below "
    "thresholds.memory_available (5 % of all memory) with a tenth of the swap space or more in use.",
    see=(
        "cat /proc/pressure/memory",
        "free -m",
        "ps -eo rss,pid,args --sort -rss | head",
        "vmstat 1 5    # si and so: swapping now",
    ),
    remedy="See what takes the memory. Often it is the cloud's JVM with a heap that was set for another host (-Xmx), or a limit of "
    "dirty pages beyond measure (VM_DIRTY_LIMIT_EXCESSIVE).",
    risk=Risk.SAFE,
    source="Linux Documentation/accounting/psi.rst; proc(5) on MemAvailable",
)


def run_io(look: Look) -> Result:
    """Judges the last minute's waits for disks, and who waits now."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    pressure = need(look.inventory.pressure)
    level = look.config.thresholds.io_pressure
    full = pressure.io_full.avg60
    if full < level.warning:
        return Result(examined=1)
    copies = need(look.inventory.processes).copies
    answer = look.inventory.io_waiting
    waiting = known(answer)
    together = _at_once(look, waiting) if waiting is not None else 0.0
    harmless = _harmless(look, waiting, together, len(copies)) if waiting is not None else ""
    finding = IO_HIGH.found(
        HOST,
        f"for {full:.0%} of the last minute nothing got done but waiting for disks{harmless or _crowd(waiting, together)}"
        f"{_beside(len(copies))}",
        evidence(
            full_avg10=pressure.io_full.avg10,
            full_avg60=full,
            full_avg300=pressure.io_full.avg300,
            some_avg60=pressure.io_some.avg60,
            waiting=tuple(str(count) for count in waiting.tasks) if waiting else None,
            waiting_at_once=round(together, 2) if waiting else None,
            busiest_disk=waiting.disk if waiting else None,
            busy=round(waiting.busy, 2) if waiting else None,
            copies=tuple(f"{copy.tool} {copy.source or '-'} to {copy.destination or '-'}" for copy in copies),
            source="/proc/pressure/io, /proc/stat, /proc/diskstats",
        ),
        # A copy may be all that waits, where nobody can tell who does.
        severity=Severity.INFO if harmless or (copies and waiting is None) else _severity(pressure, level, waiting),
    )
    unread = (Unexamined.of(answer),) if isinstance(answer, Unavailable) else ()
    return Result(examined=1, findings=(finding,), unexamined=unread)


def _severity(pressure: Pressure, level: Level, waiting: IoWaiting | None) -> Severity:
    """Critical where the standstill has lasted, and where it is known to be one of several."""
    lasts = min(pressure.io_full.avg60, pressure.io_full.avg300) >= level.critical
    return Severity.CRITICAL if lasts and waiting is not None else Severity.WARNING


def _at_once(look: Look, waiting: IoWaiting) -> float:
    """How many wait at once. The kernel's thread of a loop device without direct I/O waits for the file while whoever asked the
    device waits for it: both are counted."""
    loops = known(look.inventory.loops)
    doubled = loops is not None and any(not loop.direct_io and not loop.read_only for loop in loops.devices)
    return waiting.together / 2 if doubled else waiting.together


def _harmless(look: Look, waiting: IoWaiting, together: float, copies: int) -> str:
    """Why this is nobody's trouble; "" where it is somebody's."""
    if not together:
        return "; nobody waits any more"
    if together - copies < look.config.thresholds.io_waiting:
        return "; but for copies hardly anybody waits" if copies else "; one task at a time waits, and holds up nobody else"
    mounts = known(look.inventory.mounts)
    if waiting.busy < _BUSY and mounts is not None and not any(mount.network for mount in mounts):
        return "; but no disk is busy: what waits is idle (io_uring), or held back by a limit of its own"
    return ""


def _crowd(waiting: IoWaiting | None, together: float) -> str:
    if waiting is None:
        return "; how many tasks wait at once could not be read"
    busy = f", and {waiting.disk} is busy for {waiting.busy:.0%} of the time" if waiting.disk else ""
    return f"; {together:.1f} tasks wait at once{busy}"


def _beside(copies: int) -> str:
    if not copies:
        return ""
    return "; a copy is running" if copies == 1 else f"; {copies} copies are running"


def run_memory(look: Look) -> Result:
    """Judges waits for memory, and what is left of it."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    memory = need(look.inventory.memory)
    answer = look.inventory.pressure
    finding = _stalled(look, known(answer), memory) or _used_up(look, memory)
    unread = isinstance(answer, Unavailable) and answer.reason is not Reason.ABSENT
    return Result(
        examined=1,
        findings=(finding,) if finding is not None else (),
        unexamined=(Unexamined.of(answer),) if unread and isinstance(answer, Unavailable) else (),
    )


def _stalled(look: Look, pressure: Pressure | None, memory: Memory) -> Finding | None:
    if pressure is None or pressure.memory_full.avg60 < look.config.thresholds.memory_pressure:
        return None
    full = pressure.memory_full.avg60
    return MEMORY_PRESSURE.found(
        HOST,
        f"for {full:.0%} of the last minute nothing got done but finding memory",
        evidence(
            full_avg60=full,
            full_avg300=pressure.memory_full.avg300,
            some_avg60=pressure.memory_some.avg60,
            available_bytes=memory.available,
            total_bytes=memory.total,
            source="/proc/pressure/memory",
        ),
    )


def _used_up(look: Look, memory: Memory) -> Finding | None:
    swapped = memory.swap_total - memory.swap_free
    if memory.available is None or memory.swap_total <= 0 or swapped < _SWAPPED * memory.swap_total:
        return None
    if memory.available >= look.config.thresholds.memory_available * memory.total:
        return None
    return MEMORY_PRESSURE.found(
        HOST,
        f"{size_words(memory.available)} of {size_words(memory.total)} memory can still be had, and {size_words(swapped)} is "
        "swapped out",
        evidence(
            available_bytes=memory.available,
            total_bytes=memory.total,
            swap_used_bytes=swapped,
            swap_bytes=memory.swap_total,
            source="/proc/meminfo",
        ),
    )


CHECKS = (
    Check(
        name="io-pressure",
        title="Waiting for disks",
        codes=(IO_HIGH,),
        # Not io_waiting: it takes its time, and only where there is pressure is it asked.
        needs=("chains", "tgt", "lio", "processes", "mounts", "loops"),
        run=run_io,
    ),
    Check(
        name="memory-pressure",
        title="Memory that is left, and waiting for it",
        codes=(MEMORY_PRESSURE,),
        needs=("chains", "tgt", "lio", "processes"),
        run=run_memory,
    ),
)
