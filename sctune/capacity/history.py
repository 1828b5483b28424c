"""How a store filled in the past, and when it is full if it goes on like that. Pure.

Two formats are read: CSV lines `time,used_bytes[,size_bytes]` (time as RFC 3339 with its zone, or seconds since the epoch; a first
line of names, blank lines, lines that begin with # and the third column are passed over), and the answer of Prometheus to
/api/v1/query_range (https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries): a matrix of bytes in use.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sctune.model.capacity import Forecast
from sctune.model.units import duration_words, size_words
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.model.capacity import StoreCapacity

LEAST_POINTS = 3
LEAST_SPAN = 3600.0
_CLOCKS_DIFFER = 3600.0
_DAY = 86400.0
_OTHER_UNIT = 500
"""A history that ends with so many times less than is in use now is in KiB or MB, or of another store."""
_MOST_POINTS = 400
"""Of more, as many are taken at even distances: 400 points have 79,800 slopes."""
_EPOCH = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?\Z")
_BYTES = re.compile(r"[0-9]{1,19}(?:\.[0-9]+)?\Z")


class HistoryError(ValueError):
    """The text is no history; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series: (time, bytes used), by time and each time once. `labels` are what Prometheus calls it by."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


def parse(text: str) -> tuple[Series, ...]:
    """Either format. Raises HistoryError."""
    text = text.removeprefix("\ufeff")
    return _prometheus(text) if text.lstrip().startswith(("{", "[")) else (_csv(text),)


def _csv(text: str) -> Series:
    points: list[tuple[float, float]] = []
    first = True
    for number, line in enumerate(text.splitlines(), 1):
        row = line.strip()
        if not row or row.startswith("#"):
            continue
        cells = [cell.strip().strip('"') for cell in row.split(",")]
        named, first = first and not cells[0][:1].isdecimal(), False
        if named:
            continue
        if len(cells) not in (2, 3) or not all(map(_BYTES.match, cells[1:])):
            raise HistoryError(f"line {number}: expected time,used_bytes[,size_bytes]")
        points.append((_time(cells[0], number), float(cells[1])))
    return Series(labels={}, points=_ordered(points))


def _time(text: str, number: int) -> float:
    if _EPOCH.match(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise HistoryError(f"line {number}: {text[:40]!r} is no time in RFC 3339, nor seconds since the epoch") from None
    if moment.tzinfo is None:
        raise HistoryError(f"line {number}: {text[:40]!r} has no time zone: write Z or +01:00 behind it")
    return moment.timestamp()


def _prometheus(text: str) -> tuple[Series, ...]:
    import json

    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"no JSON document: {error}") from None
    try:
        if answer.get("status", "success") != "success":
            raise HistoryError("Prometheus answered with an error")
        data = answer.get("data", answer)
        if data["resultType"] != "matrix":
            raise HistoryError(f"a {data['resultType']!r}, and no matrix: ask /api/v1/query_range")
        return tuple(
            Series(
                labels={str(key): str(value) for key, value in series["metric"].items()},
                points=_ordered((float(when), float(value)) for when, value in series["values"]),
            )
            for series in data["result"]
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, HistoryError):
            raise
        raise HistoryError("not the answer of Prometheus' /api/v1/query_range (a matrix)") from None


def _ordered(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """By time; of several of one time the last; what is no number is left out, as Prometheus means it."""
    kept = {when: value for when, value in points if math.isfinite(when) and math.isfinite(value) and value >= 0}
    return tuple(sorted(kept.items()))


def choose(series: tuple[Series, ...], store: str, *, only: bool) -> Series | Unavailable:
    """The series of a store: the one whose label `mountpoint` (or `filesystem`, `store`, `path`) is its name; a single one where
    it is the `only` store."""
    named = [one for one in series if store in (one.labels.get(key) for key in ("mountpoint", "filesystem", "store", "path"))]
    if len(named) == 1:
        return named[0]
    if len(series) == 1 and only and not named and not any(key in series[0].labels for key in ("mountpoint",)):
        return series[0]
    why = "no series of it" if not named else f"{len(named)} series of it"
    if not named and len(series) == 1 and not series[0].labels:
        why = "the history does not say which of several stores it is of"
    return Unavailable(reason=Reason.NOT_COLLECTED, what=f"the history of {store}", detail=why)


def forecast(series: Series, store: StoreCapacity, *, now: float) -> Forecast | Unavailable:
    """When `store` is nearly full and full, by the median of all slopes (Theil 1950, Sen 1968), which a few jumps do not move.
    Unavailable where there are too few points or too short a time to say, where they cannot be of this store in bytes, where they
    lie in the future, or ended a day ago and longer ago than they span."""
    points = series.points
    what = f"a forecast for {store.name}"
    if len(points) < LEAST_POINTS:
        return Unavailable(
            reason=Reason.NOT_COLLECTED,
            what=what,
            detail=f"the history has {len(points)} points, and {LEAST_POINTS} are needed",
        )
    span = points[-1][0] - points[0][0]
    if span < LEAST_SPAN:
        return Unavailable(reason=Reason.NOT_COLLECTED, what=what, detail=f"the history spans {span:.0f} s, and an hour is needed")
    ago = now - points[-1][0]
    if ago < -_CLOCKS_DIFFER:
        return Unavailable(
            reason=Reason.MALFORMED,
            what=what,
            detail=f"the history ends {duration_words(-ago)} in the future: are its times right?",
        )
    if ago > max(_DAY, span):
        return Unavailable(
            reason=Reason.NOT_COLLECTED,
            what=what,
            detail=f"the history ended {duration_words(ago)} ago and spans {duration_words(span)}",
        )
    last = points[-1][1]
    if last > store.total or last * _OTHER_UNIT < store.used:
        return Unavailable(
            reason=Reason.MALFORMED,
            what=what,
            detail=f"the history ends with {size_words(last)} in use, and now there are {size_words(store.used)} of "
            f"{size_words(store.total)}: is it in bytes, and of this store?",
        )
    low, slope, high = _slopes(_thinned(points))
    return Forecast(
        points=len(points),
        since=points[0][0],
        until=points[-1][0],
        slope=slope,
        slope_low=low,
        slope_high=high,
        nearly_full_seconds=_until(int(store.nearly_full * store.usable) - store.used, slope),
        full_seconds=_until(store.available, slope),
    )


def _until(room: int, slope: float) -> float | None:
    return max(0, room) / slope if slope > 0 else None


def _thinned(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if len(points) <= _MOST_POINTS:
        return points
    last = len(points) - 1
    return tuple(points[round(place * last / (_MOST_POINTS - 1))] for place in range(_MOST_POINTS))


def _slopes(points: tuple[tuple[float, float], ...]) -> tuple[float, float, float]:
    """The quartiles and the median of the slopes between all pairs."""
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0]) for place, earlier in enumerate(points) for later in points[place + 1 :]
    )

    def at(share: float) -> float:
        exact = share * (len(slopes) - 1)
        below = math.floor(exact)
        above = min(below + 1, len(slopes) - 1)
        return slopes[below] + (slopes[above] - slopes[below]) * (exact - below)

    return at(0.25), at(0.5), at(0.75)
