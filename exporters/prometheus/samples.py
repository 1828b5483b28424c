"""What one collector gave in one run: samples by metric, and what it has to say of them."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sctune.exporters.prometheus.metric import Metric


class Samples:
    """Filled by a collector, read by the engine. A metric without a sample is not in the answer: what is not known has no value.

    One object gives one series: what comes a second time with the same labels is counted as skipped (`duplicate`), since a
    duplicate would fail the whole scrape.
    """

    def __init__(self, *, detail: bool = True) -> None:
        self.detail = detail
        self.values: dict[Metric, dict[tuple[str, ...], float]] = {}
        self.skipped: dict[str, int] = {}
        self.sources: list[str] = []
        self.read_at: float | None = None
        self._looked_at: tuple[Sequence[tuple[str, ...]], set[int]] = ((), set())
        """The labels that `fill` was last given, and how many each has; -1 where not all of them are ASCII."""

    def add(self, metric: Metric, value: float, *labels: str) -> None:
        """One sample: `labels` are the values of the metric's labels, in its order. Raises ValueError for too few or many."""
        if metric.detail and not self.detail:
            return
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has labels {metric.labels}, got {labels}")
        if not "".join(labels).isascii():
            labels = tuple(map(_utf8, labels))
        series = self.values.get(metric)
        if series is None:
            series = self.values[metric] = {}
        if labels in series:
            self.skip("duplicate")
        else:
            series[labels] = value

    def fill(self, metric: Metric, labels: Sequence[tuple[str, ...]], values: Iterable[float]) -> None:
        """The samples of many objects at once, as `add` for each: `labels` are those of each object, in a list that is
        not changed any more, `values` theirs in that order.
        A third of the time that `add` takes for each: of a thousand volumes there are forty thousand samples."""
        if metric.detail and not self.detail:
            return
        given = list(islice(values, len(labels)))
        series = dict(zip(labels, given, strict=True))
        if self._looked_at[0] is not labels:  # metrics of the same objects come one after another, with the same list
            plain = "".join(chain.from_iterable(labels)).isascii()
            self._looked_at = (labels, {*map(len, labels)} if plain else {-1})
        if self._looked_at[1] <= {len(metric.labels)} and len(series) == len(given) and metric not in self.values:
            if series:
                self.values[metric] = series
            return
        for one, value in zip(labels, given, strict=True):
            self.add(metric, value, *one)

    def pairs(self, metric: Metric, found: Sequence[tuple[tuple[str, ...], float]]) -> None:
        """The same of objects of which not each has a value."""
        self.fill(metric, [labels for labels, _ in found], [value for _, value in found])

    def states(self, metric: Metric, states: Iterable[str], current: str, *labels: str) -> None:
        """One sample for each possible state, which is the metric's last label: 1 for the current one."""
        for state in states:
            self.add(metric, float(state == current), *labels, state)

    def counts(self, metric: Metric, states: Iterable[str], found: Iterable[str], *labels: str) -> None:
        """How many of `found` are in each state, the metric's last label; states that nothing is in are 0."""
        seen = list(found)
        for state in states:
            self.add(metric, float(seen.count(state)), *labels, state)

    def skip(self, reason: str, count: int = 1) -> None:
        """Objects that were left out: `limit`, `filter`, `permission`, `parse`, `duplicate`."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def used(self, source: str) -> None:
        """What was read in this run: `sysfs`, `dm_ioctl`, `tgt_socket`, `tgtadm`, `configfs`, `lvm_fullreport`, ..."""
        if source not in self.sources:
            self.sources.append(source)

    def read(self, timestamp: float) -> None:
        """When what is served was read, in seconds since the epoch: for what was kept from an earlier run."""
        self.read_at = timestamp if self.read_at is None else min(self.read_at, timestamp)


def _utf8(label: str) -> str:
    """A label's value as the formats can hold it: bytes of a path that are no UTF-8 are written as \\udcXX."""
    return label if label.isascii() else label.encode("utf-8", "backslashreplace").decode()
