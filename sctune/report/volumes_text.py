"""The list of volumes for people: a row a volume, and under it what the rows do not say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sctune.host.redact import redact_text
from sctune.model.volume import VolumeState
from sctune.report.sanitize import clean
from sctune.report.table import Column, table
from sctune.report.words import count_words, reason_words, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.model.volume import ServedAs, VolumeRow
    from sctune.report.layout import Style
    from sctune.unavailable import Unavailable

_COLUMNS = (
    Column(title="VOLUME", cut=True),
    Column(title="STATE"),
    Column(title="SIZE", right=True),
    Column(title="WRITTEN", right=True),
    Column(title="LOOP"),
    Column(title="VG/LV", cut=True),
    Column(title="TARGET", cut=True),
    Column(title="LUN", right=True),
    Column(title="INITIATORS", cut=True),
    Column(title="DISK"),
    Column(title="GUEST", cut=True),
    Column(title="SNAPSHOTS", cut=True),
    Column(title="WHY", cut=True),
)
_SGR = {
    VolumeState.BROKEN: "1;31",
    VolumeState.ORPHANED: "1;33",
    VolumeState.LEAKED: "1;33",
    VolumeState.DEGRADED: "1;33",
    VolumeState.UNKNOWN: "1;35",
}
_GAPS = 10


def render(
    rows: Sequence[VolumeRow], *, others: int, hidden: int, unread: Sequence[Unavailable], style: Style, width: int | None
) -> str:
    """The table. `others` are the host's own LVs and loop devices, `hidden` the rows that were not asked for; `width` is a
    terminal's, None where nothing need be cut."""
    lines = list(table(_COLUMNS, [_cells(row) for row in rows], width)) if rows else []
    lines[1:] = [_painted(line, row, style) for line, row in zip(lines[1:], rows, strict=True)]
    if lines:
        lines.append("")
    lines.extend(_below(rows, others, hidden, unread))
    return "\n".join(lines) + "\n"


def _painted(line: str, row: VolumeRow, style: Style) -> str:
    sgr = _SGR.get(row.state, "")
    word = f" {row.state.value}"
    at = line.find(word)
    return line if not sgr or at < 0 else line[: at + 1] + style.paint(row.state.value, sgr) + line[at + len(word) :]


def _cells(row: VolumeRow) -> list[str]:
    loops = [f"/dev/{name}" for name in row.loops]
    name = f"{row.vg}/{row.lv}" if row.lv else ""
    cells = (
        row.id,
        row.state.value,
        _size(row.size),
        _size(row.allocated),
        _several(loops),
        name,
        _several(_targets(row)),
        _several(_luns(row)),
        _several([_who(export, at) for export in row.exports for at in range(len(export.attachments))]),
        _disk(row),
        _several(list(row.guests)),
        _several(list(row.snapshots)),
        _several(list(row.why)),
    )
    return [clean(cell) if cell else "-" for cell in cells]


def _targets(row: VolumeRow) -> list[str]:
    """Those that serve it here; else those of another host it came from."""
    return [export.target for export in row.exports] or list(dict.fromkeys(disk.target for disk in row.disks))


def _luns(row: VolumeRow) -> list[str]:
    return [str(export.lun) for export in row.exports] or list(dict.fromkeys(str(disk.lun) for disk in row.disks))


def _disk(row: VolumeRow) -> str:
    return f"/dev/mapper/{row.multipath}" if row.multipath else _several([f"/dev/{disk.name}" for disk in row.disks])


def _who(export: ServedAs, at: int) -> str:
    nexus = export.attachments[at]
    return nexus.addresses[0] if nexus.addresses else nexus.initiator


def _size(size: int | None) -> str:
    return "" if size is None else size_words(size)


def _several(items: list[str]) -> str:
    """The first, and how many more."""
    if not items:
        return ""
    return items[0] if len(items) == 1 else f"{items[0]} +{len(items) - 1}"


def _below(rows: Sequence[VolumeRow], others: int, hidden: int, unread: Sequence[Unavailable]) -> Iterator[str]:
    states = Counter(row.state for row in rows)
    total = count_words(len(rows), "volume")
    told = ", ".join(f"{states[state]} {state.value}" for state in VolumeState if states[state])
    yield f"{total}: {told}." if told else "No volume." if not hidden else "No such volume."
    if hidden:
        yield f"{count_words(hidden, 'volume')} more: not asked for."
    if others:
        yield f"{count_words(others, 'LV or loop device', 'LVs or loop devices')} of the host's own: --all shows them."
    if any(row.why for row in rows):
        yield "sctune doctor says what is wrong and what to do; sctune chain VOLUME shows where."
    if unread:
        yield f"Could not look at ({len(unread)}):"
    for item in unread[:_GAPS]:
        detail = f" ({clean(redact_text(item.detail))})" if item.detail else ""
        yield f"  {clean(redact_text(item.what))}: {reason_words(item.reason)}{detail}"
    if len(unread) > _GAPS:
        yield f"  and {len(unread) - _GAPS} more"
