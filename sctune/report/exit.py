"""What a report means for a script: which findings count, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.findings import Severity
from sctune.model.baseline import identity_of
from sctune.report.format import FailOn

if TYPE_CHECKING:
    from sctune.findings import Finding
    from sctune.model.report import CheckResult, Report


def is_incomplete(check: CheckResult) -> bool:
    """Whether something that the check applies to could not be examined."""
    return check.status == "unknown" or bool(check.unexamined)


def is_news(report: Report, finding: Finding) -> bool:
    """Whether it is to be told in full: nobody muted it, and no baseline knew it as it is."""
    if finding.muted is not None:
        return False
    return report.comparison is None or report.comparison.changes[identity_of(finding)].counts


def fails(report: Report, finding: Finding, fail_on: FailOn) -> bool:
    """Whether this finding makes the run fail: it is news, and at or above `fail_on`."""
    return fail_on is not FailOn.NEVER and finding.severity.rank >= Severity(fail_on.value).rank and is_news(report, finding)


def exit_code(report: Report, fail_on: FailOn) -> ExitCode:
    """FINDINGS where something that nobody muted, and no baseline knew, is at or above `fail_on`; else INCOMPLETE where something
    could not be examined; else OK.

    `never` keeps findings from failing the run; that the look was incomplete is still said.
    """
    if any(fails(report, finding, fail_on) for finding in report.findings):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if any(map(is_incomplete, report.checks)) else ExitCode.OK
