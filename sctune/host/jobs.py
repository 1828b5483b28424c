"""What disposable children do. Each job yields plain tuples; it may hang or die without harm to anybody.

A failure of one item is an item too: (…, errno). The parent turns errno into a reason.
"""

from __future__ import annotations

import os
import stat as stat_module
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
    (pid, ppid, name, state, argv, started, cpu seconds, uid, threads)."""
    # LVM runs beside us and takes longer; and a busy host has more to do than to be looked at.
    os.nice(_NICE)
    import psutil

    from sctune.host.redact import redact_argv

    boot = psutil.boot_time()
    for pid in psutil.pids():
        if pid in skip or _is_kernel_thread(pid):
            continue
        yield (pid,)
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                cpu = process.cpu_times()
                yield (
                    pid,
                    process.ppid(),
                    process.name(),
                    _STATES.get(process.status(), "?"),
                    redact_argv(process.cmdline()),
                    process.create_time() - boot,
                    cpu.user + cpu.system,
                    process.uids().effective,
                    process.num_threads(),
                )
        except psutil.Error:
            continue  # it ended, or another user's: what is not there is not there


_NICE = 5
"""A third of the processor where everybody wants it (sched(7)): the table is still there long before its deadline."""


def _is_kernel_thread(pid: int) -> bool:
    """Whether it is kthreadd or one of its children, of which a host has hundreds: proc_pid_stat(5) never blocks, and psutil
    would take ten times as long to say it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ppid = file.read().rpartition(b")")[2].split()[1]
    except (OSError, IndexError):
        return False  # it ended, or we may not: psutil says which
    return pid == 2 or ppid == b"2"


_STATES = {
    "running": "R",
    "sleeping": "S",
    "disk-sleep": "D",
    "stopped": "T",
    "tracing-stop": "t",
    "zombie": "Z",
    "dead": "X",
    "idle": "I",
    "parked": "P",
}

JOBS: dict[str, Callable[..., Iterator[tuple[Any, ...]]]] = {
    "stat_files": stat_files,
    "list_files": list_files,
    "space": space,
    "device_mapper": device_mapper,
    "processes": processes,
}
