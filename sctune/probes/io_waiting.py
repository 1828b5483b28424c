"""Who waits for disks now, where the kernel says that work stood still for them: several readings within a second and a half.

`full` of /proc/pressure/io is the share of time in which somebody waited and nobody ran (Linux kernel/sched/psi.c), which one
writer on an idle host brings about as well as a hundred on a disk that is lost in work. What tells them apart is how many wait:
`procs_blocked` of /proc/stat counts the tasks, threads too, that sleep for I/O at this moment (proc(5); kernel/sched/core.c,
nr_iowait), the same that pressure is made of. Some of them may wait for no disk at all (a ring of io_uring with nothing to do
counts since Linux 6.5, and so does whoever a limit of its cgroup holds back): so it is asked, too, whether any disk is busy
(/proc/diskstats; Documentation/admin-guide/iostats.rst). Each reading has a name of its own, so that a capture keeps them all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sctune.host.base import Source
from sctune.model.system import IoWaiting
from sctune.probes.tgt_load import parse_uptime
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import Host
    from sctune.model.system import Pressure

READINGS = 12
_INTERVAL = 0.125
_CLOCKS = ("/proc/././uptime", "/proc/./././uptime")  # the names before these are those of tgtd's load
_DISKS = ("/proc/diskstats", "/proc/./diskstats")
_NO_DISKS = ("loop", "ram", "zram", "sr", "fd")
"""What lies on another device or in memory: nobody waits for these alone."""


def path_of(reading: int) -> str:
    """The name under which /proc/stat is read for the reading of this number, from 0 on."""
    return f"/proc/{'./' * reading}stat"


def probe(host: Host, *, pressure: Pressure | Unavailable, level: float) -> IoWaiting | Unavailable:
    """The readings. Absent, and nothing is asked, where pressure (`full` of a minute) is below `level`."""
    if isinstance(pressure, Unavailable):
        return pressure
    if pressure.io_full.avg60 < level:
        return Unavailable(reason=Reason.ABSENT, what="tasks that wait for disks", detail="the disks keep up")
    began, before = _clock(host, _CLOCKS[0]), parse_disks(host.read(_DISKS[0]))
    tasks: list[int] = []
    for reading in range(READINGS):
        if host.source is Source.LIVE and reading:
            time.sleep(_INTERVAL)
        text = host.read(path_of(reading))
        if isinstance(text, Unavailable):
            if not tasks:
                return text
            break
        count = parse_blocked(text)
        if count is None:
            return Unavailable(reason=Reason.MALFORMED, what=path_of(reading), detail="no number of procs_blocked")
        tasks.append(count)
    after, ended = parse_disks(host.read(_DISKS[1])), _clock(host, _CLOCKS[1])
    seconds = max(0.0, ended - began) if began is not None and ended is not None else 0.0
    disk, busy = busiest(before, after, seconds)
    return IoWaiting(tasks=tuple(tasks), seconds=seconds, disk=disk, busy=busy)


def parse_blocked(text: str) -> int | None:
    """The number that `procs_blocked` of /proc/stat says."""
    for line in text.splitlines():
        name, _, number = line.partition(" ")
        if name == "procs_blocked":
            number = number.strip()
            return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None
    return None


def parse_disks(text: str | Unavailable) -> Mapping[str, tuple[int, int]]:
    """Of each disk in /proc/diskstats how many requests it has now, and the milliseconds in which it had any."""
    found: dict[str, tuple[int, int]] = {}
    for line in "" if isinstance(text, Unavailable) else text.splitlines():
        words = line.split()
        if len(words) < 14 or words[2].rstrip("0123456789") in _NO_DISKS:
            continue
        if all(word.isascii() and word.isdecimal() and len(word) <= 20 for word in words[11:13]):
            found[words[2]] = (int(words[11]), int(words[12]))
    return found


def busiest(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]], seconds: float
) -> tuple[str | None, float]:
    """The disk that worked most between two readings, and the share of the time in which it did.

    One that had requests at both ends and finished none is busy all the time: kernels before 5.14 count a request's time no
    earlier than when it ends.
    """
    shares: dict[str, float] = {}
    for name in before.keys() & after.keys():
        (held, first), (holds, last) = before[name], after[name]
        if last == first and held and holds:
            shares[name] = 1.0
        else:
            shares[name] = min(1.0, max(0, last - first) / 1000 / seconds) if seconds > 0 else float(last > first)
    return max(((name, shares[name]) for name in sorted(shares)), key=lambda item: item[1], default=(None, 0.0))


def _clock(host: Host, path: str) -> float | None:
    text = host.read(path)
    return None if isinstance(text, Unavailable) else parse_uptime(text)
