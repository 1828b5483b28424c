"""What a report means for a script: the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.findings import Severity
from sctune.report.format import FailOn

if TYPE_CHECKING:
    from sctune.model.report import CheckResult, Report


def is_incomplete(check: CheckResult) -> bool:
    """Whether something that the check applies to could not be examined."""
    return check.status == "unknown" or bool(check.unexamined)


def exit_code(report: Report, fail_on: FailOn) -> ExitCode:
    """FINDINGS where something that nobody muted is at or above `fail_on`; else INCOMPLETE where something could not be examined;
    else OK.

    `never` keeps findings from failing the run; that the look was incomplete is still said.
    """
    if fail_on is not FailOn.NEVER:
        least = Severity(fail_on.value).rank
        if any(finding.muted is None and finding.severity.rank >= least for finding in report.findings):
            return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if any(map(is_incomplete, report.checks)) else ExitCode.OK
