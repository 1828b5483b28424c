"""Finds the lines that are wanted in logs of any length, in bounded memory: a piece at a time, from the end back, until they are
older than wanted or enough has been read.

A piece is searched for words first; only a line that holds one is looked at more closely. A message that is logged again and again
is kept once, with the times of its first and its last line and their number.
"""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_right
from typing import TYPE_CHECKING

from sctune.host.base import LogLine, LogLines
from sctune.host.logtext import STAMP, message, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.host.base import LogQuery
    from sctune.host.zone import LocalTime

PIECE = 1024 * 1024
"""Bytes read at a time."""
MOST_BYTES = 96 * 1024 * 1024
MOST_LINES = 2000
LONGEST = 500
SLACK = 3700.0
"""A log goes back by an hour where summer time ends, so the search goes on a little past what is wanted."""
_MOST_CARRIED = 4 * PIECE
_CLOCK_UNSET = 1104537600.0
"""2005, before any such log was written: a host without a clock of its own starts in 1970, until it is told the time."""


class LogScan:
    """One search: feed it files, newest first; `result` is what it found. After `seconds` it stops reading."""

    def __init__(self, query: LogQuery, zone: LocalTime, *, seconds: float = 3600.0, most_bytes: int = MOST_BYTES) -> None:
        self._words = tuple(word.encode() for word in query.words)
        self._pattern = re.compile(query.pattern)
        self._since = query.since
        self._zone = zone
        self._until = time.monotonic() + seconds
        self._most_bytes = most_bytes
        self._found: dict[tuple[str, bool], list[float]] = {}
        self._oldest: float | None = None
        self._floor = -math.inf
        self._reached = False
        self._cut = False
        self.size = 0

    @property
    def done(self) -> bool:
        """Whether nothing older is wanted, or no more may be read."""
        return self._reached or self._cut

    def backward(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """A file of `size` bytes; `read(offset, length)` gives a part of it, shorter where it has become shorter. Raises what it
        raises."""
        end, carried = size, b""
        while end > 0 and not self._enough():
            start = max(0, end - PIECE)
            data = read(start, end - start)
            self.size += len(data)
            data += carried
            carried = b""
            if start > 0:
                begin = _first_stamp(data)
                if begin is None and len(data) < _MOST_CARRIED:
                    carried, end = data, start
                    continue
                begin = begin or 0
                carried, data = data[:begin], data[begin:]
            self.piece(data)
            end = start

    def forward(self, pieces: Iterable[bytes]) -> None:
        """A file that can be read from its beginning only (compressed). Raises what reading raises."""
        carried, before = b"", self._oldest
        # Until its end has been read, the newest of its lines are missing: nothing older counts then.
        self._floor = math.inf if before is None else before
        for piece in pieces:
            self.size += len(piece)
            if self._enough(compressed=True):
                return
            data = carried + piece
            end = max((found.start() for found in STAMP.finditer(data)), default=0)
            if not end and len(data) >= _MOST_CARRIED:
                end = len(data)
            self.piece(data[:end], forward=True)
            carried = data[end:]
        self.piece(carried, forward=True)
        if not self._cut:
            self._floor = -math.inf
        self._reached = self._oldest is not None and self._oldest < self._since - SLACK

    def piece(self, data: bytes, *, forward: bool = False) -> None:
        """Whole lines; the first of them has a time, or none of those before it has."""
        times = (self._time(found) for found in STAMP.finditer(data))
        at = next((when for when in times if when is not None), None)
        if at is not None:
            self._oldest = at if self._oldest is None else min(at, self._oldest)
            self._reached = not forward and at < self._since - SLACK
        stamps: tuple[list[int], list[float | None]] | None = None
        for start, end in sorted(self._lines_with_words(data).items(), reverse=True):
            line = data[start : min(end, start + 4 * LONGEST)]
            text = message(line)
            if not self._pattern.search(text):
                continue
            own = STAMP.match(line)
            if own is not None:
                when = self._time(own)
            else:
                stamps = stamps or self._stamps(data)
                place = bisect_right(stamps[0], start) - 1
                when = stamps[1][place] if place >= 0 else self._oldest
            if when is not None and when >= self._since and not self._keep(text[:LONGEST], own is None, when):
                self._cut, self._floor = True, max(self._floor, when)
                break

    def result(self, *, whole: bool, now: float) -> LogLines:
        """What was found. `whole`: nothing older than what was read was ever rolled away."""
        begins = self._oldest
        if begins is not None:
            begins = min(max(self._since if self._reached else begins, self._floor), now)
        found = sorted(self._found.items(), key=lambda item: -item[1][1])
        return LogLines(
            lines=tuple(
                LogLine(first=first, last=last, count=int(count), text=text, continued=continued)
                for (text, continued), (first, last, count) in found
            ),
            begins=begins,
            whole=whole and not self.done,
            size=self.size,
            zone=self._zone.name(now),
        )

    def stop(self) -> None:
        """What is older than what was read cannot be."""
        self._cut = True

    def _enough(self, *, compressed: bool = False) -> bool:
        if self.size >= self._most_bytes or time.monotonic() >= self._until:
            self._cut = True
        return self._cut if compressed else self.done

    def _keep(self, text: str, continued: bool, when: float) -> bool:
        """False where there is no room for another message."""
        known = self._found.get((text, continued))
        if known is not None:
            known[0], known[1], known[2] = min(known[0], when), max(known[1], when), known[2] + 1
        elif len(self._found) < MOST_LINES:
            self._found[(text, continued)] = [when, when, 1]
        else:
            return False
        return True

    def _lines_with_words(self, data: bytes) -> dict[int, int]:
        places: dict[int, int] = {}
        for word in self._words:
            position = data.find(word)
            while position >= 0:
                start = data.rfind(b"\n", 0, position) + 1
                start = max(start, data.rfind(b"\0", start, position) + 1)
                end = data.find(b"\n", position)
                end = len(data) if end < 0 else end
                nul = data.find(b"\0", position, end)
                end = end if nul < 0 else nul
                places[start] = end
                position = data.find(word, end + 1)
        return places

    def _time(self, found: re.Match[bytes]) -> float | None:
        """None also for a time at which the host's clock was not set: when that was nobody knows."""
        when = seconds_of(found, self._zone)
        return when if when is None or when >= _CLOCK_UNSET else None

    def _stamps(self, data: bytes) -> tuple[list[int], list[float | None]]:
        found = [(one.start(), self._time(one)) for one in STAMP.finditer(data)]
        return [place for place, _ in found], [when for _, when in found]


def _first_stamp(data: bytes) -> int | None:
    """Where the first line begins that has a time and is there from its beginning."""
    line = data.find(b"\n") + 1
    found = STAMP.search(data, line) if line else None
    return found.start() if found else None
