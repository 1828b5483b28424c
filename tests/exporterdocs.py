"""The tables of docs/exporter.md, made from the metrics' declarations. `python -m tests.exporterdocs` writes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.exporters.prometheus import health
from sctune.exporters.prometheus.registry import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.exporters.prometheus.metric import Metric

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "exporter.md")
BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"


def table() -> str:
    """A section for each collector, a row for each metric."""
    parts = [_section("The exporter itself", "Of every scrape.", health.METRICS)]
    parts += [
        _section(f"Collector `{one.name}`", one.about + ("" if one.default else " Off by default."), one.metrics) for one in load()
    ]
    return BEGIN + "\n".join(parts) + END


def _section(title: str, about: str, metrics: Iterable[Metric]) -> str:
    rows = (
        f"| `{metric.name}` | {', '.join(metric.labels)} | {metric.kind}{', detail' if metric.detail else ''} "
        f"| {_cell(metric.about)} | {_cell(metric.source)} |"
        for metric in metrics
    )
    head = "| metric | labels | kind | what it is | source |\n|---|---|---|---|---|\n"
    return f"### {title}\n\n{about}\n\n{head}" + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Writes the tables into the page."""
    with open(DOCS, encoding="utf-8") as file:
        text = file.read()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    with open(DOCS, "w", encoding="utf-8") as file:
        file.write(before + table() + after)


if __name__ == "__main__":
    main()
