"""Unwritten data and pressure stall information, for hosts without node_exporter, which has the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.probes.pressure import FOLDER
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples

_IO = f"{FOLDER}/io"
DIRTY = Metric(
    name="sctune_writeback_dirty_bytes",
    about="Data in memory that waits to be written; node_exporter has it as node_memory_Dirty_bytes.",
    source="/proc/meminfo, Dirty",
)
WRITEBACK = Metric(
    name="sctune_writeback_bytes",
    about="Data that is being written; node_exporter has it as node_memory_Writeback_bytes.",
    source="/proc/meminfo, Writeback",
)
WAITING = Metric(
    name="sctune_pressure_io_waiting_seconds_total",
    about="For how long some task stood still for want of disks; absent where the kernel does not count it (psi=1). node_exporter "
    "has it as node_pressure_io_waiting_seconds_total.",
    source=f"{_IO}, some",
    kind=Kind.COUNTER,
)
STALLED = Metric(
    name="sctune_pressure_io_stalled_seconds_total",
    about="For how long all tasks that had work to do stood still for want of disks; absent where the kernel does not count it. "
    "node_exporter has it as node_pressure_io_stalled_seconds_total.",
    source=f"{_IO}, full",
    kind=Kind.COUNTER,
)
METRICS = (DIRTY, WRITEBACK, WAITING, STALLED)
_LINES = {"some": WAITING, "full": STALLED}


def collect(look: Look, samples: Samples) -> None:
    """Fills in what the host has of it."""
    inventory = look.inventory
    samples.used("procfs")
    memory, pressure = inventory.memory, inventory.host.read(_IO)
    if not isinstance(memory, Unavailable):
        samples.add(
            DIRTY,
            float(memory.dirty),
        )
        samples.add(WRITEBACK, float(memory.writeback))
    if not isinstance(pressure, Unavailable):
        totals = parse_totals(pressure)
        for kind, metric in _LINES.items():
            if kind in totals:
                samples.add(metric, totals[kind])
        if totals.keys() != _LINES.keys():
            raise CannotCollect(f"{_IO}: no lines some and full with total")
    if isinstance(memory, Unavailable):
        raise CannotCollect(str(memory))


def parse_totals(text: str) -> dict[str, float]:
    """`some avg10=… total=MICROSECONDS` and `full …`, in seconds; a line of another form is left out."""
    totals: dict[str, float] = {}
    for line in text.splitlines():
        kind, *fields = line.split() or [""]
        value = dict(field.partition("=")[::2] for field in fields).get("total", "")
        if kind in _LINES and value.isascii() and value.isdecimal() and len(value) <= 20:
            totals[kind] = int(value) / 1_000_000
    return totals


COLLECTOR = Collector(
    name="pressure",
    about="Unwritten data and waiting for disks, where no node_exporter tells them.",
    metrics=METRICS,
    collect=collect,
    default=False,
)
