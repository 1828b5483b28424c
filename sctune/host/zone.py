"""Local time as the host keeps it: logs tell the hour of its clock on the wall and no zone.

What /etc/localtime says is taken, as a daemon that the host started does; not TZ of whoever runs sctune. Without that file it
is UTC (tzset(3)). In the hour that a change of summer time gives twice, the first is meant.
"""

from __future__ import annotations

import datetime
import io
import zoneinfo

LOCALTIME = "/etc/localtime"


class LocalTime:
    """Turns local times into seconds since the epoch. `data` is the content of /etc/localtime (tzfile(5)), None where there is
    none; what is no such file counts as none."""

    def __init__(self, data: bytes | None) -> None:
        self._zone: datetime.tzinfo = datetime.UTC
        self.told = False
        if data:
            try:
                self._zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(data))
                self.told = True
            except (ValueError, EOFError, IndexError, KeyError):
                pass

    @classmethod
    def fixed(cls, offset: float) -> LocalTime:
        """A zone that is `offset` seconds east of UTC all the year. Raises ValueError for a day or more."""
        made = cls(None)
        made._zone = datetime.timezone(datetime.timedelta(seconds=offset))
        made.told = True
        return made

    def seconds(self, day: tuple[int, int, int], clock: tuple[int, int, int]) -> float | None:
        """Seconds since the epoch of a day (year, month, day) and a time; None for one that is none."""
        try:
            return datetime.datetime(*day, clock[0], clock[1], min(clock[2], 59), tzinfo=self._zone).timestamp()
        except (ValueError, OverflowError):
            return None

    def name(self, now: float) -> str:
        """The zone's abbreviation and offset at a time: "CET +0100"."""
        try:
            then = datetime.datetime.fromtimestamp(now, self._zone)
        except (ValueError, OverflowError, OSError):
            return "UTC +0000"
        return f"{then.tzname() or '?'} {then:%z}"
