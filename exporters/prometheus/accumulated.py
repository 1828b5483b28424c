"""Counters of things that come and go, added up for what stays: pure arithmetic, kept in a collector's memory.

A session's counters vanish with it, and a sum over those that are left would fall. So each reading adds what has come since the
one before it. What a session did between the last reading and its end is lost: nobody counts it any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

REMEMBERED = 1000
"""So many owners that are gone are remembered: a volume that is detached and attached again goes on where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters of one `source` (a session) that count for `owner` (a LUN), as they stand. A source's name must not be given to
    another one that begins at 0 while it is known, unless a counter that cannot wrap is lower then."""

    source: Hashable
    owner: tuple[str, ...]
    values: tuple[int, ...]


class Accumulated:
    """What was counted for each owner since the first reading. What sources had counted before that is nobody's: a process that is
    started anew would else show a session's whole past as if it had happened since the last answer."""

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[int, ...] | None] = {}
        """What each source had counted when it was last read; None: it was there at the first reading, and has never been read."""
        self._totals: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._gone: dict[tuple[str, ...], tuple[int, ...]] = {}
        """The totals of owners that are not there now, the one that has been gone for longest first."""
        self._begun = False

    def add(self, readings: Iterable[Reading], wraps: tuple[int, ...], *, past: bool, unread: Iterable[Hashable] = ()) -> None:
        """Adds what came since the last reading of each source, all of a source that is new. `unread` are sources that are there
        and could not be read: what came meanwhile is added when they are read again. A source that is among neither is forgotten.
        `wraps` says for each counter at how many values it begins anew, 0 where it never does in the life of a machine. `past`:
        what the first reading finds counts too, for an answer that no other will follow."""
        last: dict[Hashable, tuple[int, ...] | None] = {}
        nothing = (0,) * len(wraps)
        new_from = nothing if self._begun or past else None
        for source in unread:
            if source in self._last or new_from is None:
                last[source] = self._last.get(source)
        for reading in readings:
            before = self._last.get(reading.source, new_from)
            new = nothing if before is None else since(before, reading.values, wraps)
            total = self._totals.get(reading.owner) or self._gone.get(reading.owner)
            self._totals[reading.owner] = new if total is None else tuple(a + b for a, b in zip(total, new, strict=True))
            last[reading.source] = reading.values
        self._last = last
        self._begun = True

    def keep(self, owners: Iterable[tuple[str, ...]], counters: int) -> None:
        """These owners are there now, read or not: one that was never read has counted 0. Any other has no total until it comes
        again, and is forgotten when it is not among the last :data:`REMEMBERED` that went."""
        zero = (0,) * counters
        known = self._gone | self._totals
        self._totals = {owner: known.pop(owner, zero) for owner in owners}
        self._gone = known
        for owner in list(self._gone)[:-REMEMBERED]:
            del self._gone[owner]

    def total(self, owner: tuple[str, ...]) -> tuple[int, ...] | None:
        """What was counted for an owner, None for one that is not known."""
        return self._totals.get(owner)


def since(before: tuple[int, ...], now: tuple[int, ...], wraps: tuple[int, ...]) -> tuple[int, ...]:
    """What was counted between two readings of one source. Where a counter that never wraps is lower than before, or one that wraps
    is lower by less than half of its values, the source was made anew in between, and all it has is new."""
    for old, new, wrap in zip(before, now, wraps, strict=True):
        if new < old and (not wrap or (new - old) % wrap >= wrap // 2):
            return now
    return tuple((new - old) % wrap if wrap else new - old for old, new, wrap in zip(before, now, wraps, strict=True))
