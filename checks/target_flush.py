"""Whether what an initiator flushed is on a disk, and what a target keeps back until it is flushed."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.both_targets import both, lio_of
from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import HOST, Code, Risk, Severity, evidence
from sctune.flush_path import volatile_layers
from sctune.model.volume import VolumeState
from sctune.tgt_process import daemon_subject, tgtadm
from sctune.unavailable import Reason, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding, Subject
    from sctune.model.target import Lun, Target

TGT_AIO_UNSAFE_FLUSH = Code(
    code="TGT_AIO_UNSAFE_FLUSH",
    severities=(Severity.CRITICAL,),
    title="A LUN says that data are on disk which are not",
    meaning="The LUN's backing store type is aio, and what lies under it keeps writes in a volatile cache. tgt answers an "
    "initiator's SYNCHRONIZE CACHE, and a write with FUA, with success, and does nothing for either.",
    why="File systems and databases in the guest order their writes by flushes. After a power cut or a crash of this host, what "
    "they were told is safe is gone, and what was written after it may be there: file systems are torn, commits are lost.",
    thresholds="bstype aio on a writable disk, above a loop device without direct I/O (its file's page cache), or above a disk "
    "whose cache the kernel calls write back. Each layer below is looked at. rdwr is never judged: its flush is fdatasync(2).",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep -e '^Target' -e LUN: -e 'Backing store type'",
        "losetup --list --output NAME,DIO,BACK-FILE",
        "grep . /sys/block/*/queue/write_cache",
    ),
    remedy="Make the LUN again with bstype rdwr (tgt's default) at the next opportunity: the initiator has to be logged out "
    "meanwhile. Direct I/O on the loop device takes the page cache out, but not a disk's own cache.",
    risk=Risk.DISRUPTIVE,
    source="tgt usr/bs_aio.c (bs_aio_cmd_submit), usr/sbc.c (sbc_sync_cache), 1.0.85 to 1.0.97, seen under strace; Linux "
    "Documentation/block/writeback_cache_control.rst",
    volume=VolumeState.DEGRADED,
)

TARGET_WRITE_CACHE = Code(
    code="TARGET_WRITE_CACHE",
    severities=(Severity.INFO, Severity.WARNING),
    title="What initiators do not flush is in this host's memory",
    meaning="LUNs of bstype rdwr write into the page cache, and tgt tells initiators so: by default a disk has a write cache. A "
    "flush becomes fdatasync(2). LIO does the same with a fileio backstore that was made with write_back, targetcli's default.",
    why="That is honest, and how a disk behaves. A guest that flushes (file systems do) loses nothing; one that does not, as its "
    "file system is mounted without barriers or its disk is told to be unsafe, loses half a minute of writes with this host.",
    thresholds="Writable disks of bstype rdwr without the flags sync and direct, whose block in targets.conf does not say "
    "write-cache off. One finding for each daemon. LIO: fileio backstores in mode Buffered-WCE; a warning where initiators are "
    "told that there is no cache (emulate_write_cache=0), and so never flush.",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep 'Backing store flags'",
        "sg_modes --page=8 /dev/sdX   # on an initiator",
    ),
    remedy="Nothing has to be done where guests flush. To have every write on disk before it is answered, make the LUN with "
    "--bsoflags sync; it is slower by far.",
    risk=Risk.SAFE,
    source="tgtadm(8), --bsoflags; targets.conf(5), write-cache; tgt usr/bs_rdwr.c, usr/sbc.c; Linux "
    "drivers/target/target_core_file.c; targetcli ui_backstore.py",
)


def flush(look: Look) -> Result:
    """LUNs of bstype aio over a layer that caches."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = [Unexamined.of(item) for item in tgt.unanswered]
    disks = [(target, lun) for target in tgt.targets for lun in target.disks]
    asynchronous = [(target, lun) for target, lun in disks if lun.backing_type == "aio" and not lun.read_only]
    if not asynchronous:
        if not disks and not unexamined:
            return not_applicable("tgtd serves no disk" if tgt.daemons else "no tgtd runs")
        return Result(examined=len(disks), unexamined=tuple(unexamined))
    chains = need(inventory.chains)
    backings = {backing.path: backing for backing in known(inventory.backings) or ()}
    findings: list[Finding] = []
    for target, lun in asynchronous:
        backing = backings.get(lun.backing_path)
        stat = None if backing is None else known(backing.stat)
        found, unknown = (
            ((), f"what lies at {lun.backing_path}") if stat is None else volatile_layers(stat, inventory, lun.backing_path)
        )
        if found:
            findings.append(_unsafe(target, lun, found, chains.subject_of_lun(target, lun)))
        elif unknown:
            what = f"caches under LUN {lun.number} of {target.iqn}"
            unexamined.append(Unexamined(what=what, reason=Reason.FAILED, detail=f"not known: {unknown}"))
    return Result(examined=len(disks), findings=tuple(findings), unexamined=tuple(unexamined))


def _unsafe(target: Target, lun: Lun, layers: tuple[str, ...], subject: Subject) -> Finding:
    command = f"{tgtadm(target.control_port)} --mode logicalunit"
    where = f"--tid {target.tid} --lun {lun.number}"
    return TGT_AIO_UNSAFE_FLUSH.found(
        subject,
        f"LUN {lun.number} of {target.iqn} acknowledges flushes that never happen: bstype aio over {layers[0]}",
        evidence(
            backing_type=lun.backing_type,
            backing_path=lun.backing_path,
            volatile=layers,
            tid=target.tid,
            sessions=len(target.nexuses),
            source=f"{tgtadm(target.control_port)} --mode target --op show, /sys/block",
        ),
        commands=(
            f"{command} --op delete {where}",
            f"{command} --op new {where} --bstype rdwr -b {quote(lun.backing_path)}",
        ),
    )


def lio_cache(look: Look) -> Result:
    """Files that LIO writes into the page cache: honest where initiators are told of a cache, and not where it was hidden."""
    lio = lio_of(look)
    luns = [
        (f"{target.iqn}/{lun.number}", lun.backstore)
        for target in lio.targets
        for lun in target.luns
        if lun.backstore is not None and lun.backstore.plugin == "fileio" and not lun.read_only
    ]
    if not luns:
        return not_applicable("no LUN of LIO serves a file")
    findings = []
    for hidden, severity, says in (
        (False, Severity.INFO, "keep in memory what initiators have not flushed"),
        (True, Severity.WARNING, "keep in memory what initiators wrote, and tell them that it is on disk"),
    ):
        cached = [name for name, store in luns if store.buffered and (store.write_back is False) is hidden]
        if cached:
            findings.append(
                TARGET_WRITE_CACHE.found(
                    HOST,
                    f"{len(cached)} of {len(luns)} LUNs of LIO over files {says}",
                    evidence(luns=tuple(cached[:_SHOWN]), count=len(cached), source="/sys/kernel/config/target/core/fileio_*/*"),
                    severity=severity,
                    commands=("grep . /sys/kernel/config/target/core/fileio_*/*/attrib/emulate_write_cache",),
                    remedy=_HIDDEN_CACHE if hidden else _LIO_CACHE,
                )
            )
    return Result(examined=len(luns), findings=tuple(findings))


_LIO_CACHE = (
    "Nothing has to be done where guests flush. To have every write on disk before it is answered, make the backstore with "
    "write_back=false; it is slower by far."
)
_HIDDEN_CACHE = (
    "Set emulate_write_cache of the backstore to 1 and let initiators log in again, so that they flush; or make the backstore "
    "with write_back=false."
)


def tgt_cache(look: Look) -> Result:
    """LUNs that write into the page cache, which is what a disk's cache is to an initiator."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = tuple(Unexamined.of(item) for item in tgt.unanswered)
    configuration = known(inventory.tgt_configuration)
    off = {item.iqn for item in (configuration.targets if configuration else ()) if item.write_cache_off}
    findings: list[Finding] = []
    examined = 0
    for daemon in tgt.daemons:
        disks = [(target, lun) for target in daemon.targets for lun in target.disks if lun.backing_type == "rdwr"]
        examined += len(disks)
        cached = [
            f"{target.iqn}/{lun.number}"
            for target, lun in disks
            if target.iqn not in off and not lun.read_only and not _FLAGS & set(lun.backing_flags.replace(":", " ").split())
        ]
        if cached:
            findings.append(
                TARGET_WRITE_CACHE.found(
                    daemon_subject(daemon.control_port),
                    f"{len(cached)} of {len(disks)} LUNs keep in memory what initiators have not flushed",
                    evidence(
                        luns=tuple(cached[:_SHOWN]),
                        count=len(cached),
                        source=f"{tgtadm(daemon.control_port)} --mode target --op show, targets.conf",
                    ),
                )
            )
    if not examined and not unexamined:
        return not_applicable("no LUN of bstype rdwr" if tgt.daemons else "no tgtd runs")
    return Result(examined=examined, findings=tuple(findings), unexamined=unexamined)


_FLAGS = frozenset({"sync", "direct"})
_SHOWN = 5


CHECKS: tuple[Check, ...] = (
    Check(
        name="target-flush",
        title="What targets acknowledge is on disk",
        codes=(TGT_AIO_UNSAFE_FLUSH,),
        needs=("tgt", "chains", "backings", "loops", "block", "mounts"),
        run=flush,
    ),
    Check(
        name="target-write-cache",
        title="What targets keep until it is flushed",
        codes=(TARGET_WRITE_CACHE,),
        needs=("tgt", "tgt_configuration", "lio_state"),
        run=both(tgt_cache, lio_cache),
    ),
)
