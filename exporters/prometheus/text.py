"""Samples as text: Prometheus' own format, and OpenMetrics.

prometheus_client makes the same bytes of the same samples (tests/unit/test_exporter_text.py) and takes six times as long: it
sorts, checks and escapes the names and values of each sample by itself, where here a metric's lines come of one pattern. At a
thousand volumes that was the larger half of a scrape.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and .../docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from prometheus_client.utils import floatToGoString

from sctune.exporters.prometheus.metric import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sctune.exporters.prometheus.metric import Metric
    from sctune.exporters.prometheus.samples import Samples

_as_go = cast("Any", floatToGoString)  # it has no types
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
    if not names:
        return "".join([f"{metric.name} {_number(value)}\n" for value in series.values()])
    places = sorted(range(len(names)), key=names.__getitem__)
    pairs = ",".join([f'{names[place]}="%s"' for place in places])
    pattern = f"{metric.name}{{{pairs}}} %s\n"
    ordered: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple if places == sorted(places) else itemgetter(*places)
    text = "".join([pattern % (*ordered(labels), _number(value)) for labels, value in series.items()])
    # Nearly always no value has a character in it that must be written otherwise: looked at once for all, and not for each.
    if text.count("\n") == len(series) and text.count('"') == 2 * len(names) * len(series) and "\\" not in text:
        return text
    return "".join([pattern % (*map(_escaped, ordered(labels)), _number(value)) for labels, value in series.items()])


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return repr(float(value)) if -_PLAIN < value < _PLAIN else cast("str", _as_go(value))
