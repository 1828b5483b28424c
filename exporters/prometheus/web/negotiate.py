"""In which format and encoding a client wants its answer (RFC 9110, 12.5). Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OFFSET = 0.25
"""Seconds of the scraper's timeout that are left for the way there and back."""
DEFAULT_TIMEOUT = 10.0
"""Prometheus' own default, for whoever does not say how long he waits."""
LONGEST_TIMEOUT = 120.0
_MOST_ITEMS = 32


def wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics 1.0.0 is preferred to the text format; where nothing is said, it is not."""
    openmetrics = text = 0.0
    for name, parameters in _items(accept):
        weight = _weight(parameters)
        # 0.0.1 is what Prometheus called 1.0.0 before it was done.
        if name == "application/openmetrics-text" and parameters.get("version", "1.0.0") in ("1.0.0", "0.0.1"):
            openmetrics = max(openmetrics, weight)
        elif name == "text/plain" and parameters.get("version", "0.0.4") == "0.0.4":
            text = max(text, weight)
    return openmetrics > 0 and openmetrics >= text


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the answer may be compressed."""
    weights = {name: _weight(parameters) for name, parameters in _items(accept_encoding)}
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def timeout_of(header: str | None) -> float:
    """Seconds that a scrape may take, by X-Prometheus-Scrape-Timeout-Seconds; what is no number there counts as not said."""
    try:
        given = float(header) if header is not None else DEFAULT_TIMEOUT
    except ValueError:
        given = DEFAULT_TIMEOUT
    if not math.isfinite(given) or given <= 0:
        given = DEFAULT_TIMEOUT
    given = min(given, LONGEST_TIMEOUT)
    return given - OFFSET if given >= 2 * OFFSET else given / 2


def _items(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for item in header.split(",")[:_MOST_ITEMS]:
        name, *rest = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in rest)
        yield name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}


def _weight(parameters: dict[str, str]) -> float:
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
