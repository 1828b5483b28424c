"""The files of a cloud's snapshots: those being copied, those that were cut short, and the COW stores nobody took away."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.cloud_files import CloudFile, backends_of, cloud_files, in_the_making, loops_by_file, written_by_copy
from sctune.findings import Cause, Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.lvm_view import subject_of
from sctune.model.units import duration_words, size_words
from sctune.model.volume import VolumeState
from sctune.quota import logical_size
from sctune.records import dataclass
from sctune.snapshot_use import leftovers, passing
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.inventory import Inventory
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import LogicalVolume, LvmReport
    from sctune.model.process import Copy

_LEFTOVER = "LVM_SNAPSHOT_LEFTOVER"

TRUNCATED = Code(
    code="SNAPSHOT_TRUNCATED",
    severities=(Severity.CRITICAL,),
    title="The file of a snapshot is not complete, and nothing is copying it",
    meaning="A finished snapshot of a volume of N GiB is a file of exactly N GiB. This one is shorter, or not a whole number of "
    "GiB, and no dd, gunzip or tar writes it.",
    why="The storage controller does not look at how its dd ended: a snapshot whose copy broke off (full file system, overflowed "
    "COW snapshot, killed) is called available all the same, and whoever restores it gets half a disk.",
    thresholds="Length 0 or no multiple of 1 GiB, or less than the volume's size where the snapshot's LV is still there to tell "
    "it. One that was cut at exactly a whole GiB cannot be told from a finished one. Only files named as a snapshot's on a "
    "Eucalyptus host, and only when nothing has been written to it for thresholds.file_settled_seconds (10 min): a snapshot that "
    "is being fetched from object storage is written by the storage controller itself.",
    see=(
        "stat --format '%s %y %n' FOLDER/snap-*",
        "pgrep -a dd",
        "grep -i 'no space\\|SNAP-ID' /var/log/eucalyptus/cloud-error.log",
    ),
    remedy="Delete the snapshot through the cloud and take it again. Do not use volumes that were made from it since. Find out "
    "what stopped the copy first: STORE_NEARLY_FULL, LVM_SNAPSHOT_INVALID, the kernel log.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus SystemUtil.java (run: a failure is logged and forgotten), OverlayManager.java, createSnapshot "
    "(dd bs=1M of the whole LV)",
    confirm=True,
)
COW_ORPHANED = Code(
    code="SNAPSHOT_COW_ORPHANED",
    severities=(Severity.WARNING,),
    title="The file of a COW store was left behind",
    meaning="While a volume is snapshotted, a file of half its size holds what the guest overwrites meanwhile (vol-ID and 8 more "
    "characters). This one is needed by no copy any more.",
    why="The storage controller removes it as the last step and forgets it when a step before fails: it keeps the space it has "
    "taken for ever, and often a loop device with it.",
    thresholds="No loop device stands on it, or one on which no LV lies, and nothing has been written to it for "
    "thresholds.file_settled_seconds (10 min). Or a snapshot still uses it that itself is left over: then LVM_SNAPSHOT_LEFTOVER is "
    "the cause, and its remedy takes this file away too. A file of this name that is not half as long as its volume (where that is "
    "gone: no multiple of 512 MiB) is not what the cloud makes, and may be somebody's copy of the volume: it is named, and no "
    "command is given that would remove it.",
    see=("ls -ls FOLDER/vol-*", "losetup --associated FILE; pvs --options pv_name,vg_name,pv_missing"),
    remedy="Make sure that the cloud has no pending snapshot of the volume, then remove the file. If the volume's VG says that "
    "a PV is missing, that was on this file: once it is removed, `vgreduce --removemissing --force VG` takes the lost snapshot out "
    "of the VG and leaves the volume alone. Of a file that the evidence calls doubtful, find out first whose it is.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java, createSnapshot (lvremove, vgreduce, pvremove, losetup -d, delete)",
    confirm=True,
    volume=VolumeState.DEGRADED,
)
IN_PROGRESS = Code(
    code="SNAPSHOT_IN_PROGRESS",
    severities=(Severity.INFO,),
    title="A snapshot is being copied",
    meaning="A dd, gunzip or tar writes the file of a snapshot, or something else has just been writing it.",
    why="Until it ends the volume can be neither attached nor detached (the storage controller waits for the copy), every first "
    "write to a chunk of it costs a read and two writes, and the file is no backup yet.",
    thresholds="A running copy to a file named as a snapshot's; or such a file that is not complete and was written within "
    "thresholds.file_settled_seconds (10 min).",
    see=("pgrep -a dd", "ls -l FOLDER/snap-*", "kill -USR1 PID    # dd says how far it is, on its own standard error"),
    remedy="Nothing: wait for it.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java and DASManager.java, createSnapshot; dd(1)",
    volume=VolumeState.COPYING,
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    backends = backends_of(inventory)
    if not backends:
        return not_applicable("no cloud keeps snapshots on this host")
    need(inventory.stores)
    found = cloud_files(inventory, backends)
    snapshots = found.of(FileRole.SNAPSHOT)
    stores = found.of(FileRole.COW_STORE)
    processes = need(inventory.processes)
    names = written_by_copy(processes.copies)
    copies = {
        name: copy for name, copy in names.items() if any(backend.file_name(name).role is FileRole.SNAPSHOT for backend in backends)
    }
    if not (snapshots or stores or copies or found.unread):
        return not_applicable("no file of a snapshot is on this host")
    by_name = {one.file.name: one for one in snapshots}
    findings = [_running(name, copy, by_name.get(name), inventory) for name, copy in copies.items()]
    origins = _sizes_of_origins(inventory)
    for one in snapshots:
        if one.file.name not in copies:
            findings.extend(_at_rest(one, origins, inventory))
    orphaned, unexamined = _orphans(stores, inventory, copied=names)
    findings.extend(orphaned)
    return Result(
        examined=len(snapshots) + len(stores) - len(unexamined) + sum(name not in by_name for name in copies),
        findings=tuple(findings),
        unexamined=(*(Unexamined.of(answer) for answer in found.unread), *unexamined),
    )


def _running(name: str, copy: Copy, one: CloudFile | None, inventory: Inventory) -> Finding:
    chains = known(inventory.chains)
    chain = next((chain for chain in (chains.chains if chains else ()) if copy in chain.copies), None)
    # The LV of a COW snapshot has its store's size: how much is to be copied, its origin tells.
    total = (chain.lv.size if chain.lv is not None else logical_size(chain)) if chain is not None else None
    done = one.file.apparent if one is not None else 0
    ratio = min(1.0, done / total) if total else None
    running = max(0.0, inventory.clock.boot - copy.process.started)
    left = running * (1 / ratio - 1) if ratio and running > 1 else None
    of_volume = f" of {chain.id}" if chain is not None else ""
    told = f"{ratio:.0%} done" if ratio is not None else f"{size_words(done)} done"
    return IN_PROGRESS.found(
        Subject(kind=SubjectKind.SNAPSHOT, id=name),
        f"The snapshot {name}{of_volume} is being copied: {told}" + (f", {duration_words(left)} left" if left else ""),
        evidence(
            done_ratio=None if ratio is None else round(ratio, 4),
            done=done,
            total=total,
            running_for_seconds=round(running, 1),
            pid=copy.process.pid,
            reads=copy.source,
            writes=copy.destination,
            source="the process table, stat(2) of the file, LVM's report",
        ),
        commands=(f"ls -l {quote(copy.destination)}",),
    )


def _sizes_of_origins(inventory: Inventory) -> Mapping[str, int]:
    """Snapshot: the size of the volume it is of, where its LV is still there to tell."""
    chains = known(inventory.chains)
    return {
        link.subject.id: chain.lv.size
        for chain in (chains.chains if chains else ())
        if chain.lv is not None
        for link in chain.snapshots
        if link.subject.kind is SubjectKind.SNAPSHOT
    }


def _at_rest(one: CloudFile, origins: Mapping[str, int], inventory: Inventory) -> Iterable[Finding]:
    file, sizes, wanted = one.file, one.backend.file_sizes, origins.get(one.id)
    whole = sizes is None or sizes.fits_snapshot(file.apparent)
    if whole and (wanted is None or file.apparent >= wanted):
        return
    age = inventory.clock.now - file.mtime
    subject = Subject(kind=SubjectKind.SNAPSHOT, id=one.id)
    facts = evidence(
        file=file.path,
        size=file.apparent,
        volume_size=wanted,
        last_written_seconds_ago=round(age),
        source="stat(2), the process table",
    )
    path = quote(file.path)
    if in_the_making(file, inventory):
        ago = duration_words(max(0.0, age))
        said = f"{size_words(file.apparent)} of it are there, the last written {ago} ago, by no copy that is seen"
        yield IN_PROGRESS.found(subject, f"The snapshot {one.id} is not complete yet: {said}", facts, commands=(f"ls -l {path}",))
        return
    of = f" of {size_words(wanted)}" if wanted else ", no whole number of GiB"
    yield TRUNCATED.found(
        subject,
        f"The snapshot {one.id} has {size_words(file.apparent)}{of}, and nothing is copying it",
        facts,
        commands=(f"stat --format '%s %y %n' {path}", "pgrep -a dd", "dmesg --ctime | grep -i -e snapshot -e 'no space'"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """The file of a COW store that no copy needs, the loop device on it, and the snapshot that still uses it, if any. `doubtful`: a
    cloud's has another length."""

    one: CloudFile
    loop: LoopDevice | None
    snapshot: LogicalVolume | None
    doubtful: bool


def _orphans(
    stores: Iterable[CloudFile], inventory: Inventory, *, copied: Mapping[str, Copy]
) -> tuple[list[Finding], list[Unexamined]]:
    """A finding for each volume that COW stores were left of, and those of which nobody could tell."""
    left: dict[str, list[_Left]] = {}
    unexamined = []
    state, report = inventory.loops, inventory.lvm
    attached = {} if isinstance(state, Unavailable) else loops_by_file(state.devices)
    used = set() if isinstance(report, Unavailable) else _carrying(report)
    outlived, volumes = _outlived(inventory), _sizes_of_volumes(inventory)
    for one in stores:
        file = one.file
        loop = attached.get((file.device, file.inode))
        snapshot = outlived.get(loop.device) if loop is not None else None
        # A guest's writes go through the loop device and say nothing of the copy.
        settled = snapshot is not None or not in_the_making(file, inventory)
        if file.name in copied or not settled or (snapshot is None and loop is not None and loop.device in used):
            continue
        # Without a loop device under it no LV can lie on it.
        blind = _missing(state) or (_missing(report) if loop is not None else None)
        if blind is not None:
            unexamined.append(Unexamined(what=f"COW store {file.path}", reason=blind.reason, detail=blind.what))
            continue
        sizes = one.backend.file_sizes
        fits = sizes is None or sizes.fits_cow_store(file.apparent, volumes.get(one.id))
        left.setdefault(one.id, []).append(_Left(one=one, loop=loop, snapshot=snapshot, doubtful=not fits and snapshot is None))
    return [_orphan(volume, files, inventory) for volume, files in left.items()], unexamined


def _outlived(inventory: Inventory) -> Mapping[tuple[int, int], LogicalVolume]:
    """Devices that snapshots lie on which outlived their copy, and these snapshots."""
    report, chains, processes = known(inventory.lvm), known(inventory.chains), known(inventory.processes)
    if report is None or chains is None or processes is None:
        return {}
    found = {uuid: one.lv for one in leftovers(passing(report, chains), inventory, processes) for uuid in one.lv.pv_uuids}
    return {pv.device: found[pv.uuid] for pv in report.physical_volumes if pv.uuid in found and pv.device is not None}


def _sizes_of_volumes(inventory: Inventory) -> Mapping[str, int]:
    """How large the volumes are that are still there; those whose own file was cut tell nothing."""
    chains = known(inventory.chains)
    found = {}
    for chain in chains.chains if chains else ():
        sizes, file = chain.backend.file_sizes, chain.file
        if chain.ours and file is not None and sizes is not None and sizes.fits_volume(file.apparent):
            found[chain.id] = file.apparent - (sizes.volume_extra or 0)
    return found


def _missing(part: object) -> Unavailable | None:
    """Why an answer is missing; None where it is there, or where the host has no such thing."""
    return part if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT else None


def _carrying(report: LvmReport) -> set[tuple[int, int]]:
    """The devices that LVs lie on."""
    lying = {uuid for lv in (*report.logical_volumes, *report.internal) for uuid in lv.pv_uuids}
    return {pv.device for pv in report.physical_volumes if pv.uuid in lying and pv.device is not None}


def _orphan(volume: str, files: list[_Left], inventory: Inventory) -> Finding:
    report = known(inventory.lvm)
    taken = sum(left.one.file.allocated for left in files)
    several, doubtful = len(files) > 1, [left for left in files if left.doubtful]
    used = next((left.snapshot for left in files if left.snapshot is not None), None)
    if len(doubtful) == len(files):
        lengths = ", ".join(size_words(left.one.file.apparent) for left in doubtful)
        said = f"{files[0].one.file.name} is named as a COW store of {volume} and has the length of none: {lengths}"
    elif several:
        said = f"{len(files)} files of COW stores of {volume} are left and use {size_words(taken)}"
    else:
        said = f"The file of a COW store of {volume} is left and uses {size_words(taken)}"
    return COW_ORPHANED.found(
        Subject(kind=SubjectKind.VOLUME, id=volume),
        said,
        evidence(
            files=tuple(left.one.file.path for left in files),
            allocated=taken,
            size=sum(left.one.file.apparent for left in files),
            loops=tuple(f"/dev/{left.loop.name}" for left in files if left.loop is not None),
            snapshots=tuple(left.snapshot.full_name for left in files if left.snapshot is not None),
            doubtful=tuple(left.one.file.path for left in doubtful),
            source="stat(2), /sys/block/loopN/loop/backing_file, LVM's report",
        ),
        commands=tuple(command for left in files if left.snapshot is None for command in _removal(left, report)),
        caused_by=Cause(code=_LEFTOVER, subject=subject_of(inventory, used))
        if used is not None and all(left.snapshot is not None for left in files)
        else None,
    )


def _removal(left: _Left, report: LvmReport | None) -> Iterable[str]:
    """The commands that take one file away with what stands on it; of a doubtful one, those that show what it is."""
    path = quote(left.one.file.path)
    if left.doubtful:
        yield f"stat --format '%s %y %U %n' {path}"
        return
    if left.loop is not None:
        node, device = f"/dev/{left.loop.name}", left.loop.device
        pv = next((pv for pv in (report.physical_volumes if report else ()) if pv.device == device), None)
        if pv is not None:
            if pv.vg:
                yield f"vgreduce {quote(pv.vg)} {node}"
            yield f"pvremove {node}"
        yield f"losetup --detach {node}"
    yield f"rm {path}"


CHECKS = (
    Check(
        name="snapshot-files",
        title="Files of snapshots and of their COW stores",
        codes=(TRUNCATED, COW_ORPHANED, IN_PROGRESS),
        needs=("stores", "loops", "chains", "lvm", "dm", "cloud", "processes"),
        run=_run,
    ),
)
