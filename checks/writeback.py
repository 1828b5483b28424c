"""How much unwritten data may pile up in memory: too little makes every burst wait, too much makes guests time out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import MIB, size_words
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.unavailable import Reason, known, need

if TYPE_CHECKING:
    from sctune.model.system import Writeback

_START = 600 * MIB  # SUSE TID 000017857
_BURST_SECONDS = 2.0  # how much of the disk's speed a useful buffer holds
_DEFAULT_RATIO = 0.20  # the kernel's own; at or above it a low limit comes from little memory, not from a setting
_FILE = "/etc/sysctl.d/90-volume-writeback.conf"

_SEE = (
    "sysctl vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes",
    "grep -E '^nr_dirty(_background)?_threshold ' /proc/vmstat    # in pages of `getconf PAGESIZE` bytes",
    "grep -E '^(Dirty|Writeback):' /proc/meminfo",
)
_PERSIST = (
    f" The first command acts at once, the second keeps it over a restart. A later file in /etc/sysctl.d, /etc/sysctl.conf or a "
    f"tuned profile that sets vm.dirty_ratio or vm.dirty_background_ratio undoes it: look with "
    f"`grep -rs vm.dirty /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d /etc/tuned`. "
    f"To give {_FILE} up again, remove it and write the ratios: a bytes setting cannot be set to 0."
)

LIMIT_LOW = Code(
    code="VM_DIRTY_LIMIT_LOW",
    severities=(Severity.INFO, Severity.WARNING),
    title="The kernel lets very little unwritten data wait in memory",
    meaning="vm.dirty_ratio or vm.dirty_bytes was set so low that writers are held back after a burst of a few megabytes.",
    why="Volumes served through the page cache (loop devices without direct I/O, tgt's rdwr) then write at the pace of the disk "
    "from the first moment, and guests see every burst as latency.",
    thresholds="Below 1 s of the declared flush speed (flush_speed), else below thresholds.dirty_limit_low_bytes (64 MiB). Silent "
    "where vm.dirty_ratio is 20 % or more: the limit is low for want of memory then, and no setting mends that.",
    see=_SEE,
    remedy="Let about two seconds of the disk's write speed wait (600 MiB where nobody measured it), and start writing in the "
    "background at half of that." + _PERSIST,
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/sysctl/vm.rst; SUSE TID 000017857 (600 MB and 300 MB to start with)",
    advice=True,
)
LIMIT_EXCESSIVE = Code(
    code="VM_DIRTY_LIMIT_EXCESSIVE",
    severities=(Severity.INFO, Severity.WARNING),
    title="More unwritten data may wait in memory than the disk can write before initiators time out",
    meaning="The limit of dirty pages, divided by how fast they reach the disk, is longer than an initiator waits for one command.",
    why="A guest's flush (fsync) or a writer held back at the limit waits until that data is on disk. After 30 s the initiator's "
    "SCSI layer aborts the command and starts error handling, with the disk healthy: sessions drop, guests go read-only. It is "
    "also what a power cut loses.",
    thresholds="With flush_speed in the configuration: limit / flush_speed above thresholds.scsi_command_timeout_seconds (30 s) "
    "is a warning. Without it, above thresholds.dirty_limit_excessive_bytes (16 GiB: 30 s at 546 MiB/s, the most a SATA disk can "
    "take) it is advice. The speed is declared or measured, never guessed; the initiators' timeout cannot be read here and is "
    "declared too.",
    see=(*_SEE, "cat /sys/block/sdX/device/timeout    # on an initiator: the SCSI command timeout in seconds"),
    remedy="Set the limit in bytes, to what the disk writes in a few seconds; a ratio grows with memory, the disk does not."
    + _PERSIST,
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/sysctl/vm.rst, commit 2da02997e0 (why vm.dirty_bytes exists); SUSE TID 000017857; "
    "drivers/scsi/sd.h SD_TIMEOUT (30 s)",
    advice=True,
)
BYTES_IN_FORCE = Code(
    code="VM_DIRTY_BYTES_IN_FORCE",
    severities=(Severity.INFO,),
    title="The limit of dirty pages is set in bytes, so the ratio has no effect",
    meaning="vm.dirty_bytes (or vm.dirty_background_bytes) is not 0. Of bytes and ratio only one is in force: writing one zeroes "
    "the other.",
    why="Whoever reads or tunes vm.dirty_ratio here looks at the wrong knob, and a tool that writes the ratio (tuned's "
    "throughput-performance, a sysctl.d file read later) silently throws the bytes setting away.",
    thresholds="vm.dirty_bytes or vm.dirty_background_bytes other than 0.",
    see=_SEE,
    remedy="Nothing, if this is meant: bytes are the better choice on hosts with much memory. Otherwise write the ratios, which "
    "puts them in force again (0 cannot be written to the bytes).",
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/sysctl/vm.rst; mm/page-writeback.c",
)


def run(look: Look) -> Result:
    """Judges the limit in force on hosts that serve volumes."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    writeback = need(look.inventory.writeback)
    in_force = _bytes_in_force(writeback)
    limit = writeback.limit
    if limit is None:
        unread = Unexamined(
            what="the limit of dirty pages in bytes",
            reason=Reason.ABSENT,
            detail="/proc/vmstat or /proc/meminfo does not tell what vm.dirty_ratio comes to",
        )
        return Result(examined=1, findings=in_force, unexamined=(unread,))
    verdict = _excessive(look, writeback, limit) or _low(look, writeback, limit)
    return Result(examined=1, findings=(*in_force, *((verdict,) if verdict else ())))


def _setting(writeback: Writeback) -> Subject:
    return Subject(kind=SubjectKind.SETTING, id="vm.dirty_bytes" if writeback.bytes_in_force else "vm.dirty_ratio")


def _source(writeback: Writeback) -> str:
    return "/proc/sys/vm/dirty_bytes" if writeback.bytes_in_force else "/proc/vmstat nr_dirty_threshold, /proc/sys/vm/dirty_ratio"


def _excessive(look: Look, writeback: Writeback, limit: int) -> Finding | None:
    speed = look.config.flush_speed
    timeout = look.config.thresholds.scsi_command_timeout_seconds
    if speed is not None:
        seconds = limit / speed
        if seconds <= timeout:
            return None
        return LIMIT_EXCESSIVE.found(
            _setting(writeback),
            f"{size_words(limit)} may wait in memory; at {size_words(speed)}/s that takes {seconds:.0f} s to write, "
            f"and initiators give up after {timeout:g} s",
            evidence(
                limit_bytes=limit,
                flush_speed_bytes_per_second=round(speed),
                flush_seconds=round(seconds, 1),
                scsi_command_timeout_seconds=timeout,
                ratio=writeback.dirty_ratio,
                source=f"{_source(writeback)}; flush_speed in the configuration",
            ),
            severity=Severity.WARNING,
            commands=_commands(_advised(look)),
        )
    if limit <= look.config.thresholds.dirty_limit_excessive_bytes:
        return None
    needed = limit / timeout if timeout > 0 else 0.0
    return LIMIT_EXCESSIVE.found(
        _setting(writeback),
        f"{size_words(limit)} may wait in memory: initiators give up after {timeout:g} s unless the disk writes "
        f"{size_words(needed)}/s",
        evidence(
            limit_bytes=limit,
            threshold_bytes=look.config.thresholds.dirty_limit_excessive_bytes,
            needed_bytes_per_second=round(needed),
            scsi_command_timeout_seconds=timeout,
            ratio=writeback.dirty_ratio,
            source=_source(writeback),
        ),
        severity=_wanted(look, LIMIT_EXCESSIVE),
        commands=_commands(_advised(look)),
        remedy=LIMIT_EXCESSIVE.remedy
        + " Or, where the disk is that fast: measure it and declare flush_speed in /etc/sctune/sctune.yaml.",
    )


def _low(look: Look, writeback: Writeback, limit: int) -> Finding | None:
    if not writeback.bytes_in_force and writeback.dirty_ratio >= _DEFAULT_RATIO:
        return None
    speed = look.config.flush_speed
    threshold = look.config.thresholds.dirty_limit_low_bytes if speed is None else speed
    advised = _advised(look)
    if limit >= threshold or advised <= limit:
        return None
    measure = "the threshold" if speed is None else "one second of the declared flush speed"
    return LIMIT_LOW.found(
        _setting(writeback),
        f"only {size_words(limit)} may wait in memory, less than {measure} ({size_words(threshold)})",
        evidence(limit_bytes=limit, threshold_bytes=round(threshold), ratio=writeback.dirty_ratio, source=_source(writeback)),
        severity=_wanted(look, LIMIT_LOW),
        commands=_commands(advised),
    )


def _bytes_in_force(writeback: Writeback) -> tuple[Finding, ...]:
    if not writeback.bytes_in_force and writeback.background_bytes == 0:
        return ()
    name = "vm.dirty_bytes" if writeback.bytes_in_force else "vm.dirty_background_bytes"
    value = writeback.dirty_bytes if writeback.bytes_in_force else writeback.background_bytes
    return (
        BYTES_IN_FORCE.found(
            Subject(kind=SubjectKind.SETTING, id=name),
            f"{name} is {value} ({size_words(value)}), so {name.replace('bytes', 'ratio')} has no effect",
            evidence(
                dirty_bytes=writeback.dirty_bytes,
                dirty_background_bytes=writeback.background_bytes,
                dirty_ratio=writeback.dirty_ratio,
                dirty_background_ratio=writeback.background_ratio,
                source="/proc/sys/vm/dirty_*",
            ),
            commands=(
                "sysctl vm.dirty_ratio=20 vm.dirty_background_ratio=10    # the kernel's defaults, only if bytes are not meant",
            ),
        ),
    )


def _advised(look: Look) -> int:
    """Bytes to set: 600 MiB, or two seconds of a declared speed that is higher; never more than half the time that
    initiators wait, nor than a fifth of the memory."""
    limit = float(_START)
    speed = look.config.flush_speed
    if speed is not None:
        limit = min(max(limit, _BURST_SECONDS * speed), speed * look.config.thresholds.scsi_command_timeout_seconds / 2)
    memory = known(look.inventory.memory)
    if memory is not None:
        limit = min(limit, _DEFAULT_RATIO * memory.total)
    return max(MIB, int(limit) // MIB * MIB)


def _commands(limit: int) -> tuple[str, ...]:
    settings = (f"vm.dirty_background_bytes={limit // 2}", f"vm.dirty_bytes={limit}")
    return (f"sysctl -w {' '.join(settings)}", f"printf '%s\\n' {' '.join(settings)} > {_FILE}")


def _wanted(look: Look, code: Code) -> Severity:
    return Severity.WARNING if code.code in look.config.wanted else Severity.INFO


CHECKS = (
    Check(
        name="writeback",
        title="Unwritten data in memory (vm.dirty_*)",
        codes=(LIMIT_LOW, LIMIT_EXCESSIVE, BYTES_IN_FORCE),
        needs=("writeback", "memory", "chains", "tgt", "lio", "processes"),
        run=run,
    ),
)
