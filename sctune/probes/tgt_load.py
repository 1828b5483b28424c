"""How busy tgtd's main thread is: two readings of its processor time, and no waiting where it idles.

/proc/PID/schedstat holds the nanoseconds that the main thread ran (Linux Documentation/scheduler/sched-stats.rst; of a process
it tells those of its leader alone), so a short interval is enough to see that a daemon idles. Only where it does not, a longer one
is waited for. Each reading is asked for under another of its names, so that a capture keeps both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sctune.host.base import Source
from sctune.model.tgt_tuning import TgtLoad
from sctune.tgt_process import control_port_of
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.process import Processes

CLOCKS = ("/proc/uptime", "/proc/./uptime")
_GLANCE = 0.02
_INTERVAL = 0.6
_ENOUGH = 0.4
"""Seconds below which a reading proves nothing but idleness: /proc/uptime counts hundredths, and the kernel brings a running
thread's time up to date at each tick (at most 10 ms)."""
_ERROR = 0.02
_MAYBE_BUSY = 0.25


def probe(host: Host, *, processes: Processes | Unavailable) -> tuple[TgtLoad, ...] | Unavailable:
    """A record for each tgtd. Absent: none runs, or this kernel does not tell."""
    if isinstance(processes, Unavailable):
        return processes
    if not processes.tgtd:
        return Unavailable(reason=Reason.ABSENT, what="tgtd", detail="no tgtd runs")
    ports = {process.pid: control_port_of(process) for process in processes.tgtd}
    first = _reading(host, CLOCKS[0], {pid: f"/proc/{pid}/task/{pid}/schedstat" for pid in ports})
    if isinstance(first, Unavailable):
        return first
    again = {pid: f"/proc/{pid}/schedstat" for pid in ports}
    loads: tuple[TgtLoad, ...] = ()
    for pause in (_GLANCE, _INTERVAL):
        if host.source is Source.LIVE:
            time.sleep(pause)
        second = _reading(host, CLOCKS[1], again)
        if isinstance(second, Unavailable):
            return second
        loads = tuple(load(ports[pid], pid, first, second) for pid in ports if pid in first[1] and pid in second[1])
        # One that waits for a processor has run for nothing yet: its state tells.
        if all(item.share is not None and item.share < _MAYBE_BUSY and not _runnable(host, item.pid) for item in loads):
            break
    return loads


def _runnable(host: Host, pid: int) -> bool:
    """Whether the thread runs or waits for a processor now (proc(5), /proc/PID/stat)."""
    text = host.read(f"/proc/{pid}/task/{pid}/stat")
    return isinstance(text, str) and text.rpartition(")")[2].split()[:1] == ["R"]


def load(port: int, pid: int, first: tuple[float, dict[int, float]], second: tuple[float, dict[int, float]]) -> TgtLoad:
    """What the two readings of (clock, thread's time) say."""
    seconds = second[0] - first[0]
    ran = max(0.0, second[1][pid] - first[1][pid])
    share: float | None = None
    if seconds >= _ENOUGH:
        share = min(1.0, ran / seconds)
    elif ran < _MAYBE_BUSY * max(seconds, _ERROR):
        share = min(1.0, ran / max(seconds, _ERROR))
    return TgtLoad(control_port=port, pid=pid, share=share, seconds=max(0.0, seconds))


def _reading(host: Host, clock: str, paths: dict[int, str]) -> tuple[float, dict[int, float]] | Unavailable:
    """The boot clock, and the seconds that each thread has run. A process that ended is left out."""
    text = host.read(clock)
    if isinstance(text, Unavailable):
        return text
    now = parse_uptime(text)
    if now is None:
        return Unavailable(reason=Reason.MALFORMED, what=clock, detail="not a number of seconds")
    found: dict[int, float] = {}
    failure: Unavailable | None = None
    for pid, path in paths.items():
        answer = host.read(path)
        ran = None if isinstance(answer, Unavailable) else parse_schedstat(answer)
        if ran is not None:
            found[pid] = ran
        elif isinstance(answer, Unavailable):
            failure = answer
        else:
            failure = Unavailable(reason=Reason.MALFORMED, what=path, detail="not the three numbers of schedstat")
    return failure if failure is not None and not found else (now, found)


def parse_uptime(text: str) -> float | None:
    """`12345.67 54321.00`: seconds since boot."""
    words = text.split()
    whole, _, part = (words[0] if words else "").partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) < 16 and part.isascii() and part.isdecimal() and len(part) < 10):
        return None
    return float(f"{whole}.{part}")


def parse_schedstat(text: str) -> float | None:
    """`345423 123784 2`: nanoseconds on a processor, nanoseconds waiting for one, time slices. The first in seconds."""
    words = text.split()
    if len(words) != 3 or not all(word.isascii() and word.isdecimal() and len(word) <= 20 for word in words):
        return None
    return int(words[0]) / 1e9
