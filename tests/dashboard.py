"""The queries of the Grafana dashboard, by their panels."""

from __future__ import annotations

import json
from pathlib import Path

_FILE = Path(__file__).parents[1] / "exporters/prometheus/grafana/sctune.json"
QUERIES: list[tuple[str, str]] = [
    (panel["title"], target["expr"])
    for panel in json.loads(_FILE.read_text())["panels"]
    for target in panel.get("targets", ())
    if target["expr"]
]


def filled_in(query: str, *, rate: str) -> str:
    """A query with the dashboard's variables filled in: all jobs and hosts. `rate` is the interval that rates are taken over."""
    for name, value in (("$job", ".*"), ("$instance", ".*"), ("$__rate_interval", rate)):
        query = query.replace(name, value)
    assert "$" not in query, query
    return query
