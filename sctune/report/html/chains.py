"""Every volume with its chain: the troubled first, those that are well on demand."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sctune.chain_tree import by_hand, walk
from sctune.model.tree import Mark
from sctune.model.volume import VolumeState
from sctune.report.format import VolumeSort
from sctune.report.html.drawing import LAYERS, MARKS, draw
from sctune.report.html.model import ChainsTold, ChainTold, CodeLink, LinkRow
from sctune.report.html.words import facts_of, said, unavailable_words
from sctune.report.sanitize import clean, clean_command
from sctune.report.words import count_words, size_words, subject_words
from sctune.volumes import sort_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.findings import Evidence
    from sctune.model.tree import Link
    from sctune.model.volume import VolumeRow
    from sctune.report.html.scene import Drawn, Scene

_TONES = {
    VolumeState.BROKEN: "bad",
    VolumeState.ORPHANED: "bad",
    VolumeState.LEAKED: "warn",
    VolumeState.DEGRADED: "warn",
    VolumeState.UNKNOWN: "doubt",
}
_OPEN = 6
"""Troubled volumes whose chain is shown without being asked for."""
_FEW = 12
"""So many that are well are listed without being asked for; a single one's chain is shown too."""


def anchors(scene: Scene | None) -> dict[tuple[str, str], str]:
    """Where a volume's drawing is, by the kind and the printable id of the volume and of its snapshots."""
    found: dict[tuple[str, str], str] = {}
    for number, drawn in enumerate(_sorted(scene), 1):
        subject = drawn.row.subject
        found[subject.kind.value, clean(subject.id)] = f"chain-{number}"
        for snapshot in drawn.row.snapshots:
            found.setdefault(("snapshot", clean(snapshot)), f"chain-{number}")
    return found


def chains(scene: Scene, where: Mapping[str, str]) -> ChainsTold | None:
    """All drawings; None where there is no volume and nothing hides one. `where` leads from a code to its card."""
    if scene.volumes is None:
        return ChainsTold(
            note="",
            withheld="Not all checks that judge volumes were run, so that nobody can say which are well.",
            unread=(),
            troubled=(),
            fine=(),
            fine_open=False,
        )
    if not scene.volumes and not scene.unread:
        return None
    ordered = _sorted(scene)
    troubled = [(number, one) for number, one in enumerate(ordered, 1) if one.row.state in _TONES]
    fine = [(number, one) for number, one in enumerate(ordered, 1) if one.row.state not in _TONES]
    states = Counter(one.row.state for one in ordered)
    told = ", ".join(f"{states[state]} {state.value}" for state in VolumeState if states[state])
    others = count_words(scene.others, "LV or loop device", "LVs or loop devices")
    note = f"{count_words(len(ordered), 'volume')}: {told}." if told else "No volume."
    if scene.others:
        note += f" {others} of the host's own {'is' if scene.others == 1 else 'are'} not drawn."
    return ChainsTold(
        note=note,
        withheld="",
        unread=tuple(map(unavailable_words, scene.unread)),
        troubled=tuple(_chain(one, number, where, open=at < _OPEN) for at, (number, one) in enumerate(troubled)),
        fine=tuple(_chain(one, number, where, open=len(ordered) == 1) for number, one in fine),
        fine_open=len(fine) <= _FEW,
    )


def _sorted(scene: Scene | None) -> list[Drawn]:
    """Worst first, then by name."""
    volumes = scene.volumes if scene is not None and scene.volumes is not None else ()
    by_row = {id(one.row): one for one in volumes}
    return [by_row[id(row)] for row in sort_rows((one.row for one in volumes), VolumeSort.STATE)]


def _chain(drawn: Drawn, number: int, where: Mapping[str, str], *, open: bool) -> ChainTold:
    row = drawn.row
    name = said(row.id)
    severities = {finding.code: finding.severity.value for link in walk(drawn.links) for finding in link.findings}
    return ChainTold(
        anchor=f"chain-{number}",
        name=name,
        subject=said(subject_words(row.subject)).removesuffix(name).strip() or "volume",
        state=row.state.value,
        tone=_TONES.get(row.state, "good"),
        about=", ".join(_about(row)),
        why=tuple(CodeLink(code=code, severity=severities.get(code, ""), anchor=where.get(code, "")) for code in row.why),
        unseen=tuple(map(unavailable_words, row.unseen)),
        drawing=draw(name, drawn.links),
        rows=tuple(_row(link, where) for link in walk(drawn.links)),
        by_hand=tuple(map(clean_command, by_hand(drawn.links))),
        open=open,
    )


def _about(row: VolumeRow) -> Sequence[str]:
    """What a line can say of a volume."""
    found = [size_words(row.size)] if row.size is not None else []
    if row.allocated is not None and row.file:
        found.append(f"{size_words(row.allocated)} written")
    if row.exports:
        found.append(f"served as {said(row.exports[0].target)}, LUN {row.exports[0].lun}")
    elif row.disks:
        found.append(f"from {said(row.disks[0].target)}")
    if row.attachments:
        found.append(f"{count_words(len(row.attachments), 'initiator')} logged in")
    if row.guests:
        found.append(f"guest {said(row.guests[0])}" + (f" and {len(row.guests) - 1} more" if len(row.guests) > 1 else ""))
    if row.snapshots:
        found.append(count_words(len(row.snapshots), "snapshot"))
    if row.copies:
        found.append(f"{count_words(row.copies, 'copy', 'copies')} running")
    found.append(row.backend)
    return found


def _row(link: Link, where: Mapping[str, str]) -> LinkRow:
    return LinkRow(
        layer=LAYERS[link.layer],
        name=said(link.name),
        mark=link.mark.value,
        word="" if link.mark is Mark.FINE else MARKS[link.mark],
        note=said(link.note),
        facts="; ".join(f"{fact.name} {fact.value}" for fact in facts_of(_told(link))),
        source=said(link.source),
        findings=tuple(
            CodeLink(
                code=said(one.code), severity=one.severity.value, anchor=where.get(clean(one.code), ""), words=said(one.summary)
            )
            for one in link.findings
        ),
    )


def _told(link: Link) -> Evidence:
    return tuple((key, value) for key, value in link.facts if value is not None)
