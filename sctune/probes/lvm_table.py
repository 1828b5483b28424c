"""A table as pvs, vgs and lvs print it for people, with headings, and messages among its lines. Pure.

    LV        VG   Attr       LSize  Pool Origin Data%  LV Tags Devices
    euca-vol  vg-1 -wi-ao----  1.00g                     vol-1   /dev/loop1(0)

Text stands left in its column and numbers right, a field may be empty, and a column is as wide as its widest field, with one blank
after it (LVM, lib/report/report.c). So between two headings there is a place at which every row has a blank: there the column ends.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADINGS = ("PV UUID", "1st PE", "VG UUID", "VG Tags", "System ID", "Lock Type", "LV Tags", "LV UUID")
_HEADING = re.compile("|".join((*map(re.escape, _HEADINGS), r"\S+")))
_WIDEST = 4096
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60, "s": 512}
_SIZE = re.compile(r"<?(\d{1,15})(?:[.,](\d{1,6}))?([bBkmgtpesKMGTPES]?)", re.ASCII)
_MESSAGE = re.compile(
    r"\s+(?:WARNING|Reloading|Loading|Couldn't|Cannot|Failed|Found|PV \S+ |Not using|No |Skipping|Wiping|Unable|Volume group "
    r"|Recovery of|Consider|Check that|File descriptor|Using|Refusing|Incorrect|Please|Obtaining|Processing|Unlock|log/|device"
    r"|global|/dev/\S+:|Device|Read-only|Logging|Setting|metadata|Metadata|Incompatible|The |If )"
)


def parse(text: str, first: str, attributes: re.Pattern[str]) -> tuple[list[dict[str, str]], list[str]]:
    """The rows by heading, and the messages. `first` is the first heading, `attributes` what a row has under Attr.

    No table at all is no row, as LVM prints none where there is nothing. ValueError for a line that is neither row nor message:
    part of a table would be counted as all of it.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    start = next((place for place, line in enumerate(lines) if line.split()[:1] == [first] and " Attr " in line), None)
    if start is None:
        strange = next((line for line in lines if not _MESSAGE.match(line)), None)
        if strange is not None:
            raise ValueError(f"neither heading nor message: {strange.strip()[:60]!r}")
        return [], [line.strip() for line in lines]
    heading = lines[start]
    if len(heading) > _WIDEST:
        raise ValueError("a heading that is wider than any")
    titles = [(match[0], match.start(), match.end()) for match in _HEADING.finditer(heading)]
    at = next(begin for title, begin, _ in titles if title == "Attr")
    rows: list[str] = []
    messages = [line.strip() for line in lines[:start]]
    for line in lines[start + 1 :]:
        if attributes.fullmatch(line[at:].split(" ")[0]) and line[at - 1 : at] == " ":
            rows.append(line)
        elif _MESSAGE.match(line):
            messages.append(line.strip())
        else:
            raise ValueError(f"neither row nor message: {line.strip()[:60]!r}")
    bounds = _bounds(titles, rows)
    return [
        {title: row[begin:stop].strip() for (title, _, _), (begin, stop) in zip(titles, bounds, strict=True)} for row in rows
    ], messages


def _bounds(titles: Sequence[tuple[str, int, int]], rows: Sequence[str]) -> list[tuple[int, int | None]]:
    """Where each column begins and ends."""
    cuts = [0]
    for (title, _, stop), (_, begin, _) in itertools.pairwise(titles):
        cut = next((place for place in range(stop, begin) if all(row[place : place + 1] in ("", " ") for row in rows)), None)
        if cut is None:
            raise ValueError(f"the column {title} does not end before the next")
        cuts.append(cut)
    return list(zip(cuts, [*cuts[1:], None], strict=True))


def size(text: str) -> int:
    """`<1.50g` in bytes, as near as it is told; 0 for an empty field. Raises ValueError."""
    if not text:
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no size")
    unit = _UNITS[match[3].lower() or "b"]
    digits = match[2] or "0"
    return int(match[1]) * unit + int(digits) * unit // int(10 ** len(digits))
