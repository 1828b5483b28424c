"""What the kernel says of this very process: proc(5)."""

from __future__ import annotations

import contextlib
import os


def own_figures() -> dict[str, float]:
    """Bytes of memory, seconds and descriptors by what they are; what cannot be read is not in it."""
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):
        with open("/proc/self/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
        ticks = float(os.sysconf("SC_CLK_TCK"))
        found["virtual"] = float(words[20])
        found["resident"] = float(words[21]) * os.sysconf("SC_PAGE_SIZE")
        found["processor"] = float(words[11]) / ticks + float(words[12]) / ticks
        found["started"] = float(words[19]) / ticks + _booted()
    with contextlib.suppress(OSError):
        found["open"] = float(len(os.listdir("/proc/self/fd")))
        with open("/proc/self/limits", "rb") as file:
            found["most_open"] = next(float(line.split()[3]) for line in file if line.startswith(b"Max open file"))
    return found


def _booted() -> float:
    with open("/proc/stat", "rb") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(b"btime "))
