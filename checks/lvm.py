"""LVM itself: whether it answers, and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined
from sctune.findings import HOST, Code, Finding, Risk, Severity, evidence
from sctune.lvm_cause import hang_cause, hang_suspects
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import Process
    from sctune.inventory import Inventory
    from sctune.model.lvm import LvmReport

_LONG_WORK = frozenset({"pvmove", "lvconvert", "pvck", "vgimportclone"})
"""Commands that copy or check a disk's worth of data: they take as long as that takes."""

UNRESPONSIVE = Code(
    code="LVM_UNRESPONSIVE",
    severities=(Severity.CRITICAL,),
    title="LVM does not answer",
    meaning="A read-only LVM report that takes no lock, and from which the disks of lost iSCSI sessions were left out, did not end "
    "in 8 s. LVM reads every other device, so one of those does not answer.",
    why="Every LVM command on this host hangs in the same way, most of them while they hold LVM's locks: no volume can be made, "
    "attached, snapshotted or removed, and a storage controller's requests pile up behind the first one.",
    thresholds="No end within 8 s. While this is found, the other checks of LVM are unknown.",
    see=(
        "timeout 10 pvs    # may leave a process that cannot be killed",
        "ps -eo pid,stat,wchan:32,etimes,args | grep -E ' D.*(lvm|[plv][vg]s|scan)'",
        "dmsetup info --columns --options name,suspended",
    ),
    remedy="Find the device that does not answer: a loop device over a file on a dead network mount, a disk of an iSCSI target "
    "that stopped a moment ago, a failing disk. Bring it back, or detach it; waiting commands then go on by themselves. "
    "Killing LVM commands in state D does nothing.",
    risk=Risk.SAFE,
    source="lvm2 lib/label/label.c (label_scan); tried: dead iSCSI session, dead NFS mount under a loop device",
    confirm=True,
)
SLOW = Code(
    code="LVM_COMMAND_SLOW",
    severities=(Severity.INFO, Severity.WARNING),
    title="LVM is slow",
    meaning="LVM's report of all VGs takes seconds, or an LVM command that should take a moment runs for a long time.",
    why="A storage controller runs several LVM commands for each volume it makes, attaches or removes, one after another. What "
    "takes a command seconds takes a user minutes, and the cloud's own time limits are passed.",
    thresholds="The report took longer than thresholds.lvm_slow_seconds.warning (2 s): info. An LVM command of somebody else "
    "runs since more than thresholds.lvm_slow_seconds.critical (10 s): warning. 250 VGs on loop devices take 0.2 s. pvmove "
    "and lvconvert, which copy data, are not counted.",
    see=("time lvs", "ps -eo pid,stat,wchan:32,etimes,args | grep -E '[ /](lvm|[plv]v|vg)'", "ls /etc/lvm/archive | wc -l"),
    remedy="Let LVM look at fewer devices (devices/global_filter in lvm.conf, or a devices file; scan_lvs = 0), find the disk that "
    "answers slowly (iostat -x), and a command that holds a lock and waits.",
    risk=Risk.SAFE,
    source="lvm.conf(5), section devices; lvm(8); Eucalyptus LVMWrapper.java (one command after another)",
)


def _responds(look: Look) -> Result:
    inventory = look.inventory
    answer = inventory.lvm
    if isinstance(answer, Unavailable):
        if answer.reason is Reason.TIMEOUT:
            return Result(examined=1, findings=(_unresponsive(answer, inventory),))
        need(answer)
    report = need(answer)
    limits = look.config.thresholds.lvm_slow_seconds
    processes = inventory.processes
    stuck = () if isinstance(processes, Unavailable) else tuple(_long(processes.lvm, inventory.clock.boot, limits.critical))
    unexamined: tuple[Unexamined, ...] = (Unexamined.of(processes),) if isinstance(processes, Unavailable) else ()
    if report.seconds is None:
        unexamined += (Unexamined(what="how long LVM's report took", reason=Reason.NOT_COLLECTED),)
    if not stuck and (report.seconds is None or report.seconds <= limits.warning):
        return Result(examined=1, unexamined=unexamined)
    return Result(examined=1, findings=(_slow(report, stuck, inventory),), unexamined=unexamined)


def _long(processes: Iterable[Process], now: float, limit: float) -> Iterable[Process]:
    for process in processes:
        word = process.argv[1] if process.name == "lvm" and len(process.argv) > 1 else process.name
        # `lvm` without arguments is its shell: it waits for a person.
        if now - process.started > limit and word not in _LONG_WORK and word != "lvm":
            yield process


def _unresponsive(answer: Unavailable, inventory: Inventory) -> Finding:
    return UNRESPONSIVE.found(
        HOST,
        "LVM's report did not end: a device that it reads does not answer",
        evidence(
            answer=answer.detail,
            processes_that_cannot_be_killed=tuple(str(pid) for pid in answer.pids),
            suspects=hang_suspects(inventory),
            lvm_commands_running=_words(inventory),
            source=answer.what,
        ),
        commands=("ps -eo pid,stat,wchan:32,etimes,args | awk '$2 ~ /^D/'", "dmesg | tail -50"),
        caused_by=hang_cause(inventory),
    )


def _words(inventory: Inventory) -> tuple[str, ...]:
    processes = known(inventory.processes)
    return tuple(f"{p.pid} {p.state} {' '.join(p.argv)[:120]}" for p in (processes.lvm if processes else ()))


def _slow(report: LvmReport, stuck: tuple[Process, ...], inventory: Inventory) -> Finding:
    now = inventory.clock.boot
    running = tuple(f"{p.pid} {p.state} {now - p.started:.0f} s: {' '.join(p.argv)[:120]}" for p in stuck)
    if stuck:
        longest = max(now - process.started for process in stuck)
        summary = (
            f"{stuck[0].name} runs since {longest:.0f} s"
            if len(stuck) == 1
            else f"{len(stuck)} LVM commands run for up to {longest:.0f} s"
        )
    else:
        summary = f"LVM's report took {report.seconds:.1f} s"
    return SLOW.found(
        HOST,
        summary,
        evidence(
            report_seconds=None if report.seconds is None else round(report.seconds, 2),
            volume_groups=len(report.volume_groups),
            physical_volumes=len(report.physical_volumes),
            commands_running_long=running,
            source="lvm fullreport, process table",
        ),
        severity=Severity.WARNING if stuck else Severity.INFO,
        commands=tuple(f"cat /proc/{process.pid}/stack" for process in stuck),
    )


CHECKS = (
    Check(
        name="lvm-responds",
        title="LVM answers",
        codes=(UNRESPONSIVE, SLOW),
        needs=("lvm", "processes", "stores", "tgt", "sessions", "dm", "loops"),
        run=_responds,
    ),
)
