"""Tables for people: columns as wide as they need to be, or, on a terminal, as it has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.report.layout import len_shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = 2
_LEAST = 9
"""A name is cut to no fewer characters: the shortest that still tells two ends."""
CUT = ".."


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's title; whether numbers stand at its right edge; whether long names in it may lose their middle."""

    title: str
    right: bool = False
    cut: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """The title line and a line a row. With a `width` the widest columns that may be cut are cut, evenly, until a line fits; where
    even that does not do, lines are longer. Columns that are empty in every row ("-") are left out."""
    kept = [at for at, _ in enumerate(columns) if not rows or any(row[at] not in ("", "-") for row in rows)]
    chosen = [columns[at] for at in kept]
    cells = [[row[at] for at in kept] for row in rows]
    widths = [max([len(column.title), *(len_shown(row[at]) for row in cells)]) for at, column in enumerate(chosen)]
    if width is not None:
        _fit(chosen, widths, width)
    yield _line(chosen, [column.title for column in chosen], widths)
    for row in cells:
        yield _line(chosen, [shortened(cell, widths[at]) if chosen[at].cut else cell for at, cell in enumerate(row)], widths)


def _fit(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Takes from the widest of the columns that may be cut, one character at a time."""
    cuttable = [at for at, column in enumerate(columns) if column.cut]
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    while over > 0 and cuttable:
        widest = max(cuttable, key=lambda at: widths[at])
        if widths[widest] <= max(_LEAST, len(columns[widest].title)):
            break
        widths[widest] -= 1
        over -= 1


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` columns: its middle is what it loses, since names differ at their ends."""
    if len_shown(text) <= width:
        return text
    room = max(width - len(CUT), 2)
    head, tail = room // 2, room - room // 2
    return _first(text, head) + CUT + _first(text[::-1], tail)[::-1]


def _first(text: str, columns: int) -> str:
    end = min(columns, len(text))
    while end > 0 and len_shown(text[:end]) > columns:
        end -= 1
    return text[:end]


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = []
    for column, cell, wide in zip(columns, cells, widths, strict=True):
        space = " " * (wide - len_shown(cell))
        padded.append(space + cell if column.right else cell + space)
    return (" " * _GAP).join(padded).rstrip()
