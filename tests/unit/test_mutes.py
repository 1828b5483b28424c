"""What is muted is said and marked, counts again when its time is over, and at once when it is worse than what was muted."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config, Mute
from sctune.doctor import diagnose
from sctune.exitcodes import ExitCode
from sctune.findings import Muted, Severity, Subject, SubjectKind
from sctune.host.choose import open_host
from sctune.mutes import mute
from sctune.records import replace
from sctune.report.exit import exit_code
from sctune.report.format import FailOn
from sctune.report.json import document
from tests.unit import reports

if TYPE_CHECKING:
    from sctune.findings import Finding

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
TODAY = "2026-12-31"


def leaked(name: str = "vol-1", severity: Severity = Severity.WARNING) -> Finding:
    return replace(reports.leaked(0), subject=Subject(kind=SubjectKind.VOLUME, id=name), severity=severity)


def known(**changes: str) -> Mute:
    return replace(Mute(code="LOOP_LEAKED", severity="warning", reason="known", until=TODAY), **changes)


def marks(finding: Finding, *mutes: Mute, today: str = TODAY) -> Muted | None:
    (found,) = mute([finding], mutes, today)
    assert replace(found, muted=None) == finding
    return found.muted


@pytest.mark.parametrize(
    ("change", "muted"),
    [
        ({}, True),
        ({"code": "LOOP_LIMIT_NEAR"}, False),
        ({"subject": "vol-1"}, True),
        ({"subject": "vol-*"}, True),
        ({"subject": "VOL-1"}, False),
        ({"subject": "vol"}, False),
        ({"until": "2026-12-30"}, False),
        ({"until": "2027-01-01"}, True),
        ({"severity": "info"}, False),
        ({"severity": "critical"}, True),
    ],
)
def test_a_mute_holds_for_its_code_subject_time_and_severity(change: dict[str, str], muted: bool) -> None:
    assert (marks(leaked(), known(**change)) is not None) is muted


def test_a_mute_ends_when_the_finding_worsens() -> None:
    assert marks(leaked(severity=Severity.WARNING), known()) is not None
    assert marks(leaked(severity=Severity.CRITICAL), known()) is None


def test_of_several_the_longest_is_shown() -> None:
    longer = known(until="2028-01-01", reason="longer")
    for mutes in ((known(), longer), (longer, known())):
        assert marks(leaked(), *mutes) == Muted(reason="longer", until="2028-01-01")


@pytest.mark.parametrize(("days", "muted"), [(0, True), (-1, False)])
def test_the_doctor_marks_and_does_not_fail(days: int, muted: bool) -> None:
    until = (datetime.date.today() + datetime.timedelta(days=days)).isoformat()
    host = open_host(str(SCENARIOS / "storage-controller-faults" / "host.tar.gz"), None)
    code = "LOOP_BACKING_DELETED"
    config = Config(mutes=(Mute(code=code, severity="critical", reason="we know", until=until),))
    report = diagnose(host, config, strict=True)
    (found,) = [finding for finding in report.findings if finding.code == code]
    assert found.muted == (Muted(reason="we know", until=until) if muted else None)
    only = replace(report, findings=(found,), checks=())
    assert exit_code(only, FailOn.CRITICAL) is (ExitCode.OK if muted else ExitCode.FINDINGS)
    findings = document(only)["findings"]
    assert isinstance(findings, list)
    assert isinstance(findings[0], dict)
    assert findings[0]["muted"] == ({"reason": "we know", "until": until} if muted else None)
