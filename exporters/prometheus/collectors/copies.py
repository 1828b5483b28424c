"""Copies that run from or to a snapshot: how far each is, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.copy_progress import copies_in_progress
from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Metric
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples

_LABELS = ("snapshot", "volume", "operation")
_WHICH = "operation save: the snapshot is made; restore: a volume is made from it; read: it is read otherwise. Only while it runs."

SIZE = Metric(
    name="sctune_snapshot_copy_size_bytes",
    about=f"How much a running copy has to copy: its volume, or the snapshot's file. {_WHICH}",
    source="the volume's chain; stat(2) of the snapshot's file",
    labels=_LABELS,
    detail=True,
)
DONE = Metric(
    name="sctune_snapshot_copy_done_bytes",
    about=f"How much of that is written. {_WHICH} Absent where it may not be read (CAP_SYS_PTRACE), which is counted as skipped.",
    source="save to a file of the store: stat(2) of it; any other: /proc/PID/io",
    labels=_LABELS,
    detail=True,
)
STARTED = Metric(
    name="sctune_snapshot_copy_start_timestamp_seconds",
    about=f"When it began. {_WHICH}",
    source="the process table",
    labels=_LABELS,
    detail=True,
)
METRICS = (SIZE, DONE, STARTED)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the copies of one look. A copy that ends meanwhile is no failure."""
    inventory = look.inventory
    processes, chains = inventory.processes, inventory.chains
    if isinstance(processes, Unavailable):
        raise CannotCollect(str(processes))
    if isinstance(chains, Unavailable):
        raise CannotCollect(str(chains))
    options = look.options
    found = tuple(copies_in_progress(inventory, chains))
    unread: list[Unavailable] = []
    for one in chosen(found, lambda copy: copy.snapshot, options.volumes, options.limit_of("copies"), samples):
        at = (one.snapshot, one.volume, str(one.direction))
        samples.add(STARTED, one.started, *at)
        if one.size is not None:
            samples.add(SIZE, float(one.size), *at)
        if isinstance(one.done, Unavailable):
            if one.done.reason is Reason.DENIED:
                samples.skip("permission")
            elif one.done.reason not in (Reason.ABSENT, Reason.NOT_COLLECTED):
                unread.append(one.done)
        elif one.done is not None:
            samples.add(DONE, float(one.done if one.size is None else min(one.done, one.size)), *at)
    if unread:
        raise CannotCollect(str(unread[0]))


COLLECTOR = Collector(
    name="copies", about="Copies that run from or to snapshots, and how far they are.", metrics=METRICS, collect=collect
)
