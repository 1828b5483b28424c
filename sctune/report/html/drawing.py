"""A chain as a drawing: boxes one under the other, from the backing file down to the guest, and lines between them.

What stands alone on a link is right under it; of several the last is, and the others branch off to the right before it, so that
the trunk is one straight line and a drawing is never wider than a telephone.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from sctune.model.tree import Layer, Mark
from sctune.records import dataclass, field
from sctune.report.html.model import Drawing, Edge, Node
from sctune.report.html.words import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sctune.model.tree import Link

_WIDTH = 300
_HEIGHT = 42
_LINE = 15
_GAP = 14
_INDENT = 22
_RAIL = 14
"""Where the line of a trunk leaves a box, from its left."""
_EDGE = 2
_FIT = 37
"""Characters of the name that fit in a box."""
_FIT_SMALL = 45
_DEEPEST = 3
"""A branch of a branch of a branch is drawn no further to the right."""

LAYERS = {
    Layer.FILE: "backing file",
    Layer.LOOP: "loop device",
    Layer.PV: "physical volume (PV)",
    Layer.VG: "volume group (VG)",
    Layer.LV: "logical volume (LV)",
    Layer.SNAPSHOT: "snapshot (COW)",
    Layer.COW_STORE: "COW store",
    Layer.COPY: "running copy",
    Layer.TARGET: "iSCSI target",
    Layer.LUN: "LUN",
    Layer.NEXUS: "initiator",
    Layer.SESSION: "iSCSI session",
    Layer.DISK: "disk of this host",
    Layer.MULTIPATH: "multipath map",
    Layer.GUEST: "guest",
}
"""What a link is."""
MARKS = {Mark.FINE: "", Mark.MISSING: "MISSING", Mark.BROKEN: "BROKEN", Mark.UNKNOWN: "NOT KNOWN"}
"""What is wrong with it."""
WARNED = "warned"
"""The mark of a link that holds, and that something is found about."""
_SAID = {
    Mark.MISSING.value: "is missing",
    Mark.BROKEN.value: "is broken",
    Mark.UNKNOWN.value: "could not be looked at",
    WARNED: "is warned of",
}
_HOLDING = frozenset({Mark.FINE.value, WARNED})


def draw(name: str, links: Sequence[Link]) -> Drawing:
    """The drawing of the volume `name`."""
    board = _Board()
    before: Node | None = None
    for link in links:
        node = board.put(link, 0, None)
        if before is not None:
            # Both carry what is above, which is shown on the last of them.
            board.rail(before, node)
        before = node
    right = max((node.x + node.width for node in board.nodes), default=0)
    return Drawing(
        title=f"Chain of {name}",
        text=_sentence(board.spoken),
        width=right + _EDGE,
        height=board.bottom - _GAP + _EDGE if board.nodes else 0,
        nodes=tuple(board.nodes),
        edges=tuple(_joined(board.edges)),
    )


def _joined(edges: Iterable[Edge]) -> Iterator[Edge]:
    """The lines of one look as one path: a file of a thousand volumes is a tenth smaller for it."""
    paths: dict[str, list[str]] = {}
    for edge in edges:
        paths.setdefault(edge.mark, []).append(edge.path)
    for mark, found in paths.items():
        yield Edge(path="".join(found), mark=mark)


def _mark(link: Link) -> tuple[str, str]:
    """A link's mark and its word. One that holds may still be what a warning is about."""
    worst = max((finding.severity for finding in link.findings), key=lambda severity: severity.rank, default=None)
    if link.mark is Mark.FINE and worst is not None and worst.rank > 0:
        return WARNED, worst.value.upper()
    return link.mark.value, MARKS[link.mark]


def _sentence(spoken: Sequence[tuple[str, str]]) -> str:
    bad = [f"{words} {what}" for words, what in spoken if what]
    if not bad:
        return f"{len(spoken)} links, and all of them hold. The table tells each."
    return f"{len(spoken)} links. {'; '.join(bad)}. The table tells each."


@dataclass(slots=True, kw_only=True)
class _Board:
    """What is drawn so far; `bottom` is where the next box goes."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    spoken: list[tuple[str, str]] = field(default_factory=list)
    bottom: int = _EDGE

    def put(self, link: Link, lane: int, below: Node | None) -> Node:
        """Draws a link and what stands on it, `lane` steps to the right."""
        lines = tuple(fit(text, _FIT_SMALL) for text in _lines(link))
        height = _HEIGHT + _LINE * len(lines)
        mark, word = _mark(link)
        layer = LAYERS[link.layer]
        name = said(link.name) or "none"
        node = Node(
            x=_EDGE + _INDENT * min(lane, _DEEPEST),
            y=self.bottom,
            width=_WIDTH,
            height=height,
            layer=layer,
            name=fit(name, _FIT),
            mark=mark,
            word=word,
            lines=lines,
        )
        self.nodes.append(node)
        self.spoken.append((f"{layer} {name}", _SAID.get(mark, "")))
        self.bottom += height + _GAP
        if below is not None:
            self.join(below, node)
        for number, above in enumerate(link.above, 1):
            self.put(above, lane if number == len(link.above) else lane + 1, node)
        return node

    def join(self, below: Node, above: Node) -> None:
        """The line from one box to what stands on it."""
        x, start = below.x + _RAIL, below.y + below.height
        fine = {below.mark, above.mark} <= _HOLDING
        # A branch leaves the trunk, which goes on to what is last.
        aside = f"M{x} {above.y + _HEIGHT // 2}H{above.x}"
        path = f"M{x} {start}V{above.y}" if above.x == below.x else aside
        self.edges.append(Edge(path=path, mark="fine" if fine else "broken"))

    def rail(self, one: Node, other: Node) -> None:
        """The line between two that stand side by side."""
        x = one.x + _WIDTH // 2
        self.edges.append(Edge(path=f"M{x} {one.y + one.height}V{other.y}", mark="beside"))


def _lines(link: Link) -> list[str]:
    """What stands under the name of a link that something is wrong with."""
    found = [said(link.note)] if link.note else []
    codes = list(dict.fromkeys(finding.code for finding in link.findings if finding.severity.rank > 0))
    if codes:
        found.append(f"{codes[0]} and {len(codes) - 1} more" if len(codes) > 1 else codes[0])
    return found


def fit(text: str, room: int) -> str:
    """`text` without its middle where it is wider than `room` characters; some are two wide."""
    if sum(map(_wide, text)) <= room:
        return text
    tail = room * 2 // 5
    return f"{_start(text, room - tail - 1)}…{_start(text[::-1], tail)[::-1]}"


def _start(text: str, room: int) -> str:
    left = room
    for at, char in enumerate(text):
        left -= _wide(char)
        if left < 0:
            return text[:at]
    return text


def _wide(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
