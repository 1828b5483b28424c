"""What disposable children do. Each job yields plain tuples; it may hang or die without harm to anybody.

A failure of one item is an item too: (…, errno). The parent turns errno into a reason.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def stat_fields(found: os.stat_result) -> tuple[Any, ...]:
    """The fields of a FileStat in its order, as plain values."""
    mode = found.st_mode
    if stat_module.S_ISREG(mode):
        kind = "file"
    elif stat_module.S_ISDIR(mode):
        kind = "directory"
    elif stat_module.S_ISBLK(mode):
        kind = "block"
    else:
        kind = "other"
    device = (os.major(found.st_rdev), os.minor(found.st_rdev)) if kind == "block" else None
    return (
        kind,
        found.st_size,
        found.st_blocks * 512,
        found.st_dev,
        found.st_ino,
        found.st_mtime,
        stat_module.S_IMODE(mode),
        found.st_uid,
        device,
    )


def stat_files(paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """(stat fields) or (errno,) for each path, in order."""
    for path in paths:
        try:
            yield stat_fields(os.stat(path))
        except OSError as error:
            yield (error.errno,)
        except ValueError:  # a NUL in a path
            yield (22,)


_LONGEST = 1024 * 1024


def read_files(paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """(bytes,) or (errno,) for each path, in order. What is no regular file, or longer than 1 MiB, is an error too."""
    for path in paths:
        try:
            yield (_content(path),)
        except OSError as error:
            yield (error.errno,)
        except ValueError:  # a NUL in a path
            yield (22,)


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if not stat_module.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        parts = bytearray()
        while part := os.read(descriptor, 262144):
            parts += part
            if len(parts) > _LONGEST:
                raise OSError(errno.EFBIG, "too long")
        return bytes(parts)
    finally:
        os.close(descriptor)


def list_files(path: str) -> Iterator[tuple[Any, ...]]:
    """(name, stat fields or (errno,)) for each entry of a folder; one (errno,) alone where the folder cannot be read."""
    try:
        entries = os.scandir(path)
    except OSError as error:
        yield (error.errno,)
        return
    with entries:
        for entry in entries:
            try:
                yield (entry.name, stat_fields(entry.stat()))
            except OSError as error:
                yield (entry.name, (error.errno,))


def space(path: str) -> Iterator[tuple[Any, ...]]:
    """statvfs(3): (total, free, available) in bytes, (inodes, free inodes); or (errno,)."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        yield (error.errno,)
        return
    unit = found.f_frsize
    yield (found.f_blocks * unit, found.f_bfree * unit, found.f_bavail * unit, found.f_files, found.f_ffree)


def device_mapper(query: str) -> Iterator[tuple[Any, ...]]:
    """(text,) of `dmsetup status` or `dmsetup table`; or (errno, text)."""
    from sctune.host.dmioctl import report

    try:
        yield (report(table=query == "table"),)
    except OSError as error:
        yield (error.errno, str(error))


def processes(skip: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """First (pid,) before each process is touched, then its fields, so that the one that hangs is known. Kernel threads have
    no arguments and are left out. Secrets never leave the child.
    (pid, ppid, name, state, argv, started, cpu seconds, uid, threads).

    Three reads a process, by raw descriptors and without a library; and what takes secrets out is loaded only where there may be
    one. On a busy machine, loading both took longer than the table.
    """
    from sctune.host.proc import harmless, parse_cmdline, parse_stat, parse_uid, whole_name

    ticks = os.sysconf("SC_CLK_TCK")
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if pid in skip:
            continue
        try:
            # proc_pid_stat(5) never blocks.
            found = parse_stat(_text(f"/proc/{pid}/stat"))
            if found is None or _KTHREADD in (pid, found.ppid):
                continue
            yield (pid,)
            argv = parse_cmdline(_text(f"/proc/{pid}/cmdline"))
            uid = parse_uid(_text(f"/proc/{pid}/status"))
        except OSError:
            continue  # it ended, or another user's: what is not there is not there
        yield (
            pid,
            found.ppid,
            whole_name(found.name, argv),
            found.state,
            argv if harmless(argv) else _redacted(argv),
            found.started / ticks,
            found.cpu / ticks,
            -1 if uid is None else uid,
            found.threads,
        )


def _redacted(argv: tuple[str, ...]) -> tuple[str, ...]:
    """What a child that stays has found once for a command line it need not find again: of a few long ones (a JVM's, a guest's)
    that takes longer than all else of the table. It is kept by the command line's hash, so that no secret is."""
    key = hash("\0".join(argv))
    found = _redacted_before.get(key)
    if found is None:
        from sctune.host.redact import redact_argv

        if len(_redacted_before) >= _MOST_REDACTED:
            _redacted_before.clear()
        found = _redacted_before[key] = redact_argv(argv)
    return found


_redacted_before: dict[int, tuple[str, ...]] = {}
_MOST_REDACTED = 1000


_KTHREADD = 2
"""The kernel's own threads are its children; a host has hundreds."""


def search_log(path: str, wanted: tuple[tuple[str, ...], str, float], now: float, seconds: float) -> Iterator[tuple[Any, ...]]:
    """`wanted` are the fields of a LogQuery. (begins, whole, size, zone), then (first, last, count, text, continued) for each
    message; or (errno,)."""
    from sctune.host.base import LogQuery
    from sctune.host.logfiles import family, search
    from sctune.host.zone import LOCALTIME, LocalTime

    os.nice(max(0, _NICE - os.nice(0)))  # a child that stays does this more than once
    words, pattern, since = wanted
    query = LogQuery(words=tuple(words), pattern=pattern, since=since)
    folder, _, name = path.rpartition("/")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(LOCALTIME, flags), "rb") as file:
            zone = LocalTime(file.read(1 << 20))
    except OSError:
        zone = LocalTime(None)
    try:
        paths = [f"{folder}/{one}" for one in family(name, os.listdir(folder or "/"))]
        found = search(paths, lambda one: os.open(one, flags), query, zone, now=now, seconds=seconds)
    except OSError as error:
        yield (error.errno,)
        return
    yield (found.begins, found.whole, found.size, found.zone)
    for line in found.lines:
        yield (line.first, line.last, line.count, line.text.encode("utf-8", "surrogateescape"), line.continued)


_NICE = 5
"""A third of the processor where everybody wants it (sched(7)): the table is still there long before its deadline."""


def _text(path: str) -> str:
    """A file of /proc. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, _MUCH)
        if len(data) == _MUCH:
            parts = [data]
            while data:
                data = os.read(descriptor, _MUCH)
                parts.append(data)
            data = b"".join(parts)
    finally:
        os.close(descriptor)
    return data.decode("utf-8", "surrogateescape")


_MUCH = 65536


def flush(folder: str, most: int, seconds: float, spare: int, share: float) -> Iterator[tuple[Any, ...]]:
    """(bytes, seconds) after each piece that was written and flushed to a file without a name, the last one telling all; or
    ("room",), or (errno,). It is the one job that writes, and it leaves nothing."""
    try:
        room = os.statvfs(folder)
        if room.f_bavail * room.f_frsize - most < max(spare, share * room.f_blocks * room.f_frsize):
            yield ("room",)
            return
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            piece = os.urandom(_PIECE)
            written = 0
            began = time.monotonic()
            while written < most and time.monotonic() - began < seconds:
                written += os.write(descriptor, piece)
                os.fdatasync(descriptor)
                yield (written, time.monotonic() - began)
        finally:
            os.close(descriptor)
    except OSError as error:
        yield (error.errno,)
    except ValueError:  # a NUL in a path
        yield (22,)


_PIECE = 8 * 1024 * 1024

JOBS: dict[str, Callable[..., Iterator[tuple[Any, ...]]]] = {
    "stat_files": stat_files,
    "read_files": read_files,
    "list_files": list_files,
    "space": space,
    "device_mapper": device_mapper,
    "processes": processes,
    "search_log": search_log,
    "flush": flush,
}
