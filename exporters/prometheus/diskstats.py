"""/proc/diskstats: the I/O counters of every block device in one read (Documentation/admin-guide/iostats.rst). Pure.

A file of sysfs for each device costs 20 us; this one costs as much as ten of them, however many devices there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.probes.disk_io import parse_stat
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from sctune.model.io import IoCounters

PATH = "/proc/diskstats"


def parse_diskstats(text: str, names: Container[str]) -> tuple[Mapping[str, IoCounters], int]:
    """The counters of the devices in `names`, by name, and how many of their lines are no counters."""
    found: dict[str, IoCounters] = {}
    broken = 0
    for line in text.split("\n"):
        words = line.split(None, 3)
        if len(words) < 3 or words[2] not in names:
            continue
        counters = parse_stat(words[3] if len(words) > 3 else "", words[2])
        if isinstance(counters, Unavailable):
            broken += 1
        else:
            found[words[2]] = counters
    return found, broken
