"""The exporter's text is byte for byte what prometheus_client makes of the same samples."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.samples import Sample

from sctune.config.model import Config
from sctune.exporters.prometheus import own
from sctune.exporters.prometheus.collector import CannotCollect, Look, Memory
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.registry import load
from sctune.exporters.prometheus.samples import Samples
from sctune.exporters.prometheus.text import text_of
from sctune.inventory import Inventory
from tests.unit.collecting import SCENARIOS, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.core import Metric as Family

HOSTS = sorted(path.parent.name for path in SCENARIOS.glob("*/host.tar.gz"))


def families(samples: Samples, order: Sequence[Metric]) -> Iterator[Family]:
    """The samples as prometheus_client wants them."""
    for metric in order:
        if metric not in samples.values:
            continue
        family: Family = (
            CounterMetricFamily(metric.name.removesuffix("_total"), metric.help)
            if metric.kind is Kind.COUNTER
            else GaugeMetricFamily(metric.name, metric.help)
        )
        family.samples = [
            Sample(metric.name, dict(zip(metric.labels, labels, strict=True)), value)
            for labels, value in samples.values[metric].items()
        ]
        yield family


class Families:
    """What prometheus_client takes for a registry."""

    def __init__(self, found: Iterator[Family]) -> None:
        self._found = found

    def collect(self) -> Iterator[Family]:
        return self._found


def render(found: Iterator[Family], *, openmetrics: bool) -> bytes:
    make = cast("Any", generate_openmetrics if openmetrics else generate_latest)
    return cast("bytes", make(Families(found))).removesuffix(b"# EOF\n")


def same(samples: Samples, order: Sequence[Metric]) -> None:
    for openmetrics in (False, True):
        assert text_of(samples, order, openmetrics=openmetrics) == render(families(samples, order), openmetrics=openmetrics)


@pytest.mark.parametrize("name", HOSTS)
def test_of_recorded_hosts(name: str) -> None:
    inventory = Inventory(recorded(name), Config(), strict=True)
    given = 0
    for collector in load():
        samples = Samples()
        with contextlib.suppress(CannotCollect):  # what it could give is compared
            collector.collect(Look(inventory=inventory, options=Options(), memory=Memory(), now=inventory.clock.now), samples)
        given += sum(map(len, samples.values.values()))
        same(samples, collector.metrics)
    assert given


LABELS = st.one_of(st.text(), st.text('ab"\\\n{},= é'))
NUMBERS = st.one_of(
    st.floats(), st.integers(-(2**63), 2**64), st.sampled_from([999999.0, 999999.5, 1e6, 1000000.5, 1e16, -1e6, -0.0])
)
NAMES = st.lists(st.sampled_from(["volume", "lun", "target", "a", "state"]), unique=True, max_size=4)


@given(NAMES, st.booleans(), st.text(), st.data())
def test_of_any_samples(names: list[str], counter: bool, about: str, data: st.DataObject) -> None:
    metric = Metric(
        name="sctune_x_total" if counter else "sctune_x",
        about=about.encode("utf-8", "replace").decode(),
        source="a test",
        labels=tuple(names),
        kind=Kind.COUNTER if counter else Kind.GAUGE,
    )
    samples = Samples()
    for labels in data.draw(st.lists(st.tuples(*(LABELS for _ in names)), max_size=5)):
        samples.add(metric, data.draw(NUMBERS), *labels)
    same(samples, (metric,))


def test_of_its_own_process_it_tells_what_prometheus_client_tells() -> None:
    samples = Samples()
    own.tell(samples)
    told = {metric.name: (metric.kind, metric.labels, found) for metric, found in samples.values.items()}
    registry = CollectorRegistry()
    for theirs in (PlatformCollector(registry), ProcessCollector(registry=registry)):
        for family in theirs.collect():
            (sample,) = family.samples
            kind, labels, found = told.pop(sample.name)
            assert kind == family.type
            ((values, value),) = found.items()
            assert dict(zip(labels, values, strict=True)) == sample.labels
            assert value == pytest.approx(sample.value, rel=0.2)
    assert not told
