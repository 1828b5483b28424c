"""What a collector is: a name, its metrics, and a function that fills samples from one look at the host.

A file in the folder `collectors` that defines `COLLECTOR` is one: nothing names them one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.exporters.prometheus.metric import Metric
    from sctune.exporters.prometheus.options import Options
    from sctune.exporters.prometheus.samples import Samples
    from sctune.inventory import Inventory

T = TypeVar("T")


class Memory:
    """What one collector keeps between its runs in one process: counters of things that come and go, caches. Only one run of a
    collector goes on at a time, so that it needs no lock of its own."""

    def __init__(self) -> None:
        self._kept: dict[type[Any], Any] = {}

    def of(self, kind: type[T]) -> T:
        """The one object of this class that is kept; made, without arguments, when first asked for."""
        if kind not in self._kept:
            self._kept[kind] = kind()
        kept: T = self._kept[kind]
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One scrape's look at the host, shared by the collectors that run in it. `inventory` answers without starting a process: LVM's
    report in it is the kept one. `now` is the time of the scrape, in seconds since the epoch."""

    inventory: Inventory
    options: Options
    memory: Memory
    now: float


class CannotCollect(Exception):
    """This collector has nothing to give, and why, in one line: its success is 0 and the line is logged once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """One subsystem's metrics. `collect` fills `Samples`. What is not there on this host (no tgtd was ever started, no volume) is
    no failure and gives no samples, or zeros; what could not be read raises CannotCollect, after the samples that could be given.
    `default`: on unless switched off."""

    name: str
    about: str
    metrics: tuple[Metric, ...]
    collect: Callable[[Look, Samples], None]
    default: bool = True
