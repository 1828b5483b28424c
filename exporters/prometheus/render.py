"""What prometheus_client tells of this process, and its families as text; the collectors' own samples are `text.text_of`'s.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and .../docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric as Family

_END = b"# EOF\n"


class _Families:
    """What prometheus_client takes for a registry."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def render(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """The families' text. Of OpenMetrics without the end mark, so that texts can be joined."""
    if openmetrics:
        from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

        return cast("bytes", cast("Any", generate_openmetrics)(_Families(families))).removesuffix(_END)
    from prometheus_client.exposition import generate_latest

    return cast("bytes", cast("Any", generate_latest)(_Families(families)))


@cache
def _own() -> tuple[Any, ...]:
    from prometheus_client import PlatformCollector, ProcessCollector

    return (PlatformCollector(registry=None), ProcessCollector(registry=None))


def own_families() -> list[Family]:
    """What prometheus_client tells of this process: process_* and python_info."""
    return [family for collector in _own() for family in collector.collect()]
