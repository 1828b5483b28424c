"""What the exporter says of itself: which sctune it is, and of each collector whether it worked, how long it took, what it read."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.metric import Metric
from sctune.records import dataclass
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.exporters.prometheus.samples import Samples

BUILD = Metric(
    name="sctune_build_info",
    about="Always 1; which sctune this is, and on which Python it runs.",
    source="the exporter itself",
    labels=("version", "python_version"),
)
DURATION = Metric(
    name="sctune_scrape_collector_duration_seconds",
    about="How long the collector took; of one that has not come back, how long ago it began, which grows.",
    source="the exporter itself",
    labels=("collector",),
)
SUCCESS = Metric(
    name="sctune_scrape_collector_success",
    about="Whether the collector could read all it is there for (1), or something of it not (0); the exporter's log says why.",
    source="the exporter itself",
    labels=("collector",),
)
READ_AT = Metric(
    name="sctune_scrape_collector_data_timestamp_seconds",
    about="When what the collector gives was read, the oldest part of it; of one that fails, when it last worked.",
    source="the exporter itself",
    labels=("collector",),
)
SOURCE = Metric(
    name="sctune_collector_source_info",
    about="Always 1; what the collector read in this run.",
    source="the exporter itself",
    labels=("collector", "source"),
)
SKIPPED = Metric(
    name="sctune_collector_skipped_objects",
    about="Objects that the collector gave no samples of, by the reason: limit, filter, permission, parse, duplicate.",
    source="the exporter itself",
    labels=("collector", "reason"),
)
METRICS = (BUILD, DURATION, SUCCESS, READ_AT, SOURCE, SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one collector's run went: `seconds` it took, `read_at` in seconds since the epoch (None: it never worked), and its
    samples, or None where it gave none. `why` it failed, "" where it did not."""

    name: str
    seconds: float
    read_at: float | None
    samples: Samples | None
    why: str = ""


def tell(runs: Iterable[Ran], samples: Samples) -> None:
    """Fills in what is to be said of these runs."""
    samples.add(BUILD, 1.0, VERSION, platform.python_version())
    for run in runs:
        samples.add(DURATION, run.seconds, run.name)
        samples.add(SUCCESS, float(not run.why), run.name)
        if run.read_at is not None:
            samples.add(READ_AT, run.read_at, run.name)
        if run.samples is not None:
            for source in run.samples.sources:
                samples.add(SOURCE, 1.0, run.name, source)
            for reason, count in run.samples.skipped.items():
                samples.add(SKIPPED, float(count), run.name, reason)
