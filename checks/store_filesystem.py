"""Whether the file system under the volume store is there, answers, can be written, and keeps what it says it wrote."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.store import StoreOrigin
from sctune.model.volume import VolumeState
from sctune.store_view import StoreFilesystem, carries_volumes, filesystems
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.model.store import Mount, VolumeStore

_NO_STORE = "this host has no volume store: none is configured, no cloud keeps one, no writable loop device has a file"
_USUAL = frozenset({"ext4", "ext3", "xfs"})
_NO_BARRIER = frozenset({"nobarrier", "barrier=0", "barrier=none", "nointegrity"})
_NO_WRITES = frozenset({"ro", "emergency_ro", "shutdown"})

UNREACHABLE = Code(
    code="STORE_UNREACHABLE",
    severities=(Severity.CRITICAL,),
    title="The volume store does not answer",
    meaning="A look at the folder of the backing files got no answer within its deadline, or an error.",
    why="What hangs sctune's look hangs everything that touches the store: every volume's I/O, LVM commands, and the storage "
    "controller.",
    thresholds="No answer to stat, readdir or statfs within 2 s or so, or an I/O error. A folder that may not be read is "
    "unknown, not this.",
    see=("findmnt --target FOLDER", "timeout 5 stat --file-system FOLDER; dmesg --ctime | tail -50"),
    remedy="On a network file system, bring its server or the network back: the mount continues by itself. On a local one, "
    "look at the disk (dmesg, smartctl, multipath -ll). Do not unmount by force while loop devices stand on it.",
    risk=Risk.SAFE,
    source="statfs(2), nfs(5) (hard mounts wait for ever)",
    volume=VolumeState.BROKEN,
)
READ_ONLY = Code(
    code="STORE_READ_ONLY",
    severities=(Severity.CRITICAL,),
    title="The file system under the volumes is read-only",
    meaning="The volume store is mounted read-only, or the kernel made it so after an error.",
    why="Every write of every guest fails; no volume or snapshot can be made. After an error the file system may be damaged.",
    thresholds="`ro` among the options of the mount or of the file system, or ext4's `emergency_ro` and `shutdown`.",
    see=("findmnt --target FOLDER --output TARGET,SOURCE,FSTYPE,OPTIONS", "dmesg --ctime | grep -i -e remount -e 'error (device'"),
    remedy="Find out why in the kernel log. If the kernel did it after an error, stop the volumes on it, unmount, check (fsck) "
    "and mount it again; a mere `mount -o remount,rw` on a damaged file system makes things worse.",
    risk=Risk.DISRUPTIVE,
    source="proc(5), mountinfo; mount(8); ext4(5), errors=remount-ro",
    volume=VolumeState.BROKEN,
)
ERRORS = Code(
    code="STORE_FILESYSTEM_ERRORS",
    severities=(Severity.CRITICAL,),
    title="The file system under the volumes has met errors",
    meaning="ext4 has found its own data wrong, or could not read or write them, since the file system was last checked.",
    why="What is damaged gets worse with every write. With errors=remount-ro the kernel has stopped all writing: every guest's "
    "write fails. Kernels of 2024 and later, Debian's 6.1 among them, do not show that among the mount's options, nor does "
    "findmnt.",
    thresholds="errors_count above 0. The superblock keeps it over restarts until fsck has repaired the file system.",
    see=("grep . /sys/fs/ext4/*/errors_count", "tune2fs -l DEVICE | grep -i error", "dmesg --ctime | grep 'EXT4-fs error'"),
    remedy="Look at the disk below (dmesg, smartctl) and bring the volumes' data to safety. Then stop what uses the store, "
    "unmount it, and let e2fsck -f repair it, which sets the count to 0.",
    risk=Risk.DISRUPTIVE,
    source="ext4(5), errors=; Linux fs/ext4/super.c (ext4_handle_error), commit d3476f3dad4a; tried",
    volume=VolumeState.DEGRADED,
)
BARRIERS_OFF = Code(
    code="STORE_BARRIERS_OFF",
    severities=(Severity.CRITICAL,),
    title="The file system under the volumes does not flush the disk's cache",
    meaning="Write barriers are switched off: the file system tells its users that data are safe while they are in the disk's "
    "volatile cache.",
    why="A power cut or a reset loses what guests believe they have written, and can destroy the store's own file system with "
    "all volumes.",
    thresholds="`nobarrier` or `barrier=0` among the mount options, or `nobarrier` in /proc/fs/ext4/DEV/options: only the "
    "latter tells what `tune2fs -o nobarrier` put into the superblock.",
    see=(
        "findmnt --target FOLDER --output TARGET,OPTIONS",
        "grep barrier /proc/fs/ext4/*/options",
        "tune2fs -l DEVICE | grep 'mount options'",
    ),
    remedy="Switch barriers on; it works on the mounted file system. Keep it by removing the option from /etc/fstab, or with "
    "tune2fs -o ^nobarrier. Leave it only where every layer below has a cache that survives a power cut, and tell sctune so by "
    "a mute.",
    risk=Risk.SAFE,
    source="ext4(5), Linux Documentation/admin-guide/ext4.rst, Documentation/block/writeback_cache_control.rst",
)
NETWORK = Code(
    code="STORE_NETWORK_FILESYSTEM",
    severities=(Severity.WARNING,),
    title="The volumes lie on a network file system",
    meaning="Loop devices stand on files that a server on the network keeps.",
    why="When the server or the network fails every volume hangs, and so do LVM commands, which read all loop devices. Flushes "
    "cross the network. Under memory pressure writing back needs memory for the network, and the host can deadlock. If two "
    "hosts attach one file, nobody stops them.",
    thresholds="The store's file system is nfs, cifs, ceph, 9p, glusterfs, sshfs, lustre, afs, ocfs2 or gfs2.",
    see=("findmnt --target FOLDER",),
    remedy="Move the store to a local disk or to a block device (iSCSI, Fibre Channel): stop the storage controller, copy with "
    "cp --sparse=always, mount the new place over the old.",
    risk=Risk.DISRUPTIVE,
    source="Eucalyptus documentation on the overlay storage manager (no shared file system); nfs(5); Linux drivers/block/loop.c",
)
UNUSUAL = Code(
    code="STORE_FILESYSTEM_UNUSUAL",
    severities=(Severity.INFO,),
    title="The volumes lie on a file system that is rarely used for them",
    meaning="The store is neither ext4, ext3 nor xfs.",
    why="Copy-on-write file systems (btrfs, zfs) scatter files that are written in place and may run out of space on a "
    "rewrite; a tmpfs loses all volumes at a restart; an overlay copies a whole file at its first write.",
    thresholds="Any local file system but ext4, ext3 and xfs, under a folder that is configured, a cloud's, or carries volumes.",
    see=("findmnt --target FOLDER",),
    remedy="Nothing, if it is meant. On btrfs, switch copy-on-write off for the folder before files are made in it (chattr +C).",
    risk=Risk.SAFE,
    source="Eucalyptus documentation on the overlay storage manager (ext4; ext3 and xfs work); btrfs(5), nodatacow",
)
NOT_MOUNTED = Code(
    code="STORE_NOT_MOUNTED",
    severities=(Severity.WARNING,),
    title="The file system that should hold the volumes is not mounted",
    meaning="A mount that /etc/fstab declares at or above the volume store is missing, or the configured folder does not exist.",
    why="The cloud writes volumes into the empty folder under the mount point, on the root file system, and finds none of the "
    "old ones. Once the mount is back, what was written meanwhile is hidden.",
    thresholds="A mount point in /etc/fstab (not `noauto`) at or above a store that is not in the mount table, or a configured "
    "store that does not exist.",
    see=("findmnt --fstab; findmnt --target FOLDER", "findmnt --verify"),
    remedy="Find out why it did not come up, and stop what uses the folder before mounting over it: files written meanwhile "
    "have to be moved first.",
    risk=Risk.DISRUPTIVE,
    source="fstab(5), findmnt(8)",
)


def _reachable(look: Look) -> Result:
    groups = filesystems(need(look.inventory.stores))
    if not groups:
        return not_applicable(_NO_STORE)
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    for group in groups:
        answers = [answer for store in group.stores for answer in (store.files, store.space) if isinstance(answer, Unavailable)]
        failure = next((answer for answer in answers if answer.reason in (Reason.TIMEOUT, Reason.FAILED)), None)
        if failure is not None:
            findings.append(_unreachable(group, failure))
        else:
            unexamined.extend(Unexamined.of(answer) for answer in answers[:1] if answer.reason is not Reason.ABSENT)
    return Result(examined=len(groups) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


def _unreachable(group: StoreFilesystem, failure: Unavailable) -> Finding:
    hangs = failure.reason is Reason.TIMEOUT
    mount = group.mount
    return UNREACHABLE.found(
        group.subject,
        f"A look at {failure.what} {'got no answer' if hangs else f'failed: {failure.detail}'}",
        evidence(
            folders=group.paths,
            reason=failure.reason.value,
            detail=failure.detail,
            filesystem=mount.filesystem if mount else None,
            mounted_from=mount.source if mount else None,
            stuck_pids=tuple(map(str, failure.pids)),
            source="stat(2), readdir(3), statvfs(3) in a child process",
        ),
        commands=(f"findmnt --target {quote(group.name)}", "dmesg --ctime | tail -50"),
    )


def _filesystem(look: Look) -> Result:
    stores = need(look.inventory.stores)
    if not stores:
        return not_applicable(_NO_STORE)
    mounts = look.inventory.mounts
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    groups = filesystems(stores)
    for group in groups:
        mount = group.mount
        if mount is None:
            missing = mounts if isinstance(mounts, Unavailable) else None
            reason = missing.reason if missing else Reason.FAILED
            unexamined.append(Unexamined(what=f"the mount of {group.name}", reason=reason, detail=missing.what if missing else ""))
        else:
            findings.extend(_of_mount(group, mount, look))
    if not isinstance(mounts, Unavailable):
        findings.extend(_not_mounted(stores, mounts))
    return Result(examined=len(groups) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


def _of_mount(group: StoreFilesystem, mount: Mount, look: Look) -> Iterable[Finding]:
    point = quote(mount.point)
    facts = evidence(
        mount_point=mount.point,
        filesystem=mount.filesystem,
        mounted_from=mount.source,
        options=mount.options,
        folders=group.paths,
        source="/proc/self/mountinfo",
    )
    folders = ", ".join(group.paths)
    see = f"findmnt --mountpoint {point} --output TARGET,SOURCE,FSTYPE,OPTIONS"
    refused = [option for option in mount.options if option in _NO_WRITES]
    if refused:
        yield READ_ONLY.found(
            group.subject, f"{mount.point} is read-only ({refused[0]})", facts, commands=(see, "dmesg --ctime | grep -i remount")
        )
    errors = group.stores[0].errors
    if errors:
        stops = "errors=remount-ro" in mount.options
        yield ERRORS.found(
            group.subject,
            f"{mount.point} has met {errors} error{'s' if errors != 1 else ''}"
            + (", after which the kernel lets nothing be written" if stops else ""),
            evidence(
                mount_point=mount.point,
                mounted_from=mount.source,
                errors=errors,
                options=mount.options,
                source="/sys/fs/ext4/DEV/errors_count",
            ),
            commands=("dmesg --ctime | grep 'EXT4-fs error'", f"tune2fs -l {quote(mount.source)} | grep -i error"),
        )
    driver = group.stores[0].driver_options
    off = next((option for option in (*mount.options, *driver) if option in _NO_BARRIER), None)
    if off is not None:
        where = "/proc/self/mountinfo" if off in mount.options else "/proc/fs/ext4/DEV/options (set in the superblock)"
        yield BARRIERS_OFF.found(
            group.subject,
            f"{mount.point} is mounted without write barriers ({off})",
            evidence(mount_point=mount.point, filesystem=mount.filesystem, option=off, folders=group.paths, source=where),
            commands=(see, f"mount --options remount,barrier {point}"),
        )
    if mount.network:
        yield NETWORK.found(
            group.subject,
            f"The volumes in {folders} lie on {mount.filesystem} ({mount.source})",
            facts,
            commands=(see,),
        )
    elif mount.filesystem not in _USUAL and any(carries_volumes(store, known(look.inventory.chains)) for store in group.stores):
        yield UNUSUAL.found(group.subject, f"The volumes in {folders} lie on {mount.filesystem}", facts, commands=(see,))


def _not_mounted(stores: Iterable[VolumeStore], mounts: Iterable[Mount]) -> Iterable[Finding]:
    points = {mount.point for mount in mounts}
    told: set[str] = set()
    for store in stores:
        declared = store.declared_mount
        missing_folder = store.origin is StoreOrigin.CONFIGURED and _absent(store.files)
        if declared is not None and declared not in points:
            name, summary = declared, f"{declared} is in /etc/fstab and not mounted; {store.path} would lie on it"
            commands: tuple[str, ...] = (f"ls -la {quote(declared)}", f"mount {quote(declared)}")
        elif missing_folder:
            name, summary = store.path, f"The configured volume store {store.path} does not exist or is no folder"
            commands = (f"findmnt --target {quote(store.path)}", "findmnt --fstab")
        else:
            continue
        if name not in told:
            told.add(name)
            yield NOT_MOUNTED.found(
                Subject(kind=SubjectKind.FILESYSTEM, id=name),
                summary,
                evidence(folder=store.path, declared_mount=declared, source="/etc/fstab, /proc/self/mountinfo"),
                commands=commands,
            )


def _absent(answer: object) -> bool:
    return isinstance(answer, Unavailable) and answer.reason is Reason.ABSENT


CHECKS = (
    Check(
        name="store-reachable",
        title="Whether the volume store answers",
        codes=(UNREACHABLE,),
        needs=("stores",),
        run=_reachable,
    ),
    Check(
        name="store-filesystem",
        title="The file system under the volume store",
        codes=(READ_ONLY, ERRORS, BARRIERS_OFF, NETWORK, UNUSUAL, NOT_MOUNTED),
        needs=("stores", "mounts", "chains"),
        run=_filesystem,
    ),
)
