"""The volume store: the folders that hold backing files, and what the file system under each has left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.host.base import FileKind, FileStat
from sctune.model.store import StoreFile, StoreOrigin, VolumeStore
from sctune.paths import normalise
from sctune.probes.mounts import find_mount, unescape
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sctune.host.base import FileEntry, FilesystemSpace, Host
    from sctune.model.cloud import Cloud
    from sctune.model.loop import LoopState
    from sctune.model.store import Mount

_MOST_STEPS = 200  # of a path with links in it: the kernel gives up after 40 links


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """A folder that may be a store. `real` is a path of it without symbolic links where a loop device told one."""

    path: str
    origin: StoreOrigin
    stat: FileStat | Unavailable
    real: str


def probe(
    host: Host,
    *,
    configured: Sequence[str],
    cloud: Cloud | Unavailable,
    loops: LoopState | Unavailable,
    mounts: tuple[Mount, ...] | Unavailable,
) -> tuple[VolumeStore, ...] | Unavailable:
    """All volume stores: configured folders, the cloud's own where it exists, and those of writable loop devices' files.

    A folder that is there twice, by another name or a bind mount, is one store. A folder whose look hangs is a store too,
    without files. Nothing is asked twice of a folder that did not answer: each question would cost a deadline.
    """
    wanted = candidates(configured, cloud, loops)
    if not wanted:
        # Loop devices that could not be read, or whose files are not told, may have a store; a host without any has none.
        unseen = loops if isinstance(loops, Unavailable) else _unnamed(loops)
        return unseen if unseen is not None and unseen.reason is not Reason.ABSENT else ()
    table = known(mounts) or ()
    declared = _declared(host)
    return tuple(_look(host, folder, table, declared) for folder in _distinct(host, wanted, _hung_folders(loops)))


def candidates(
    configured: Sequence[str], cloud: Cloud | Unavailable, loops: LoopState | Unavailable
) -> tuple[tuple[str, StoreOrigin], ...]:
    """The folders to look at, each once, with the first reason for it. Read-only loop devices (snapd's squashfs images) make
    no store, nor do those whose backing file is a block device, nor those the kernel names no path for."""
    found: dict[str, StoreOrigin] = {}
    for path in configured:
        found.setdefault(normalise(path), StoreOrigin.CONFIGURED)
    if not isinstance(cloud, Unavailable) and cloud.volumes_folder:
        found.setdefault(normalise(cloud.volumes_folder), StoreOrigin.BACKEND)
    for loop in () if isinstance(loops, Unavailable) else loops.devices:
        a_file = isinstance(loop.backing, Unavailable) or loop.backing.kind is FileKind.FILE
        if not loop.read_only and a_file and loop.backing_file.startswith("/"):
            found.setdefault(os.path.dirname(loop.backing_file), StoreOrigin.LOOP)
    return tuple(found.items())


def _unnamed(loops: LoopState) -> Unavailable | None:
    """Why the file behind a writable loop device is not told, None where all are."""
    return next(
        (
            loop.backing
            for loop in loops.devices
            if not loop.read_only and not loop.backing_file and isinstance(loop.backing, Unavailable)
        ),
        None,
    )


def _hung_folders(loops: LoopState | Unavailable) -> dict[str, Unavailable]:
    """Folders in which a stat of a backing file already ran into its deadline."""
    found: dict[str, Unavailable] = {}
    for loop in () if isinstance(loops, Unavailable) else loops.devices:
        if isinstance(loop.backing, Unavailable) and loop.backing.reason is Reason.TIMEOUT:
            found.setdefault(os.path.dirname(loop.backing_file), loop.backing)
    return found


def _distinct(host: Host, wanted: Sequence[tuple[str, StoreOrigin]], hung: dict[str, Unavailable]) -> list[_Folder]:
    """The folders that are there, or that are configured to be, each once."""
    asked = [path for path, _ in wanted if path not in hung]
    answers: dict[str, FileStat | Unavailable] = {**hung, **dict(zip(asked, host.stat_files(asked), strict=True))}
    folders: list[_Folder] = []
    seen: dict[tuple[int, int], int] = {}
    for path, origin in wanted:
        stat = answers[path]
        if isinstance(stat, Unavailable):
            if stat.reason is not Reason.ABSENT or origin is StoreOrigin.CONFIGURED:
                folders.append(_Folder(path=path, origin=origin, stat=stat, real=path))
            continue
        identity = (stat.device, stat.inode)
        if identity not in seen:
            seen[identity] = len(folders)
            folders.append(_Folder(path=path, origin=origin, stat=stat, real=path))
        elif origin is StoreOrigin.LOOP:
            # The kernel names backing files without symbolic links; an operator's or a cloud's path may be one.
            first = folders[seen[identity]]
            folders[seen[identity]] = _Folder(path=first.path, origin=first.origin, stat=first.stat, real=path)
    return folders


def _look(host: Host, folder: _Folder, mounts: tuple[Mount, ...], declared: tuple[str, ...]) -> VolumeStore:
    mount = _mount_of(folder, mounts)
    files: tuple[StoreFile, ...] | Unavailable
    space: FilesystemSpace | Unavailable
    unlooked = 0
    if isinstance(folder.stat, Unavailable):
        files = space = folder.stat
    else:
        entries = host.list_files(folder.path)
        if isinstance(entries, Unavailable):
            files = entries
        else:
            files, unlooked = store_files(folder.path, entries)
        hangs = isinstance(entries, Unavailable) and entries.reason is Reason.TIMEOUT
        space = entries if isinstance(entries, Unavailable) and hangs else host.space(folder.path)
    driver_options, errors = _driver_words(host, mount)
    wanted = max((p for p in declared if _is_under(folder.real, p)), key=len, default=None)
    return VolumeStore(
        path=folder.path,
        origin=folder.origin,
        mount=mount,
        space=space,
        files=files,
        unlooked=unlooked,
        driver_options=driver_options,
        errors=errors,
        declared_mount=wanted if wanted is None else _as_mounted(host, wanted, mounts),
    )


def store_files(folder: str, entries: Iterable[FileEntry]) -> tuple[tuple[StoreFile, ...], int]:
    """The regular files among a folder's entries, and how many entries could not be looked at. One that vanished meanwhile
    is neither."""
    files = []
    unlooked = 0
    for entry in entries:
        stat = entry.stat
        if isinstance(stat, Unavailable):
            unlooked += stat.reason is not Reason.ABSENT
        elif stat.kind is FileKind.FILE:
            files.append(
                StoreFile(
                    path=f"{folder.rstrip('/')}/{entry.name}",
                    name=entry.name,
                    apparent=stat.size,
                    allocated=stat.allocated,
                    device=stat.device,
                    inode=stat.inode,
                    mtime=stat.mtime,
                )
            )
    return tuple(files), unlooked


def _mount_of(folder: _Folder, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount by path; where the folder's own device number tells of another one (its path has a symbolic link in it),
    the mount of that device. btrfs and overlays give files numbers that no mount has: the path has to do there."""
    by_path = find_mount(mounts, folder.real)
    if isinstance(folder.stat, Unavailable):
        return by_path
    device = (os.major(folder.stat.device), os.minor(folder.stat.device))
    if by_path is not None and by_path.device == device:
        return by_path
    return next((mount for mount in reversed(mounts) if mount.device == device), by_path)


def _driver_words(host: Host, mount: Mount | None) -> tuple[tuple[str, ...], int | None]:
    """What ext4 itself says of its options and of the errors it met. Nothing of it reads the disk."""
    if mount is None or not mount.filesystem.startswith("ext"):
        return (), None
    link = host.readlink(f"/sys/dev/block/{mount.device[0]}:{mount.device[1]}")
    if isinstance(link, Unavailable):
        return (), None
    device = link.rpartition("/")[2]
    options = known(host.read(f"/proc/fs/ext4/{device}/options")) or ""
    errors = (known(host.read(f"/sys/fs/ext4/{device}/errors_count")) or "").strip()
    return tuple(options.split()), int(errors) if errors.isdecimal() else None


def _declared(host: Host) -> tuple[str, ...]:
    text = host.read("/etc/fstab")
    return () if isinstance(text, Unavailable) else parse_fstab(text)


def parse_fstab(text: str) -> tuple[str, ...]:
    """The mount points of fstab(5) that are to be mounted at boot: no swap, no `noauto`."""
    points = []
    for line in text.split("\n"):
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith("#") or not fields[1].startswith("/"):
            continue
        options = fields[3].split(",") if len(fields) > 3 else []
        if "noauto" not in options and fields[2] != "swap":
            points.append(normalise(unescape(fields[1])))
    return tuple(points)


def _as_mounted(host: Host, point: str, mounts: Iterable[Mount]) -> str:
    """The mount point as the mount table calls it: mount(8) follows symbolic links, fstab may be written with them. Links are read
    only where nothing is mounted at the point as it is written: on a dead mount even that could hang."""
    points = {mount.point for mount in mounts}
    if point in points:
        return point
    real = _resolved(host, point)
    return real if real in points else point


def _resolved(host: Host, path: str) -> str:
    """The path without symbolic links; as it is where they lead nowhere."""
    found = "/"
    pending = [part for part in path.split("/") if part]
    for _ in range(_MOST_STEPS):
        if not pending:
            return found
        part = pending.pop(0)
        if part in (".", ".."):
            found = os.path.dirname(found) if part == ".." else found
            continue
        here = f"{found.rstrip('/')}/{part}"
        link = host.readlink(here)
        if isinstance(link, Unavailable) or not link:
            found = here
        else:
            found = "/" if link.startswith("/") else found
            pending = [*(piece for piece in link.split("/") if piece), *pending]
    return path


def _is_under(path: str, point: str) -> bool:
    return point in ("/", path) or path.startswith(point + "/")
