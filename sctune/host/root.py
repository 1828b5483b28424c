"""A file tree that is not the running system: a mounted image, a copy of /etc, /proc and /sys.

Only files answer. No command is run, and what a running kernel, a daemon or the process table would say is NOT_COLLECTED:
a tree that has no /proc is no host without processes. Links never lead out of the tree, absolute ones and ".." included.

The clock: `now` is the newest mtime of /proc/uptime, /proc/stat, /proc/meminfo, /proc/mounts, /proc/diskstats and the hostname
in the tree, 0 where there is none of them; `boot` is what /proc/uptime in the tree says, else 0. So the same tree gives the
same report tomorrow.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from typing import TYPE_CHECKING

from sctune.host.base import Clock, FileEntry, FileKind, FileStat, HostIdentity, Source
from sctune.host.capture import not_collected
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed, DmQuery, FilesystemSpace, LogLines, LogQuery, Process, TgtMode

READ_LIMIT = 4 * 1024 * 1024
_LOG_SECONDS = 20.0
_MAX_LINKS = 40  # as the kernel's own limit (path_resolution(7))
# Folders that a running system fills; empty or missing in a tree, they say nothing about the host.
_RUNNING = ("proc", "sys", "run")
_CLOCK_FILES = ("/proc/uptime", "/proc/stat", "/proc/meminfo", "/proc/mounts", "/proc/diskstats", "/etc/hostname")


class RootHost:
    """Answers from the files below `directory`."""

    source = Source.ROOT

    def __init__(self, directory: str) -> None:
        self._root = os.path.realpath(directory)
        self._empty: set[str] = set()
        self._empty = {name for name in _RUNNING if not self._has_content(name)}

    def close(self) -> None:
        """Nothing was started."""

    def identity(self) -> HostIdentity:
        """/etc/hostname and /proc/sys/kernel/osrelease of the tree, "unknown" where they are missing; rights are our own."""
        name = self._first_line("/etc/hostname") or self._first_line("/proc/sys/kernel/hostname") or "unknown"
        kernel = self._first_line("/proc/sys/kernel/osrelease") or "unknown"
        return HostIdentity(name=name, kernel=kernel, privileged=os.geteuid() == 0)

    def clock(self) -> Clock:
        """When the tree was made, as far as it tells (see the module)."""
        times = [answer for path in _CLOCK_FILES if isinstance(answer := self.lstat_mtime(path), float)]
        words = self._first_line("/proc/uptime").split()
        try:
            boot = float(words[0]) if words else 0.0
        except ValueError:
            boot = 0.0
        return Clock(now=max(times, default=0.0), boot=boot if 0.0 <= boot < 1e12 else 0.0)

    def read(self, path: str) -> str | Unavailable:
        """A regular file of the tree."""
        try:
            descriptor = self._open(path)
            try:
                if not stat_module.S_ISREG(os.fstat(descriptor).st_mode):
                    return Unavailable(reason=Reason.FAILED, what=path, detail="not a regular file")
                data = _read(descriptor)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            return _unavailable(error, path)
        if len(data) > READ_LIMIT:
            return Unavailable(reason=Reason.FAILED, what=path, detail="larger than 4 MiB")
        return data.decode("utf-8", "surrogateescape")

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """A folder of the tree."""
        try:
            return tuple(sorted(os.listdir(self._resolve(path))))
        except (OSError, ValueError) as error:
            return _unavailable(error, path)

    def readlink(self, path: str) -> str | Unavailable:
        """What a link holds, as it stands there."""
        try:
            return os.readlink(self._resolve(path, last=False))
        except (OSError, ValueError) as error:
            return _unavailable(error, path)

    def stat(self, path: str) -> FileStat | Unavailable:
        """The tree's own stat: sizes, owners and times may be those of a copy."""
        try:
            return _file_stat(os.lstat(self._resolve(path)))
        except (OSError, ValueError) as error:
            return _unavailable(error, path)

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """The mtime of a link or file of the tree."""
        try:
            return os.lstat(self._resolve(path, last=False)).st_mtime
        except (OSError, ValueError) as error:
            return _unavailable(error, path)

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """Store files in the tree."""
        return tuple(self.stat(path) for path in paths)

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """Store files in the tree."""
        return tuple(self.read(path) for path in paths)

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """A folder of the volume store in the tree."""
        names = self.list(path)
        if isinstance(names, Unavailable):
            return names
        return tuple(FileEntry(name=name, stat=self.stat(f"{path.rstrip('/')}/{name}")) for name in names)

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """Not collected: statvfs(3) would tell the space where the tree lies, which is not the host's."""
        return not_collected(path, "a file tree does not tell the space of the host's file systems")

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """Not collected."""
        return not_collected("process table", "a file tree has no processes")

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Not collected."""
        return not_collected(" ".join(argv), "no command is run for a file tree")

    def dm(self, query: DmQuery) -> str | Unavailable:
        """Not collected."""
        return not_collected(f"dmsetup {query}", "a file tree has no running device-mapper")

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """Not collected."""
        return not_collected(f"tgtadm --op show --mode {mode} (control port {control_port})", "a file tree has no running tgtd")

    def kernel_log(self) -> str | Unavailable:
        """Not collected: what a tree holds in /var/log may be of any boot."""
        return not_collected("kernel log", "a file tree has no running kernel")

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Searches a log of the tree, its times read as the tree's /etc/localtime says."""
        from sctune.host.logfiles import family, search
        from sctune.host.zone import LocalTime

        folder, _, name = path.rpartition("/")
        names = self.list(folder)
        if isinstance(names, Unavailable):
            return names
        paths = [f"{folder}/{one}" for one in family(name, names)]
        zone = LocalTime(self._localtime())
        try:
            return search(paths, self._open, query, zone, now=self.clock().now, seconds=_LOG_SECONDS)
        except (OSError, ValueError) as error:
            return _unavailable(error, path)

    def _open(self, path: str) -> int:
        # The last link is resolved already; O_NOFOLLOW for a tree that changes under us, O_NONBLOCK for a FIFO.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        return os.open(self._resolve(path), flags)

    def _localtime(self) -> bytes | None:
        """tzfile(5), which is no text."""
        try:
            with os.fdopen(self._open("/etc/localtime"), "rb") as file:
                return file.read(1 << 20)
        except (OSError, ValueError):
            return None

    def _has_content(self, name: str) -> bool:
        try:
            with os.scandir(self._resolve("/" + name)) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    def _refuse_unknowable(self, top: str) -> None:
        """Raises _Unknowable below a folder of which the tree cannot know what the host has in it."""
        # What is under /dev in a tree are copies of nodes, whose numbers are no devices of the host.
        if top == "dev":
            raise _Unknowable("a file tree has no devices")
        if top in self._empty:
            raise _Unknowable(f"the file tree has nothing in /{top}")

    def _first_line(self, path: str) -> str:
        text = self.read(path)
        return "" if isinstance(text, Unavailable) else text.strip().partition("\n")[0]

    def _resolve(self, path: str, *, last: bool = True) -> str:
        """The place of a path below the root, every link followed inside the root; the last one only if `last`.

        Raises OSError as the kernel would (no such file, not a folder, too many links), _Unknowable where the way leads to /dev
        or to what only a running system has.
        """
        pending = [part for part in path.split("/") if part not in ("", ".")][::-1]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                del done[-1:]
                continue
            # Before anything is looked up: such a folder may be missing altogether.
            if not done:
                self._refuse_unknowable(part)
            place = os.path.join(self._root, *done, part)
            if (pending or last) and stat_module.S_ISLNK(os.lstat(place).st_mode):
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = os.readlink(place)
                if target.startswith("/"):
                    done = []
                pending.extend([piece for piece in target.split("/") if piece not in ("", ".")][::-1])
                continue
            done.append(part)
        return os.path.join(self._root, *done)


def _read(descriptor: int) -> bytes:
    """To the end, but not much past the limit."""
    parts: list[bytes] = []
    size = 0
    while size <= READ_LIMIT and (data := os.read(descriptor, 262144)):
        parts.append(data)
        size += len(data)
    return b"".join(parts)


class _Unknowable(ValueError):
    """A place that a tree says nothing about."""


def _unavailable(error: Exception, path: str) -> Unavailable:
    if isinstance(error, _Unknowable):
        return not_collected(path, str(error))
    reason = Reason.FAILED
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = Reason.ABSENT
    elif isinstance(error, PermissionError):
        reason = Reason.DENIED
    number = getattr(error, "errno", None)
    return Unavailable(reason=reason, what=path, detail=os.strerror(number) if number else str(error))


def _file_stat(found: os.stat_result) -> FileStat:
    kind = FileKind.OTHER
    if stat_module.S_ISREG(found.st_mode):
        kind = FileKind.FILE
    elif stat_module.S_ISDIR(found.st_mode):
        kind = FileKind.DIRECTORY
    elif stat_module.S_ISBLK(found.st_mode):
        kind = FileKind.BLOCK
    return FileStat(
        kind=kind,
        size=found.st_size,
        allocated=found.st_blocks * 512,
        device=found.st_dev,
        inode=found.st_ino,
        mtime=found.st_mtime,
        mode=stat_module.S_IMODE(found.st_mode),
        uid=found.st_uid,
        rdevice=(os.major(found.st_rdev), os.minor(found.st_rdev)) if kind is FileKind.BLOCK else None,
    )
