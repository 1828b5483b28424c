"""When an archive was made, by what date(1), uptime and the kernel's boot time say in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (?:([AP])M )?(?:\S+ )?(\d{4})", re.ASCII)
_FIRST_YEAR = 1970
_BTIME = re.compile(r"^btime (\d{1,12})$", re.MULTILINE | re.ASCII)


def parse_ctime(text: str) -> float | None:
    """`Thu Nov 26 07:19:19 UTC 2026` or `Thu Nov 26 07:19:19 2026`, read as if it were UTC; None for anything else."""
    match = _CTIME.fullmatch(text.strip())
    if match is None or match[1] not in _MONTHS:
        return None
    hour = int(match[3]) % 12 + (12 if match[6] == "P" else 0) if match[6] else int(match[3])
    try:
        made = datetime(int(match[7]), _MONTHS.index(match[1]) + 1, int(match[2]), hour, int(match[4]), int(match[5]), tzinfo=UTC)
        return made.timestamp() if made.year >= _FIRST_YEAR else None
    except (ValueError, OverflowError):
        return None


def boot_time(stat: str) -> float | None:
    """/proc/stat's btime, seconds since the epoch."""
    match = _BTIME.search(stat)
    return float(match[1]) if match else None
