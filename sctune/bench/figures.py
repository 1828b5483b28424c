"""Medians and spreads of runs, and what of a job is its speed. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from sctune.bench.model import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.bench.model import JobResult, LayerResult, Measured, Percentiles

STREAMS = (Job.SEQUENTIAL_WRITE, Job.BUFFERED_WRITE, Job.SEQUENTIAL_READ)
"""Of these the speed is bytes a second."""


def job(layer: LayerResult, wanted: Job) -> JobResult | None:
    """A layer's result of a job; None where it was not done."""
    return next((one for one in layer.jobs if one.job is wanted and one.runs), None)


def speeds(result: JobResult) -> tuple[float, ...]:
    """Each run's: bytes a second of a stream, else operations a second."""
    return tuple(speed(result.job, run.measured) for run in result.runs)


def speed(job: Job, measured: Measured) -> float:
    """What is compared between layers."""
    return measured.bytes_per_second if job in STREAMS else measured.operations_per_second


def middle(values: Iterable[float]) -> float:
    """The median; of no values 0."""
    found = tuple(values)
    return median(found) if found else 0.0


def spread(values: Iterable[float]) -> float:
    """How far the runs lie apart, as a share of their median: 0 where all are equal, and of a single one."""
    found = tuple(values)
    centre = middle(found)
    return (max(found) - min(found)) / centre if centre > 0 else 0.0


def percentile(result: JobResult, which: Callable[[Percentiles], float], *, sync: bool = False) -> float | None:
    """The median over the runs of one percentile; None where the tool told none."""
    found = [run.measured.sync if sync else run.measured.latency for run in result.runs]
    told = [which(one) for one in found if one is not None]
    return middle(told) if told else None


def dirty_growth(result: JobResult) -> int | None:
    """The most that a run left waiting to be written above what there was before it."""
    grown = [
        run.dirty_after - run.dirty_before for run in result.runs if run.dirty_after is not None and run.dirty_before is not None
    ]
    return max(grown) if grown else None
