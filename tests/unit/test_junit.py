"""--format junit: what both schemas of JUnit's XML demand, and one test case a check.

The schemas themselves (Jenkins' junit-10.xsd, Maven's surefire-test-report.xsd) are not ours to keep here; `valid` says what they
say of the elements that are used. The output of all cases was validated against both.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Unexamined
from sctune.model.report import Report, Status
from sctune.report.exit import exit_code
from sctune.report.format import FailOn
from sctune.report.junit import render
from sctune.unavailable import Reason
from tests.unit import reports
from tests.unit.reports import FINDS
from tests.unit.test_text import CASES

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

TIME = re.compile(r"\d{1,3}\.\d{3}\Z")


def valid(suite: Element) -> None:
    """In both schemas: attributes that both know, those that either demands, children in Maven's order."""
    assert suite.tag == "testsuite"
    assert suite.attrib.keys() == {"name", "time", "tests", "errors", "skipped", "failures"}
    assert TIME.match(suite.attrib["time"])
    assert [child.tag for child in suite] == ["properties", *["testcase"] * (len(suite) - 1)]
    for item in suite[0]:
        assert (item.tag, set(item.attrib)) == ("property", {"name", "value"})
    for case in suite[1:]:
        assert case.attrib.keys() == {"name", "classname", "time"}
        assert TIME.match(case.attrib["time"])
        tags = [child.tag for child in case]
        outcomes = [tag for tag in tags if tag in ("failure", "skipped", "error")]
        assert len(outcomes) <= 1
        assert tags == [*outcomes, *(["system-out"] if "system-out" in tags else [])]
        for child in case:
            wanted = {"failure": {"type", "message"}, "error": {"type", "message"}, "skipped": {"message"}, "system-out": set()}
            assert child.attrib.keys() == wanted[child.tag]
            assert len(child) == 0
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert suite.attrib[attribute] == str(len(suite.findall(f"testcase/{tag}")))
    assert suite.attrib["tests"] == str(len(suite.findall("testcase")))


def read(report: Report, fail_on: FailOn = FailOn.WARNING) -> Element:
    suite = ElementTree.fromstring(render(report, fail_on, finds=FINDS))
    valid(suite)
    return suite


def case(suite: Element, name: str) -> Element:
    (found,) = (one for one in suite.findall("testcase") if one.attrib["name"] == name)
    return found


@pytest.mark.parametrize("fail_on", FailOn)
@pytest.mark.parametrize("name", CASES)
def test_every_report_is_valid_and_passes_exactly_where_the_exit_code_is_0(name: str, fail_on: FailOn) -> None:
    report = CASES[name]()
    named = {check.check for check in report.checks}
    # In these reports "composed" is who found something; a report of the doctor's has every check that did.
    if any(finding.check not in named for finding in report.findings):
        report = replace(report, checks=(*report.checks, reports.check("composed", Status.WARNING)))
    suite = read(report, fail_on)
    assert [one.attrib["name"] for one in suite.findall("testcase")] == [check.check for check in report.checks]
    passed = suite.attrib["failures"] == suite.attrib["errors"] == "0"
    assert passed == (exit_code(report, fail_on) == 0)


def test_outcomes() -> None:
    unseen = (Unexamined(what="vol-1", reason=Reason.DENIED, detail="Permission denied"),)
    report = reports.report(
        replace(reports.deleted(0), check="failing"),
        replace(reports.leaked(1), check="failing"),
        replace(reports.buffered(2), check="notes"),
        replace(reports.deleted(3), check="partly"),
        replace(reports.muted(reports.deleted(4)), check="muted"),
        checks=(
            reports.check("failing", Status.CRITICAL, 2),
            reports.check("notes", Status.INFO, 1),
            reports.check("partly", Status.CRITICAL, 1, unexamined=unseen),
            reports.check("muted", Status.CRITICAL, 1),
            reports.check("unknown", Status.UNKNOWN, 0, unexamined=unseen, reason="vol-1: denied"),
            reports.check("broken", Status.UNKNOWN, 0, reason="bad.py: failed"),
            reports.check("fine"),
            reports.absent("none", "no thin pool"),
        ),
    )
    suite = read(report)
    assert (suite.attrib["failures"], suite.attrib["errors"], suite.attrib["skipped"]) == ("2", "2", "1")
    failing = case(suite, "failing")[0]
    assert (failing.tag, failing.attrib["type"]) == ("failure", "critical LOOP_BACKING_DELETED")
    assert failing.attrib["message"] == "2 findings: LOOP_BACKING_DELETED, LOOP_LEAKED"
    assert "dd if=/dev/loop0" in str(failing.text)
    assert [child.tag for child in case(suite, "notes")] == ["system-out"]
    partly = case(suite, "partly")
    assert [child.tag for child in partly] == ["failure", "system-out"]
    assert partly[1].text == "could not be examined: vol-1 - permission denied (Permission denied)"
    muted = case(suite, "muted")
    assert [child.tag for child in muted] == ["system-out"]
    assert str(muted[0].text).startswith("muted until 2025-12-31 (replaced on Friday, ticket 4711): critical LOOP_BACKING_DELETED")
    assert case(suite, "unknown")[0].attrib == {"type": "incomplete", "message": "vol-1: denied"}
    assert case(suite, "broken")[0].attrib == {"type": "incomplete", "message": "bad.py: failed"}
    assert len(case(suite, "fine")) == 0
    assert case(suite, "none")[0].attrib == {"message": "no thin pool"}


def test_what_a_baseline_knew_is_no_failure() -> None:
    suite = read(reports.compared_with_baseline())
    composed = case(suite, "composed")
    assert composed[0].tag == "failure"
    assert str(composed[0].text).count("new: critical") == 2
    assert str(composed[0].text).count("worse: critical LOOP_BACKING_DELETED") == 1
    said = str(composed[1].text)
    assert said.count("known from the baseline: warning LOOP_LEAKED") == 10
    assert said.count("gone since the baseline: warning LOOP_LEAKED") == 2
    assert "not seen: critical ISCSI_SESSION_FAILED" in str(case(suite, "iscsid")[1].text)


@given(st.text(max_size=60))
def test_any_text_is_xml(text: str) -> None:
    hostile = f'{text}\x00\x0b\ufffe\udc80<]]>&"'
    unseen = (Unexamined(what=hostile, reason=Reason.FAILED, detail=hostile),)
    finding = replace(reports.deleted(), summary=hostile, check="c")
    report = replace(
        reports.report(finding, checks=(reports.check("c", Status.CRITICAL, 1, unexamined=unseen, reason=hostile),), name=hostile),
        version=hostile,
    )
    suite = read(report)
    assert "<]]>&" in str(case(suite, "c")[0].text)
