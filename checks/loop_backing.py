"""Whether each loop device still stands on the file it was attached to, on all of it, and alone."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.host.base import FileKind, FileStat
from sctune.loop_use import all_could_be_seen, expected_size, users
from sctune.model.units import size_words
from sctune.model.volume import VolumeState
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.model.chain import Chain, Chains
    from sctune.model.loop import LoopDevice

_SYSFS = "/sys/block/loopN/loop/backing_file"

DELETED = Code(
    code="LOOP_BACKING_DELETED",
    severities=(Severity.CRITICAL,),
    title="The file under an attached loop device was deleted",
    meaning="The loop device still works, on a file that no longer has a name. Its data exist only until the loop device is "
    "detached or the host restarts.",
    why="Everything written to this volume is lost without a trace at the next detach or restart. A file that was put in its "
    "place under the same name is another file and gets none of the writes.",
    thresholds="Any writable loop device whose backing file the kernel marks as deleted, and a read-only one that carries a "
    "volume or is exported. Other read-only loop devices are left alone: package systems (snapd) remove images that are still "
    "mounted, and nothing is lost with them.",
    see=("losetup --list    # BACK-FILE ends in (deleted)", "cat /sys/block/loopN/loop/backing_file"),
    remedy="Do not detach the loop device and do not restart the host. Stop what writes to the volume (detach it from its "
    "instance, or pause the instance), copy the whole device to a new file where there is room for it, and compare. Only then "
    "detach the loop device and give the copy its old name.",
    risk=Risk.DISRUPTIVE,
    source="Linux Documentation/ABI/testing/sysfs-block-loop; d_path() in fs/d_path.c appends the mark; unlink(2)",
    confirm=True,
    volume=VolumeState.BROKEN,
)
DUPLICATE = Code(
    code="LOOP_DUPLICATE_BACKING",
    severities=(Severity.CRITICAL,),
    title="One file is attached to two loop devices",
    meaning="Two loop devices show the same part of the same file, and at least one of them may write.",
    why="Each has its own cache, so each sees the other's writes late or never and overwrites them: file systems on it get "
    "corrupted. LVM finds one PV twice and may use either (LVM_DUPLICATE_PV).",
    thresholds="Two loop devices on the same inode whose ranges overlap, unless both are read-only. Ranges that do not overlap "
    "(partitions of one image) are fine.",
    see=("losetup --associated FILE", "losetup --list --output NAME,RO,OFFSET,SIZELIMIT,BACK-INO,BACK-MAJ:MIN,BACK-FILE"),
    remedy="Find out which of them is in use (lsblk shows what lies on it), stop the use of all others and detach those by "
    "name. Attach files with `losetup --find --show --nooverlap FILE`, which refuses to make a second one.",
    risk=Risk.DISRUPTIVE,
    source="losetup(8), --nooverlap; Linux drivers/block/loop.c keeps no record of files in use",
    confirm=True,
    volume=VolumeState.BROKEN,
)
SIZE_MISMATCH = Code(
    code="LOOP_SIZE_MISMATCH",
    severities=(Severity.WARNING,),
    title="A loop device and its file differ in size",
    meaning="The loop device's size was fixed when it was attached, and the file was made longer or shorter since.",
    why="A longer file: the additional space cannot be used. A shorter one: its end is gone, reads there fail or return zeros, "
    "and writes make the file longer again with a hole where data were.",
    thresholds="Any difference between the device's size and the file's length less the offset, cut to the size limit and to "
    "whole sectors of 512 bytes, as the kernel computes it.",
    see=("blockdev --getsize64 /dev/loopN; stat --format %s FILE; losetup --list --output NAME,OFFSET,SIZELIMIT,BACK-FILE",),
    remedy="A file that was made longer on purpose: let the device take the new size, then tell the layers above it (pvresize, "
    "lvextend). A file that was cut: give it its length back before more is written; what was cut off is lost and comes back "
    "as zeros.",
    risk=Risk.SAFE,
    source="losetup(8), --set-capacity; lo_calculate_size() in Linux drivers/block/loop.c",
    confirm=True,
    volume=VolumeState.DEGRADED,
)


def overlaps(one: LoopDevice, other: LoopDevice) -> bool:
    """Whether two loop devices on one file show a common part of it and at least one may write."""
    if one.read_only and other.read_only:
        return False
    return one.offset < other.offset + other.size and other.offset < one.offset + one.size


def _run(look: Look) -> Result:
    loops = need(look.inventory.loops)
    if not loops.devices:
        return not_applicable("no loop device is attached")
    chains = known(look.inventory.chains)
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    for loop in loops.devices:
        chain = chains.by_loop.get(loop.name) if chains else None
        if loop.deleted:
            if not loop.read_only or _matters(chain):
                findings.append(_deleted(loop, _subject(chains, loop)))
        elif isinstance(loop.backing, Unavailable):
            # A path of another mount namespace (an initramfs, a container) is absent here and still no deleted file.
            if loop.backing.reason is not Reason.ABSENT:
                unexamined.append(Unexamined(what=f"/dev/{loop.name}: {loop.backing.what}", reason=loop.backing.reason))
        elif loop.backing.kind is FileKind.FILE and (finding := _size(loop, loop.backing, _subject(chains, loop))) is not None:
            findings.append(finding)
    findings.extend(_duplicate(hit, chains, look) for hit in duplicates(loops.devices))
    return Result(examined=len(loops.devices) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


def _matters(chain: Chain | None) -> bool:
    return chain is not None and (chain.ours or bool(chain.exports))


def _subject(chains: Chains | None, loop: LoopDevice) -> Subject:
    return chains.subject_of_loop(loop) if chains else Subject(kind=SubjectKind.LOOP, id=loop.backing_file)


def _deleted(loop: LoopDevice, subject: Subject) -> Finding:
    replaced = isinstance(loop.backing, FileStat)
    rescued = f"{loop.backing_file}.rescued"
    return DELETED.found(
        subject,
        f"The file under /dev/{loop.name} was deleted; its {size_words(loop.size)} are lost when it is detached",
        evidence(
            loop=f"/dev/{loop.name}",
            backing_file=loop.backing_file,
            another_file_has_the_name=replaced,
            size=loop.size,
            read_only=loop.read_only,
            source=_SYSFS,
        ),
        # What an LV on the device writes passes by the device's own page cache: that must not be read.
        commands=(
            f"dd if=/dev/{loop.name} of={quote(rescued)} bs=4M iflag=direct conv=sparse,fsync",
            f"blockdev --flushbufs /dev/{loop.name} && cmp /dev/{loop.name} {quote(rescued)}",
        ),
    )


def _size(loop: LoopDevice, backing: FileStat, subject: Subject) -> Finding | None:
    expected = expected_size(backing.size, loop.offset, loop.sizelimit)
    if expected == loop.size:
        return None
    shorter = expected < loop.size
    if shorter:
        summary = f"The file under /dev/{loop.name} was cut: {size_words(loop.size - expected)} at the device's end are gone"
        length = loop.offset + loop.size
        commands: tuple[str, ...] = (f"truncate --no-create --size={length} {quote(loop.backing_file)}",)
    else:
        summary = f"The file under /dev/{loop.name} is {size_words(expected - loop.size)} longer than the device shows"
        commands = (f"losetup --set-capacity /dev/{loop.name}",)
    return SIZE_MISMATCH.found(
        subject,
        summary,
        evidence(
            loop=f"/dev/{loop.name}",
            backing_file=loop.backing_file,
            device_size=loop.size,
            expected_size=expected,
            file_size=backing.size,
            offset=loop.offset,
            sizelimit=loop.sizelimit,
            source="/sys/block/loopN/size, stat(2) of the backing file",
        ),
        commands=commands,
    )


def duplicates(devices: Iterable[LoopDevice]) -> list[tuple[LoopDevice, ...]]:
    """The groups of loop devices that show a common part of one file, a group a file. A deleted file's identity is not known:
    those are told by LOOP_BACKING_DELETED."""
    by_file: dict[tuple[str, int, int], list[LoopDevice]] = {}
    for loop in devices:
        backing = loop.backing
        if loop.deleted or isinstance(backing, Unavailable):
            continue
        if backing.kind is FileKind.FILE:
            by_file.setdefault(("inode", backing.device, backing.inode), []).append(loop)
        elif backing.rdevice is not None:
            # A disk may have several nodes: its own number is its identity.
            by_file.setdefault(("disk", *backing.rdevice), []).append(loop)
    hits = (
        tuple(one for one in group if any(one is not other and overlaps(one, other) for other in group))
        for group in by_file.values()
        if len(group) > 1
    )
    return [hit for hit in hits if hit]


def _duplicate(hit: tuple[LoopDevice, ...], chains: Chains | None, look: Look) -> Finding:
    first = next((loop for loop in hit if chains and _matters(chains.by_loop.get(loop.name))), hit[0])
    names = tuple(f"/dev/{loop.name}" for loop in hit)
    block, mounts = known(look.inventory.block) or (), known(look.inventory.mounts) or ()
    held = {loop.name: users(loop, block=block, mounts=mounts, chains=chains) for loop in hit}
    idle = tuple(name for name, by in held.items() if not by)
    # Where something uses one of them, the idle ones are to go; where nothing uses any, all but the first.
    spare = idle if len(idle) < len(hit) else idle[1:]
    if not all_could_be_seen(look.inventory):
        spare = ()
    return DUPLICATE.found(
        _subject(chains, first),
        f"{first.backing_file} is attached to {len(hit)} loop devices at once: {', '.join(names)}",
        evidence(
            backing_file=first.backing_file,
            loops=names,
            ranges=tuple(f"{loop.name}: {loop.offset}+{loop.size}{' read-only' if loop.read_only else ''}" for loop in hit),
            used_by=tuple(f"{name}: {', '.join(by) or 'nothing known'}" for name, by in held.items()),
            source=f"stat(2) of {_SYSFS}, /sys/block/*/slaves, mountinfo",
        ),
        commands=(
            f"lsblk --output NAME,TYPE,MOUNTPOINT {' '.join(names)}",
            *(f"losetup --detach /dev/{name}" for name in spare),
        ),
    )


CHECKS = (
    Check(
        name="loop-backing",
        title="Loop devices and their backing files",
        codes=(DELETED, DUPLICATE, SIZE_MISMATCH),
        needs=("loops", "chains", "block", "mounts", "tgt", "processes"),
        run=_run,
    ),
)
