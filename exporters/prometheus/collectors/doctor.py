"""What the doctor found when it ran last. It is not run here: a look at everything takes longer than a scrape may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Metric
from sctune.model.report import Status
from sctune.report.record import PATH
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.doctor_file import LastRun
    from sctune.exporters.prometheus.samples import Samples

_SOURCE = f"{PATH}, which `sctune doctor --record` writes"
STATUSES = tuple(status.value for status in Status)

CHECK_STATUS = Metric(
    name="sctune_check_status",
    about="The status of each check (1) in the doctor's last run: its worst finding, muted ones too, or why there is none.",
    source=_SOURCE,
    labels=("check", "status"),
    detail=True,
)
CHECKS = Metric(name="sctune_checks", about="Checks in each status in the doctor's last run.", source=_SOURCE, labels=("status",))
FINDING = Metric(
    name="sctune_finding",
    about="Always 1; a finding of the doctor's last run: its subject is KIND/ID, muted is true or false. `sctune explain CODE` "
    "says what it means.",
    source=_SOURCE,
    labels=("code", "severity", "subject", "muted"),
    detail=True,
)
LAST_RUN = Metric(
    name="sctune_doctor_last_run_timestamp_seconds",
    about="When the doctor ran last; absent where it never did with --record.",
    source=_SOURCE,
)
DURATION = Metric(name="sctune_doctor_last_run_duration_seconds", about="How long that took.", source=_SOURCE)
METRICS = (LAST_RUN, DURATION, CHECKS, CHECK_STATUS, FINDING)


class Kept:
    """The last run, and by what its file is known again."""

    def __init__(self) -> None:
        self.file: tuple[int, int, float] | None = None
        self.run: LastRun | None = None


def collect(look: Look, samples: Samples) -> None:
    """Fills in the last run; nothing where there was none."""
    run = _last_run(look)
    if run is None:
        return
    samples.used("doctor_file")
    samples.add(LAST_RUN, run.started)
    if run.seconds is not None:
        samples.add(DURATION, run.seconds)
    samples.counts(CHECKS, STATUSES, run.checks.values())
    for check, status in run.checks.items():
        samples.states(CHECK_STATUS, STATUSES, status, check)
    if not samples.detail:
        return
    limit = look.options.limit_of("doctor")
    for finding in run.findings[:limit]:
        samples.add(FINDING, 1.0, finding.code, finding.severity, finding.subject, str(finding.muted).lower())
    if len(run.findings) > limit:
        samples.skip("limit", len(run.findings) - limit)


def _last_run(look: Look) -> LastRun | None:
    """The last run, read anew where the file is another one. It is replaced by renaming, so that half of it is never seen."""
    host = look.inventory.host
    kept = look.memory.of(Kept)
    found = host.stat(PATH)
    file = None if isinstance(found, Unavailable) else (found.inode, found.size, found.mtime)
    if file is not None and file == kept.file:
        return kept.run
    text = host.read(PATH)
    if isinstance(text, Unavailable):
        if text.reason in (Reason.ABSENT, Reason.NOT_COLLECTED):
            return None
        raise CannotCollect(str(text))
    from sctune.exporters.prometheus.doctor_file import NotAReport, parse_last_run

    try:
        kept.run = parse_last_run(text, look.inventory.identity.name)
    except NotAReport as error:
        raise CannotCollect(f"{PATH}: {error}") from None
    kept.file = file
    return kept.run


COLLECTOR = Collector(name="doctor", about="What the doctor found when it ran last.", metrics=METRICS, collect=collect)
