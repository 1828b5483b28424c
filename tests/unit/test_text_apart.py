"""The report for people: what is muted, what a baseline knew, and --quiet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sctune import baseline
from sctune.report.exit import exit_code
from sctune.report.format import FailOn
from sctune.report.layout import Style
from sctune.report.text import render_quiet
from tests.unit import reports
from tests.unit.test_text import CASES, text

if TYPE_CHECKING:
    from sctune.model.report import Report


def test_what_is_muted_is_told_apart_and_counted_apart() -> None:
    shown = text(reports.some_muted())
    before, _, after = shown.partition("Muted until 2025-12-31: replaced on Friday, ticket 4711")
    assert "LOOP_LEAKED" not in before
    assert "LOOP_LEAKED (200 times)" in after
    assert "Muted until 2025-11-30: test volume" in after
    assert "Verdict: 1 critical fault; 201 muted." in shown
    only = text(reports.report(reports.muted(reports.deleted()), checks=reports.HEALTHY_CHECKS))
    assert "Verdict: no fault found; 1 muted." in only
    assert "nothing to do" in only


def test_what_follows_from_a_muted_cause_says_so() -> None:
    shown = " ".join(text(reports.report(reports.muted(reports.tgt_down()), reports.lost(0))).split())
    assert "Follows from TGT_DOWN (process tgtd), which is muted." in shown
    assert "Verdict: 1 critical fault; 1 muted." in shown


def test_the_verdict_of_a_comparison() -> None:
    shown = " ".join(text(reports.compared_with_baseline()).split())
    assert "compared with /var/lib/sctune/last.json of 2025-11-20 06:00:00 UTC" in shown
    assert "another host" not in shown
    assert (
        "Verdict: 3 new or worse critical faults; 12 known from the baseline; 2 gone since; 1 not seen this time; 1 muted" in shown
    )
    assert "was warning, volume vol-391D44BF" in shown
    assert "new, volume vol-391D44BE" in shown
    assert "Follows from TGT_DOWN (process tgtd), which is known from the baseline." in shown


def test_what_is_known_is_not_called_nothing_to_do() -> None:
    found = reports.one_fault()
    known = reports.baseline(reports.earlier(reports.deleted()))
    shown = " ".join(text(replace(found, comparison=baseline.compare(found, known, finds=reports.FINDS))).split())
    assert "Verdict: no new fault found; 1 known from the baseline." in shown
    assert "Next: nothing new; what is known from the baseline is still there to mend." in shown


def test_a_baseline_of_another_host_is_said_to_be_one() -> None:
    found = reports.healthy()
    comparison = baseline.compare(found, reports.baseline(host="sc2"), finds=reports.FINDS)
    assert "a run on another host, sc2" in " ".join(text(replace(found, comparison=comparison)).split())


def quiet(report: Report, fail_on: FailOn = FailOn.WARNING) -> str:
    return render_quiet(report, fail_on, style=Style(), codes=reports.CODES)


@pytest.mark.parametrize("fail_on", FailOn)
@pytest.mark.parametrize("case", CASES)
def test_quiet_says_nothing_exactly_where_the_exit_code_is_0(case: str, fail_on: FailOn) -> None:
    report = CASES[case]()
    said = quiet(report, fail_on)
    code = exit_code(report, FailOn.WARNING if fail_on is FailOn.NEVER else fail_on)
    assert (said == "") == (code == 0)
    if said:
        assert said.splitlines()[-1].startswith(("Verdict: ", "         "))


def test_quiet_says_only_what_fails_the_run() -> None:
    report = reports.report(reports.deleted(0), reports.leaked(1), reports.buffered(2), reports.muted(reports.leaked(3)))
    said = quiet(report)
    assert "LOOP_BACKING_DELETED" in said
    assert "LOOP_LEAKED" in said
    assert "LOOP_BUFFERED" not in said
    assert "ticket 4711" not in said
    assert "1 muted" in said
    assert "LOOP_LEAKED" not in quiet(report, FailOn.CRITICAL)
    assert "LOOP_BUFFERED" in quiet(report, FailOn.INFO)
