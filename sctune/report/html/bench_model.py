"""What the page shows of a benchmark, in words and figures as sctune.report.html.model has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.report.html.model import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisker:
    """Where a bar's slowest and fastest run end, in percent of the chart."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedBar:
    """One layer in one job. `width` is its median in percent of the chart, None where it was not measured and `value` says why;
    `kind` chooses its look, `mark` says the same in words; `text` says all of it."""

    layer: str
    value: str
    text: str
    kind: str
    mark: str
    width: float | None
    whisker: Whisker | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """The same in a table, with all that the bar has no room for. `why` stands in place of figures that there are none of."""

    layer: str
    cells: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One job on all layers, the lowest first. `scale` says how long the whole chart is; `columns` are the titles of cells."""

    anchor: str
    title: str
    what: str
    scale: str
    note: str
    columns: tuple[str, ...]
    bars: tuple[SpeedBar, ...]
    rows: tuple[FigureRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """What a layer was, and what is to be thought of it. `tag` is what the verdict looks like."""

    layer: str
    address: str
    facts: tuple[Fact, ...]
    verdict: str
    tag: str
    means: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchTold:
    """All of it. `warning` says what makes it another host's, "" where nothing does."""

    words: str
    warning: str
    facts: tuple[Fact, ...]
    layers: tuple[LayerRow, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]
