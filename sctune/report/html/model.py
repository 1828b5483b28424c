"""What the page shows, in words and figures: nothing of it is looked up or judged any more when it becomes HTML.

All text is harmless (`sanitize.clean`) and without secrets; the templates escape it. An `anchor` is the id of what is told, a link
leads to one; "" where there is none. Times and sizes are words already; figures of drawings are in CSS pixels, of bars in percent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.report.html.bench_model import BenchTold


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and a value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One finding: `mark` is what a baseline makes of it, `chain` leads to the volume's drawing, `follows` says what
    cause is not told with it."""

    mark: str
    severity: str
    subject: str
    chain: str
    summary: str
    facts: tuple[Fact, ...]
    source: str
    follows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyTold:
    """One remedy, for `whom` where a card has several; `commands` of all that it is for."""

    text: str
    disturbs: bool
    whom: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Findings of one code that follow from a card's."""

    severity: str
    code: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All findings of one code that have no cause here. `told` are shown, `more` shown on demand."""

    anchor: str
    code: str
    severity: str
    count: str
    title: str
    meaning: str
    why: str
    thresholds: str
    see: tuple[str, ...]
    told: tuple[Told, ...]
    more: tuple[Told, ...]
    common: tuple[Fact, ...]
    remedies: tuple[RemedyTold, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The cards of one severity, or of one mute. `severity` is what it looks like: info, warning, critical, muted."""

    heading: str
    severity: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A finding that is not told in full."""

    severity: str
    code: str
    subject: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Findings beside those of this run: known, gone, not seen."""

    heading: str
    note: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapTold:
    """What could not be looked at, why, and which checks are incomplete for it."""

    what: str
    why: str
    checks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check's outcome."""

    name: str
    title: str
    status: str
    examined: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box of a drawing: its left upper corner and height. `mark` is fine, warned, missing, broken or unknown, `word` the same in
    words; `lines` stand under the name."""

    x: int
    y: int
    width: int
    height: int
    layer: str
    name: str
    mark: str
    word: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A line between two boxes: `path` in the words of SVG; `fine`, `broken`, or `beside` where both carry what is above."""

    path: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chain from the backing file at the top to who uses it, and the same in a sentence."""

    title: str
    text: str
    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLink:
    """A finding's code and where its card is."""

    code: str
    severity: str
    anchor: str
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """A link of a chain as a row of a table. `word` says what is wrong with it, "" where it holds."""

    layer: str
    name: str
    mark: str
    word: str
    note: str
    facts: str
    source: str
    findings: tuple[CodeLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTold:
    """One volume. `tone` is bad, doubt or good; `why` are the codes that make its state."""

    anchor: str
    name: str
    subject: str
    state: str
    tone: str
    about: str
    why: tuple[CodeLink, ...]
    unseen: tuple[str, ...]
    drawing: Drawing
    rows: tuple[LinkRow, ...]
    by_hand: tuple[str, ...]
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainsTold:
    """All volumes, worst first: `troubled` one by one, `fine` on demand. `note` says how many there are, `withheld` why none is
    drawn, `unread` what could not be looked at: a volume may be missing for it."""

    note: str
    withheld: str
    unread: tuple[str, ...]
    troubled: tuple[ChainTold, ...]
    fine: tuple[ChainTold, ...]
    fine_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar, from `start` on, both in percent of it; `kind` chooses its look."""

    start: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a segment of a bar stands for."""

    kind: str
    name: str
    size: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How much of something is used. `level` is fine, warning or critical, `level_words` the same in words; `ticks` are thresholds
    in percent. `text` says all of it. `parts` are told beside it, `notes` under it."""

    name: str
    what: str
    value: str
    text: str
    level: str
    level_words: str
    segments: tuple[Segment, ...]
    ticks: tuple[float, ...]
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeRow:
    """A limit that can be honoured, against the one in force."""

    name: str
    key: str
    safe: str
    current: str
    words: str
    level: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceTold:
    """Space by place: stores, VGs and pools, loop devices; COW snapshots, the fullest first; quotas. `unknown` could not be had."""

    places: tuple[Bar, ...]
    snapshots: tuple[Bar, ...]
    more_snapshots: tuple[Bar, ...]
    quotas: tuple[Bar, ...]
    safe: tuple[SafeRow, ...]
    notes: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """A setting that is not as it was left."""

    setting: str
    path: str
    wanted: str
    now: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTold:
    """What sctune applied here: in words, what is different now, what could not be told."""

    words: str
    applied: tuple[str, ...]
    drifted: tuple[DriftRow, ...]
    gone: tuple[str, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the table of contents."""

    anchor: str
    title: str
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTold:
    """The whole page. `level` is what the verdict looks like: critical, warning, unknown, fine."""

    host: str
    when: str
    version: str
    level: str
    level_words: str
    verdict: str
    next: str
    facts: tuple[Fact, ...]
    contents: tuple[Entry, ...]
    bands: tuple[Band, ...]
    muted: tuple[Band, ...]
    apart: tuple[Apart, ...]
    gaps: tuple[GapTold, ...]
    absent: tuple[GapTold, ...]
    left_behind: str
    checks: tuple[CheckRow, ...]
    chains: ChainsTold | None
    space: SpaceTold | None
    tuning: TuningTold | None
    bench: BenchTold | None
