"""Which collectors there are: the modules of the package `collectors` that define COLLECTOR. Found, not listed.

A module that cannot be used (an error in it, a metric whose name is taken) becomes a collector of its file's name that always
fails and says why: it is seen in every scrape, and never silently left out.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.health import METRICS as HEALTH
from sctune.exporters.prometheus.metric import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.metric import Metric
    from sctune.exporters.prometheus.samples import Samples

PACKAGE = "sctune.exporters.prometheus.collectors"
_RESERVED = ("process_", "python_")


@cache
def load(package: str = PACKAGE) -> tuple[Collector, ...]:
    """All collectors in the order of their names. Raises nothing but for a package that is not there."""
    found = importlib.import_module(package)
    names = sorted(module.name for module in pkgutil.iter_modules(found.__path__) if not module.name.startswith("_"))
    return assemble((name, _import(f"{package}.{name}")) for name in names)


def assemble(modules: Iterable[tuple[str, Collector | str]]) -> tuple[Collector, ...]:
    """The collectors of modules by name, each what it defines or why it cannot be used. The first has the name it takes."""
    taken: dict[str, str] = {name: "the exporter itself" for metric in HEALTH for name in families(metric)}
    collectors: dict[str, Collector] = {}
    broken: list[Collector] = []
    for module, found in modules:
        wrong = found if isinstance(found, str) else _clash(found, taken, collectors)
        if wrong or isinstance(found, str):
            broken.append(stand_in(module, wrong))
            continue
        taken.update((name, f"the collector {found.name}") for metric in found.metrics for name in families(metric))
        collectors[found.name] = found
    for collector in broken:
        collectors.setdefault(collector.name, collector)
    return tuple(collectors[name] for name in sorted(collectors))


def families(metric: Metric) -> tuple[str, ...]:
    """The names that a metric takes: of a counter also that of its family, which stands before its samples."""
    return (metric.name, metric.name.removesuffix("_total")) if metric.kind is Kind.COUNTER else (metric.name,)


def stand_in(name: str, why: str) -> Collector:
    """A collector that always fails."""

    def collect(_: Look, _samples: Samples) -> NoReturn:
        raise CannotCollect(why)

    return Collector(name=name, about=f"cannot be used: {why}", metrics=(), collect=collect)


def _import(name: str) -> Collector | str:
    try:
        found = getattr(importlib.import_module(name), "COLLECTOR", None)
    except Exception as error:
        return f"its module cannot be loaded: {type(error).__name__}: {error}".replace("\n", " ")
    return found if isinstance(found, Collector) else "its module defines no COLLECTOR"


def _clash(collector: Collector, taken: dict[str, str], collectors: dict[str, Collector]) -> str:
    """Why a collector cannot be used beside the others, "" where it can."""
    if collector.name in collectors:
        return f"there is a collector {collector.name} already"
    own: set[str] = set()
    for metric in collector.metrics:
        if metric.kind is Kind.COUNTER and not metric.name.endswith("_total"):
            return f"{metric.name} is a counter and does not end in _total"
        if metric.kind is Kind.GAUGE and metric.name.endswith("_total"):
            return f"{metric.name} is no counter and ends in _total"
        for name in families(metric):
            if name in taken or name in own:
                return f"the metric {metric.name} is already that of {taken.get(name, 'this collector itself')}"
            if name.startswith(_RESERVED):
                return f"the metric {metric.name} has a name of the exporter's own process"
        own.update(families(metric))
    return ""
