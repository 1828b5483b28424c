"""Whether volumes on loop devices are cached twice."""

from __future__ import annotations

import re

from sctune.check import Check, Look, Result, not_applicable
from sctune.findings import Code, Risk, Severity, evidence
from sctune.loop_use import need_carried
from sctune.unavailable import need

BUFFERED = Code(
    code="LOOP_BUFFERED",
    severities=(Severity.INFO, Severity.WARNING),
    title="A volume's loop device goes through the page cache of its file",
    meaning="Direct I/O is off on the loop device. Every block is cached twice, once for the device and once for the backing "
    "file, and written back twice.",
    why="Memory holds the same data twice, dirty data pile up where the limits of one device do not see them, and a guest's "
    "O_DIRECT reaches a cache, not the disk. Bursts of write-back then stall all volumes at once.",
    thresholds="Advice for each writable loop device with direct I/O off that carries a cloud volume or is exported: info, or "
    "warning where the configuration lists LOOP_BUFFERED under wanted. Not before Linux 4.4, which knows no other way.",
    see=("losetup --list --output NAME,DIO,LOG-SEC,BACK-FILE", "cat /sys/block/loopN/loop/dio"),
    remedy="Switch direct I/O on; it can be done while the device is in use, and lasts until it is detached (a cloud attaches "
    "its volumes without it). Measure before and after: reads that the second cache served become slower. The kernel refuses "
    "where the file system cannot do direct I/O or its sectors are larger than the loop device's.",
    risk=Risk.SAFE,
    source="losetup(8), --direct-io; Linux commits bc07c10a (direct I/O, 4.4) and b2ee7d46 (double throttling without it)",
    advice=True,
)


_SINCE = (4, 4)
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)


def _buffered(look: Look) -> Result:
    chains = need(look.inventory.chains)
    need(look.inventory.loops)
    release = _RELEASE.match(look.inventory.identity.kernel)
    if release is not None and (int(release[1]), int(release[2])) < _SINCE:
        return not_applicable("this kernel has no direct I/O for loop devices (before Linux 4.4)")
    severity = Severity.WARNING if BUFFERED.code in look.config.wanted else Severity.INFO
    findings = []
    examined = 0
    seen: set[str] = set()
    for chain in chains.chains:
        if not (chain.ours or chain.exports):
            continue
        shared = chain.backend.shared_group
        # One under a VG of many volumes is said once, of itself.
        writable = [loop for loop in chain.loops if not loop.read_only and not (shared and loop.name in seen)]
        seen.update(loop.name for loop in writable)
        examined += len(writable)
        buffered = [loop for loop in writable if not loop.direct_io]
        if not buffered:
            continue
        names = tuple(f"/dev/{loop.name}" for loop in buffered)
        what = f"VG {chain.lv.vg}" if shared and chain.lv is not None else chain.id
        findings.append(
            BUFFERED.found(
                chains.subject_of_loop(buffered[0]) if shared else chain.subject,
                f"{', '.join(names)} {'caches' if len(names) == 1 else 'cache'} {what} a second time: direct I/O is off",
                evidence(
                    loops=names,
                    direct_io=False,
                    backing_files=tuple(loop.backing_file for loop in buffered),
                    logical_block_size=buffered[0].logical_block_size,
                    source="/sys/block/loopN/loop/dio",
                ),
                severity=severity,
                commands=tuple(f"losetup --direct-io=on {name}" for name in names),
            )
        )
    if not examined:
        need_carried(look.inventory)
        return not_applicable("no volume or export lies on a writable loop device")
    return Result(examined=examined, findings=tuple(findings))


CHECKS = (
    Check(
        name="loop-direct-io",
        title="Direct I/O of loop devices under volumes",
        codes=(BUFFERED,),
        needs=("loops", "chains", "lvm"),
        run=_buffered,
    ),
)
