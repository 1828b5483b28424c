"""Whether work stands still for want of disks or memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import HOST, Code, Finding, Risk, Severity, evidence
from sctune.model.units import size_words
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.model.system import Memory, Pressure

_SWAPPED = 0.10  # of the swap space: less is what was put there long ago and nobody has asked for since

IO_HIGH = Code(
    code="IO_PRESSURE_HIGH",
    severities=(Severity.INFO, Severity.WARNING, Severity.CRITICAL),
    title="The host waits for its disks",
    meaning="For a part of the last minute every task that had work to do stood still until some I/O was done.",
    why="Nothing got done in that time, whatever the load figures say. Volumes share the disks: guests see it as latency, and "
    "where it lasts, as commands that time out.",
    thresholds="`full avg60` of /proc/pressure/io from thresholds.io_pressure on: 5 % is a warning, 20 % critical. Info while dd, "
    "gunzip or tar copies: a copy waits for disks all the time, whether or not anybody else has to, and on an idle host its "
    "waiting is all there is. Not applicable where the kernel does not measure it (before Linux 4.20; Red Hat's without psi=1).",
    see=(
        "cat /proc/pressure/io",
        "grep -H full /sys/fs/cgroup/*/io.pressure /sys/fs/cgroup/system.slice/*/io.pressure    # whose I/O it is",
        "ps -eo state,pid,wchan:32,args | grep '^D'",
        "iostat -x 5 3",
    ),
    remedy="Find out whose I/O it is. Copies of snapshots and wiping of deleted volumes can wait or be held back (ionice, io.max "
    "of a cgroup); otherwise the disks have more volumes than they can serve.",
    risk=Risk.SAFE,
    source="Linux Documentation/accounting/psi.rst",
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
    """Judges the last minute's waits for disks."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    pressure = need(look.inventory.pressure)
    level = look.config.thresholds.io_pressure
    full = pressure.io_full.avg60
    if full < level.warning:
        return Result(examined=1)
    copies = need(look.inventory.processes).copies
    severity = Severity.CRITICAL if full >= level.critical else Severity.WARNING
    beside = f"; {'a copy is' if len(copies) == 1 else f'{len(copies)} copies are'} running" if copies else ""
    finding = IO_HIGH.found(
        HOST,
        f"for {full:.0%} of the last minute nothing got done but waiting for disks{beside}",
        evidence(
            full_avg10=pressure.io_full.avg10,
            full_avg60=full,
            full_avg300=pressure.io_full.avg300,
            some_avg60=pressure.io_some.avg60,
            copies=tuple(f"{copy.tool} {copy.source or '-'} to {copy.destination or '-'}" for copy in copies),
            source="/proc/pressure/io",
        ),
        severity=Severity.INFO if copies else severity,
    )
    return Result(examined=1, findings=(finding,))


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
        needs=("chains", "tgt", "lio", "processes"),
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
