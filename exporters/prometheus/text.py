"""Samples as text: Prometheus' own format, and OpenMetrics.

prometheus_client makes the same bytes of the same samples (tests/unit/test_exporter_text.py) and takes six times as long: it
sorts, checks and escapes the names and values of each sample by itself, where here a metric's lines come of one pattern. At a
thousand volumes that was the larger half of a scrape.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and .../docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from functools import lru_cache
from math import isinf, isnan
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.metric import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sctune.exporters.prometheus.metric import Metric
    from sctune.exporters.prometheus.samples import Samples

_MANY = 8192
_DIGITS = 6
_PLAIN = 1e6
"""Below it a number is written as Python writes it; from here on Prometheus' own client, in Go, writes an exponent."""


def text_of(samples: Samples, order: Sequence[Metric], *, openmetrics: bool) -> bytes:
    """The samples' text, in the order in which the metrics are declared. A metric without a sample is not in it; of OpenMetrics the
    end mark is not either, so that texts can be joined."""
    parts: list[str] = []
    for metric in order:
        series = samples.values.get(metric)
        if series is None:
            continue
        name = metric.name.removesuffix("_total") if openmetrics and metric.kind is Kind.COUNTER else metric.name
        about = metric.help.replace("\\", r"\\").replace("\n", r"\n")
        if openmetrics:
            about = about.replace('"', r"\"")
        parts.append(f"# HELP {name} {about}\n# TYPE {name} {metric.kind}\n")
        parts.append(_lines(metric, series))
    return "".join(parts).encode()


def _lines(metric: Metric, series: Mapping[tuple[str, ...], float]) -> str:
    """The lines of one metric's series, the labels in the order of their names."""
    names = metric.labels
    numbers = _numbers(series.values())
    if not names:
        return "".join([f"{metric.name} {number}\n" for number in numbers])
    places = sorted(range(len(names)), key=names.__getitem__)
    pairs = ",".join([f'{names[place]}="%s"' for place in places])
    pattern = f"{metric.name}{{{pairs}}} %s\n"
    columns = tuple(zip(*series, strict=True))
    ordered = [columns[place] for place in places]
    text = "".join(map(pattern.__mod__, zip(*ordered, numbers, strict=True)))
    # Nearly always no value has a character in it that must be written otherwise: looked at once for all, and not for each.
    if text.count("\n") == len(series) and text.count('"') == 2 * len(names) * len(series) and "\\" not in text:
        return text
    escaped = [map(_escaped, column) for column in ordered]
    return "".join(map(pattern.__mod__, zip(*escaped, numbers, strict=True)))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _numbers(values: Iterable[float]) -> list[str]:
    """The values as they are written. Python's own way is right for all of a metric, or for none that is looked at here."""
    found = list(map(float, values))
    if not isnan(sum(found)) and min(found, default=0.0) > -_PLAIN and max(found, default=0.0) < _PLAIN:
        return list(map(repr, found))
    return [repr(value) if -_PLAIN < value < _PLAIN else _as_go(value) for value in found]


@lru_cache(maxsize=_MANY)  # large numbers are mostly sizes, which recur
def _as_go(value: float) -> str:
    """A number of any size as prometheus_client writes it: an exponent sooner than Python does, of what is above 0."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    dot = text.find(".")
    if value <= 0 or dot <= _DIGITS:
        return text
    mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
    return f"{mantissa}e+{dot - 1:02d}"
