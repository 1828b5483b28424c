"""Runs one collector on a composed or recorded host and gives its samples by metric and labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sctune.config.model import Config
from sctune.exporters.prometheus.collector import CannotCollect, Collector, Look, Memory
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.samples import Samples
from sctune.host.choose import open_host
from sctune.inventory import Inventory
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from sctune.host.base import Host

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Series = dict[tuple[str, ...], float]


class Run:
    """What one run gave: `series` by (metric, label values…), what it skipped and read, and why it failed ("": it did not)."""

    def __init__(self, samples: Samples, why: str) -> None:
        self.series: Series = {(metric.name, *at): value for metric, found in samples.values.items() for at, value in found.items()}
        self.skipped = samples.skipped
        self.sources = samples.sources
        self.why = why

    def of(self, name: str) -> Series:
        """One metric's values by its labels."""
        return {key[1:]: value for key, value in self.series.items() if key[0] == name}


def collect(
    collector: Collector,
    host: Host | None = None,
    *,
    options: Options | None = None,
    memory: Memory | None = None,
    config: Config | None = None,
    detail: bool = True,
    **parts: object,
) -> Run:
    """One run on a host; `parts` are parts of the inventory that are given."""
    inventory = Inventory(host or FakeHost(), config or Config(), strict=True)
    inventory.parts.update(parts)
    samples = Samples(detail=detail)
    why = ""
    look = Look(inventory=inventory, options=options or Options(), memory=memory or Memory(), now=inventory.clock.now)
    try:
        collector.collect(look, samples)
    except CannotCollect as error:
        why = str(error)
    undeclared = {metric.name for metric in samples.values} - {metric.name for metric in collector.metrics}
    assert not undeclared
    return Run(samples, why)


def recorded(name: str) -> Host:
    """The host of a recorded scenario."""
    return open_host(str(SCENARIOS / name / "host.tar.gz"), None)
