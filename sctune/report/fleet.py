"""What a look at several hosts comes to: a row for each, and the exit code of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.findings import Severity
from sctune.model.fleet import Verdict
from sctune.records import dataclass
from sctune.report.coverage import coverage
from sctune.report.exit import exit_code, is_incomplete, is_news
from sctune.report.groups import group
from sctune.report.sanitize import clean, clean_report
from sctune.report.words import count_words, list_words, subject_words, time_words
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.model.fleet import Fleet, HostLook
    from sctune.model.report import Report
    from sctune.report.format import FailOn


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One host in the table: how many findings of each severity that nobody muted, how many checks could not see everything (None
    where nobody looked), and what to see to first."""

    address: str
    verdict: Verdict
    critical: int | None
    warning: int | None
    info: int | None
    unknown: int | None
    first: str


def row_of(look: HostLook) -> FleetRow:
    """The host's row."""
    if isinstance(look.outcome, Unavailable):
        return FleetRow(
            address=clean(look.address),
            verdict=Verdict.UNREACHABLE,
            critical=None,
            warning=None,
            info=None,
            unknown=None,
            first=why(look.outcome),
        )
    report = clean_report(look.outcome)
    news = [finding for finding in report.findings if is_news(report, finding)]
    critical, warning, info = (sum(one.severity is severity for one in news) for severity in reversed(Severity))
    unknown = sum(map(is_incomplete, report.checks))
    verdict = Verdict.OK
    if critical or warning:
        verdict = Verdict.CRITICAL if critical else Verdict.WARNING
    elif unknown:
        verdict = Verdict.INCOMPLETE
    return FleetRow(
        address=clean(look.address),
        verdict=verdict,
        critical=critical,
        warning=warning,
        info=info,
        unknown=unknown,
        first=_first(report, verdict),
    )


def why(unavailable: Unavailable) -> str:
    """Why a host has no report, in one line."""
    return clean(unavailable.detail or unavailable.reason.value)


def _first(report: Report, verdict: Verdict) -> str:
    if verdict is Verdict.INCOMPLETE:
        seen = coverage(report)
        gap = seen.needs_root or next(iter(seen.gaps), None)
        lead = "only root may read" if gap is seen.needs_root else "not seen:"
        return "" if gap is None else f"{lead} {list_words(gap.items, 1)}"
    groups = group([finding for finding in report.findings if is_news(report, finding)])
    if verdict is Verdict.OK or not groups:
        return ""
    worst = groups[0]
    return f"{worst.code}: {subject_words(worst.findings[0].subject)}" + (
        f" and {len(worst.findings) - 1} more" if len(worst.findings) > 1 else ""
    )


def summary(fleet: Fleet) -> str:
    """How many hosts there are of each verdict, and how long it took."""
    verdicts = [row_of(look).verdict for look in fleet.hosts]
    told = ", ".join(f"{count} {verdict.value}" for verdict in Verdict if (count := verdicts.count(verdict)))
    return f"{count_words(len(verdicts), 'host')} in {time_words(fleet.seconds)}: {told}."


def worst_first(fleet: Fleet) -> tuple[HostLook, ...]:
    """The hosts, those with the worst verdict first, and as they were named where it is the same."""
    order = list(Verdict)
    return tuple(sorted(fleet.hosts, key=lambda look: order.index(row_of(look).verdict)))


def code_of(look: HostLook, fail_on: FailOn) -> ExitCode:
    """What a look at this host alone would end with."""
    return ExitCode.INCOMPLETE if isinstance(look.outcome, Unavailable) else exit_code(look.outcome, fail_on)


def fleet_exit_code(fleet: Fleet, fail_on: FailOn) -> ExitCode:
    """FINDINGS where one host has something at or above `fail_on`; else INCOMPLETE where one could not be looked at, or not at all
    of it; else OK."""
    codes = {code_of(look, fail_on) for look in fleet.hosts}
    return next((code for code in (ExitCode.FINDINGS, ExitCode.INCOMPLETE) if code in codes), ExitCode.OK)
