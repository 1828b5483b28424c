"""Whether the volume store has room: now, for what its sparse files promise, and for the next snapshot."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, evidence
from sctune.model.units import size_words
from sctune.store_view import StoreFilesystem, filesystems, used_ratio, volume_files
from sctune.unavailable import Unavailable, need

if TYPE_CHECKING:
    from sctune.config.model import Level
    from sctune.host.base import FilesystemSpace

_NO_STORE = "this host has no volume store: none is configured, no cloud keeps one, no writable loop device has a file"

NEARLY_FULL = Code(
    code="STORE_NEARLY_FULL",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="The file system under the volumes is nearly full",
    meaning="Little space, or few inodes, are left on the file system that holds the volumes' backing files.",
    why="Volumes are sparse: a guest that writes to a new place needs a new block. When there is none the write fails, the "
    "loop device reports an I/O error, and the guest's file system goes read-only or loses data. All volumes of the store are "
    "hit at once.",
    thresholds="Used space as df(1) says it, or used inodes: warning from thresholds.store_used.warning (85 %), critical from "
    "thresholds.store_used.critical (95 %).",
    see=("df --output=target,size,used,avail,pcent,ipcent FOLDER", "ls -lS --block-size=M FOLDER"),
    remedy="Delete what the cloud no longer needs, through the cloud: old snapshots (each is a full copy) and volumes. A file "
    "of a snapshot that failed (vol-… with 8 more characters, without a running dd) is left over. Never remove a file that a "
    "loop device stands on: that frees nothing and loses the volume. Or make the file system larger.",
    risk=Risk.SAFE,
    source="df(1), statvfs(3); loop: Write error in Linux drivers/block/loop.c",
)
OVERCOMMITTED = Code(
    code="STORE_OVERCOMMITTED",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="The volumes may grow by more than the file system has left",
    meaning="The part of the sparse files that was never written, taken together, is larger than the space that is free.",
    why="If guests fill their volumes, which they have a right to, the store runs out of space while every single volume is "
    "within its size: STORE_NEARLY_FULL then comes too late to do anything but stop guests.",
    thresholds="Unwritten part of the files / space free for use: warning from thresholds.store_overcommit (1.0); critical "
    "where besides less than thresholds.store_overcommit_critical_free (10 %) of the file system is free. In a folder that is "
    "no store by configuration or cloud, only the files of attached writable loop devices count.",
    see=("du --apparent-size --block-size=1 FOLDER; du --block-size=1 FOLDER; df --block-size=1 --output=avail FOLDER",),
    remedy="Make the file system larger, or lower the cloud's limits to what the store can hold (Eucalyptus: "
    "<partition>.storage.maxtotalvolumesizeingb). Until then watch its free space.",
    risk=Risk.SAFE,
    source="stat(2), st_blocks; eucalyptus/eucalyptus OverlayManager.java (dd seek= makes sparse volumes unless zerofillvolumes)",
)
NO_HEADROOM = Code(
    code="STORE_NO_SNAPSHOT_HEADROOM",
    severities=(Severity.INFO, Severity.WARNING),
    title="A snapshot of the largest volume may not fit into the store",
    meaning="Less than one and a half times the largest volume is free.",
    why="A Eucalyptus snapshot is a full copy of the volume (N) in the same file system, and while it is made a COW store of "
    "up to N/2 grows beside it. If space runs out midway the copy is cut short, and the volumes of the store cannot write "
    "either.",
    thresholds="Free space below thresholds.snapshot_headroom (1.5) x the largest volume's size: info, or warning where the "
    "configuration lists STORE_NO_SNAPSHOT_HEADROOM under wanted. Only on stores with volumes of a cloud that snapshots into "
    "the store.",
    see=("df --block-size=1 --output=avail FOLDER; ls -lS FOLDER",),
    remedy="Make room before that volume is snapshotted: delete old snapshots through the cloud, or make the file system larger.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java, createSnapshot (COW file of size / 2; dd of the whole LV)",
    advice=True,
)


def _space(look: Look) -> Result:
    groups = filesystems(need(look.inventory.stores))
    if not groups:
        return not_applicable(_NO_STORE)
    level = look.config.thresholds.store_used
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    for group in groups:
        space = group.space
        if isinstance(space, Unavailable):
            unexamined.append(Unexamined.of(space))
        elif (finding := _nearly_full(group, space, level)) is not None:
            findings.append(finding)
    return Result(examined=len(groups) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


def _nearly_full(group: StoreFilesystem, space: FilesystemSpace, level: Level) -> Finding | None:
    used = used_ratio(space) or 0.0
    # btrfs and others make inodes as they go and say 0.
    inodes = (space.inodes - space.inodes_free) / space.inodes if space.inodes > 0 else 0.0
    worst = max(used, inodes)
    if worst < level.warning:
        return None
    if used >= inodes:
        summary = f"{group.name} is {used:.0%} full: {size_words(space.available)} of {size_words(space.total)} are left"
    else:
        summary = f"{group.name} has used {inodes:.0%} of its inodes: {space.inodes_free} of {space.inodes} are left"
    folders = " ".join(quote(path) for path in group.paths)
    return NEARLY_FULL.found(
        group.subject,
        summary,
        evidence(
            used=round(used, 4),
            inodes_used=round(inodes, 4),
            available=space.available,
            total=space.total,
            inodes_free=space.inodes_free,
            folders=group.paths,
            source="statvfs(3)",
        ),
        severity=Severity.CRITICAL if worst >= level.critical else Severity.WARNING,
        commands=(f"df --output=target,size,used,avail,pcent,ipcent {folders}", f"ls -lS --block-size=M {folders}"),
    )


def _overcommit(look: Look) -> Result:
    groups = filesystems(need(look.inventory.stores))
    if not groups:
        return not_applicable(_NO_STORE)
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    examined = 0
    for group in groups:
        unread = [store.files for store in group.stores if isinstance(store.files, Unavailable)]
        unexamined.extend(Unexamined.of(answer) for answer in unread)
        space = group.space
        if isinstance(space, Unavailable) or len(unread) == len(group.stores):
            if isinstance(space, Unavailable) and not unread:
                unexamined.append(Unexamined.of(space))
            continue
        examined += 1
        finding = _overcommitted(group, space, look)
        if finding is not None:
            findings.append(finding)
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _overcommitted(group: StoreFilesystem, space: FilesystemSpace, look: Look) -> Finding | None:
    thresholds = look.config.thresholds
    files = volume_files(group, look.inventory.loops)
    sparse = [file for file in files if file.apparent > file.allocated]
    unwritten = sum(file.apparent - file.allocated for file in sparse)
    # Without any sparse file nothing can grow, however full it is.
    if not unwritten or unwritten < thresholds.store_overcommit * space.available:
        return None
    ratio = unwritten / space.available if space.available > 0 else None
    free = space.available / space.total if space.total > 0 else 0.0
    return OVERCOMMITTED.found(
        group.subject,
        f"Volumes on {group.name} may still grow by {size_words(unwritten)}, and {size_words(space.available)} are free",
        evidence(
            unwritten=unwritten,
            available=space.available,
            ratio=None if ratio is None else round(ratio, 4),
            free_ratio=round(free, 4),
            sparse_files=len(sparse),
            folders=group.paths,
            not_looked_at=sum(store.unlooked for store in group.stores),
            source="stat(2) of the files, statvfs(3)",
        ),
        severity=Severity.CRITICAL if free < thresholds.store_overcommit_critical_free else Severity.WARNING,
        commands=tuple(
            f"du --apparent-size --summarize --block-size=M {path}; du --summarize --block-size=M {path}"
            for path in map(quote, group.paths)
        ),
    )


def _headroom(look: Look) -> Result:
    groups = filesystems(need(look.inventory.stores))
    chains = need(look.inventory.chains)
    if not any(chain.ours for chain in chains.chains):
        return not_applicable("no cloud's volume is on this host")
    volumes = {(c.file.device, c.file.inode): c for c in chains.chains if c.ours and c.file is not None}
    severity = Severity.WARNING if NO_HEADROOM.code in look.config.wanted else Severity.INFO
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    examined = 0
    for group in groups:
        files = [file for store in group.stores if not isinstance(store.files, Unavailable) for file in store.files]
        here = [chain for file in files if (chain := volumes.get((file.device, file.inode))) is not None]
        unexamined.extend(Unexamined.of(store.files) for store in group.stores if isinstance(store.files, Unavailable))
        if not here:
            continue
        space = group.space
        if isinstance(space, Unavailable):
            unexamined.append(Unexamined.of(space))
            continue
        examined += 1
        size, largest = max((c.lv.size if c.lv is not None else c.file.apparent if c.file else 0, c.id) for c in here)
        wanted = int(look.config.thresholds.snapshot_headroom * size)
        if space.available < wanted:
            findings.append(
                NO_HEADROOM.found(
                    group.subject,
                    f"{size_words(space.available)} are free on {group.name}; snapshotting {largest} may need {size_words(wanted)}",
                    evidence(
                        available=space.available,
                        needed=wanted,
                        largest_volume=largest,
                        volume_size=size,
                        source="statvfs(3); the volumes' LVs and files",
                    ),
                    severity=severity,
                    commands=tuple(f"ls -lS --block-size=M {quote(path)}" for path in group.paths),
                )
            )
    if not examined and not unexamined:
        return not_applicable("no store holds a cloud's volumes")
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


CHECKS = (
    Check(
        name="store-space",
        title="Free space and inodes of the volume store",
        codes=(NEARLY_FULL,),
        needs=("stores",),
        run=_space,
    ),
    Check(
        name="store-overcommit",
        title="What sparse volumes may still grow by",
        codes=(OVERCOMMITTED,),
        needs=("stores", "loops"),
        run=_overcommit,
    ),
    Check(
        name="store-headroom",
        title="Room for the next snapshot",
        codes=(NO_HEADROOM,),
        needs=("stores", "chains"),
        run=_headroom,
    ),
)
