"""Exit codes: 1 for what was found, 3 for what could not be looked at, and never 0 for either."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.check import Unexamined
from sctune.exitcodes import ExitCode
from sctune.model.report import CheckResult, Status
from sctune.report.exit import exit_code
from sctune.report.format import FailOn
from sctune.unavailable import Reason
from tests.unit import reports

if TYPE_CHECKING:
    from sctune.findings import Finding

OK = reports.check("a")
NOT_HERE = reports.absent("b", "no tgt")
UNKNOWN = reports.check("c", Status.UNKNOWN, 0, reason="lvm: timeout")
PARTLY = reports.check("d", Status.INFO, 5, unexamined=(Unexamined(what="x", reason=Reason.DENIED),))


@pytest.mark.parametrize("fail_on", FailOn)
def test_nothing_found(fail_on: FailOn) -> None:
    assert exit_code(reports.report(checks=(OK, NOT_HERE)), fail_on) is ExitCode.OK


@pytest.mark.parametrize(
    ("finding", "failing"),
    [
        (reports.buffered(0), {FailOn.INFO}),
        (reports.leaked(0), {FailOn.INFO, FailOn.WARNING}),
        (reports.deleted(0), {FailOn.INFO, FailOn.WARNING, FailOn.CRITICAL}),
    ],
)
@pytest.mark.parametrize("fail_on", FailOn)
@pytest.mark.parametrize("others", [(), (UNKNOWN,), (PARTLY,)])
def test_found(finding: Finding, failing: set[FailOn], fail_on: FailOn, others: tuple[CheckResult, ...]) -> None:
    code = exit_code(reports.report(finding, checks=(OK, *others)), fail_on)
    if fail_on in failing:
        assert code == 1
    else:
        assert code == (3 if others else 0)


@pytest.mark.parametrize("incomplete", [UNKNOWN, PARTLY])
@pytest.mark.parametrize("fail_on", FailOn)
def test_incomplete(incomplete: CheckResult, fail_on: FailOn) -> None:
    assert exit_code(reports.report(checks=(OK, incomplete)), fail_on) is ExitCode.INCOMPLETE


def test_default_is_what_the_documentation_says() -> None:
    assert [int(code) for code in (ExitCode.OK, ExitCode.FINDINGS, ExitCode.USAGE, ExitCode.INCOMPLETE)] == [0, 1, 2, 3]
    assert [int(code) for code in (ExitCode.FAILED, ExitCode.PENDING, ExitCode.INTERRUPTED)] == [1, 4, 130]
