"""--baseline: what is new, worse, gone or not seen, and that the earlier file is read strictly."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sctune.baseline import compare
from sctune.check import Unexamined
from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.findings import Severity, Subject, SubjectKind
from sctune.model.baseline import Change, identity_of
from sctune.model.report import Report, Status
from sctune.report import earlier as reader
from sctune.report.earlier import read_baseline
from sctune.report.exit import exit_code
from sctune.report.format import FailOn
from sctune.report.json import document
from sctune.report.json import render as render_json
from sctune.report.sanitize import clean_report
from sctune.unavailable import Reason
from tests.unit import reports
from tests.unit.reports import FINDS, baseline, earlier
from tests.unit.test_json import VALIDATOR

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.findings import Finding
    from sctune.model.baseline import Baseline

OK = reports.check("composed", examined=3)


def compared(known: Baseline, *findings: Finding, checks: tuple[Any, ...] = (OK,)) -> Report:
    found = reports.report(*findings, checks=checks)
    return replace(found, comparison=compare(found, known, finds=FINDS))


@pytest.mark.parametrize(
    ("before", "muted", "change", "code"),
    [
        (None, False, Change.NEW, ExitCode.FINDINGS),
        (Severity.CRITICAL, False, Change.SAME, ExitCode.OK),
        (Severity.WARNING, False, Change.WORSE, ExitCode.FINDINGS),
        (Severity.INFO, False, Change.WORSE, ExitCode.FINDINGS),
        (Severity.CRITICAL, True, Change.UNMUTED, ExitCode.FINDINGS),
        (Severity.WARNING, True, Change.WORSE, ExitCode.FINDINGS),
    ],
)
def test_one_finding(before: Severity | None, muted: bool, change: Change, code: ExitCode) -> None:
    finding = reports.deleted(0)
    known = baseline() if before is None else baseline(earlier(finding, before, muted=muted))
    report = compared(known, finding)
    assert report.comparison is not None
    assert report.comparison.changes == {identity_of(finding): change}
    assert (report.comparison.gone, report.comparison.not_seen) == ((), ())
    assert exit_code(report, FailOn.WARNING) is code


def test_what_got_better_does_not_fail_the_run() -> None:
    finding = reports.leaked(0)
    report = compared(baseline(earlier(finding, Severity.CRITICAL)), finding)
    assert report.comparison is not None
    assert list(report.comparison.changes.values()) == [Change.BETTER]
    assert exit_code(report, FailOn.INFO) is ExitCode.OK


def test_a_worse_one_fails_only_from_fail_on_on() -> None:
    report = compared(baseline(earlier(reports.leaked(0), Severity.INFO)), reports.leaked(0))
    assert exit_code(report, FailOn.WARNING) is ExitCode.FINDINGS
    assert exit_code(report, FailOn.CRITICAL) is ExitCode.OK


def test_a_muted_finding_is_never_news() -> None:
    assert exit_code(compared(baseline(), reports.muted(reports.deleted(0))), FailOn.INFO) is ExitCode.OK


def test_an_incomplete_look_is_incomplete_whatever_was_known() -> None:
    unknown = reports.check("composed", Status.UNKNOWN, 0, reason="x: timeout")
    report = compared(baseline(earlier(reports.deleted(0))), checks=(unknown,))
    assert exit_code(report, FailOn.WARNING) is ExitCode.INCOMPLETE


HIDDEN = (Unexamined(what="vol-1", reason=Reason.DENIED),)


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (OK, ""),
        (reports.absent("composed", "no tgtd runs"), "the check composed does not apply: no tgtd runs"),
        (reports.check("composed", Status.WARNING, 3), ""),
        (
            reports.check("composed", Status.UNKNOWN, 0, unexamined=HIDDEN, reason="r"),
            "could not look at everything (vol-1: denied)",
        ),
        (reports.check("composed", Status.WARNING, 3, unexamined=HIDDEN), "could not look at everything (vol-1: denied)"),
        (reports.check("composed", Status.UNKNOWN, 0, reason="broken"), "could not look at everything"),
        (reports.check("another"), "the check composed was not run"),
    ],
)
def test_gone_only_where_it_was_looked_for_everywhere(check: Any, why: str) -> None:
    report = compared(baseline(earlier(reports.deleted(0))), checks=(check,))
    assert report.comparison is not None
    if why:
        (item,) = report.comparison.not_seen
        assert why in item.why
        assert report.comparison.gone == ()
    else:
        assert report.comparison.not_seen == ()
        assert [one.code for one in report.comparison.gone] == ["LOOP_BACKING_DELETED"]


def test_a_code_that_another_check_finds_today_is_looked_up_there() -> None:
    known = baseline(earlier(reports.deleted(0), check="before"))
    report = compared(known)
    assert report.comparison is not None
    assert len(report.comparison.gone) == 1


def test_a_code_that_no_check_finds_any_more_is_not_gone() -> None:
    known = replace(earlier(reports.deleted(0)), code="SITE_CODE")
    report = compared(baseline(known))
    assert report.comparison is not None
    assert [item.why for item in report.comparison.not_seen] == ["no check of this sctune finds it"]


def write(path: Path, report: Report) -> str:
    path.write_text(render_json(report), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("case", ["two_hundred", "causes", "hostile", "some_muted", "healthy", "compared_with_baseline"])
def test_a_report_against_itself_has_no_news(tmp_path: Path, case: str) -> None:
    report: Report = clean_report(getattr(reports, case)())
    known = read_baseline(write(tmp_path / "last.json", report))
    finds = {finding.code: finding.check for finding in report.findings}
    comparison = compare(report, known, finds=finds)
    assert set(comparison.changes.values()) <= {Change.SAME}
    assert (comparison.gone, comparison.not_seen) == ((), ())
    again = replace(report, comparison=comparison)
    assert exit_code(again, FailOn.INFO) in (ExitCode.OK, ExitCode.INCOMPLETE)
    VALIDATOR.validate(document(again))


def test_the_json_says_what_changed() -> None:
    value: Any = json.loads(render_json(reports.compared_with_baseline()))
    VALIDATOR.validate(value)
    found = value["baseline"]
    assert {one["code"] for one in found["new"]} == {"LOOP_BACKING_DELETED", "TGT_EXPORT_LOST", "LOOP_LEAKED"}
    assert [(one["change"], one["severity_before"]) for one in found["changed"]] == [("worse", "warning"), ("better", "warning")]
    assert found["same"] == 11
    assert len(found["gone"]) == 2
    assert "timeout" in found["not_seen"][0]["reason"]


@pytest.mark.parametrize("key", ["file", "started", "new", "changed", "same", "gone", "not_seen"])
def test_the_schema_misses_what_is_missing(key: str) -> None:
    value: Any = document(reports.compared_with_baseline())
    del value["baseline"][key]
    assert list(VALIDATOR.iter_errors(value))


def test_without_a_baseline_there_is_none() -> None:
    assert "baseline" not in document(reports.one_fault())


GOOD = render_json(reports.causes()).encode()
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no report of sctune doctor: input data was truncated"),
        (GOOD[: len(GOOD) // 2], "no report of sctune doctor: input data was truncated"),
        (b"\x7fELF\x00\xff\xfe", "no report of sctune doctor: JSON is malformed"),
        (b"[]", "expected `object`, got `array`"),
        (b"{}", "missing required field `schema`"),
        (b'{"schema": "1"}', "expected `int`, got `str` - at `$.schema`"),
        (b'{"schema": 2}', "a report of schema 2, and this sctune reads 1"),
        (b'{"schema": 1}', "missing required field"),
        (GOOD.replace(b'"critical"', b'"dreadful"'), "invalid enum value 'dreadful' - at `$.findings[0].severity`"),
        (GOOD.replace(b'"critical"', b'"a\\n' + b"x" * 100_000 + b'"'), "xxx..."),
        (GOOD.replace(b'"TGT_DOWN"', b'"tgt down"'), "matching regex"),
        (GOOD.replace(b"2025-11-22T17:50:12Z", b"yesterday"), "matching regex"),
        (GOOD.replace(b'"id": "tgtd"', b'"id": ""'), "length >= 1"),
        (GOOD.replace(b'"id": "tgtd"', b'"id": 7'), "expected `str`, got `int`"),
        (b'{"schema": 1, "x": ' + DEEP, "recursion"),
        (GOOD.replace(b"sc1.example", b"sc1\xff.example"), "invalid start byte"),
        (b'{"schema": 1e400}', ""),
        (b'{"schema": NaN}', ""),
    ],
)
def test_what_is_no_report_is_one_line_that_names_the_file(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_baseline(str(file))
    assert caught.value.message.startswith(f"{file}: ")
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, says in (
        (str(fifo), "not a regular file"),  # and it is not waited for
        (str(tmp_path), "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (str(tmp_path / "none"), "no such file"),
        ("a\0b", "not a path"),
    ):
        with pytest.raises(UserError, match=says):
            read_baseline(path)
    monkeypatch.setattr(reader, "MAX_BYTES", len(GOOD) - 1)
    (tmp_path / "big").write_bytes(GOOD)
    with pytest.raises(UserError, match="larger than"):
        read_baseline(str(tmp_path / "big"))


def test_a_sparse_file_of_100_gib_is_refused_at_once(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.touch()
    os.truncate(big, 100 << 30)
    with pytest.raises(UserError, match="larger than 64 MiB"):
        read_baseline(str(big))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.one_of(st.binary(max_size=200), st.integers(0, len(GOOD)).map(lambda at: GOOD[:at] + b"\x00" + GOOD[at + 1 :])))
def test_any_bytes_are_a_baseline_or_a_user_error(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "b.json"
    file.write_bytes(data)
    try:
        assert read_baseline(str(file)).file == str(file)
    except UserError as error:
        assert str(file) in error.message


def test_text_of_a_hostile_file_is_harmless(tmp_path: Path) -> None:
    value = document(reports.causes())
    for finding in value["findings"]:  # type: ignore[union-attr]
        finding["summary"] = finding["subject"]["id"] = "\x1b[2J\n\u202e"  # type: ignore[index,call-overload]
    file = tmp_path / "b.json"
    file.write_text(json.dumps(value))
    known = read_baseline(str(file))
    assert all(one.summary.isprintable() and one.id.isprintable() for one in known.findings)


def test_what_a_newer_sctune_adds_is_passed_over(tmp_path: Path) -> None:
    value: Any = document(reports.one_fault())
    value["new_key"] = {"deep": [1]}
    value["findings"][0]["subject"]["kind"] = "teapot"
    value["findings"][0]["new_key"] = None
    file = tmp_path / "b.json"
    file.write_text(json.dumps(value))
    assert read_baseline(str(file)).findings[0].kind == "teapot"


def test_an_identity_said_twice_counts_once_the_first_time(tmp_path: Path) -> None:
    value: Any = document(reports.one_fault())
    value["findings"].append({**value["findings"][0], "severity": "info"})
    file = tmp_path / "b.json"
    file.write_text(json.dumps(value))
    (one,) = read_baseline(str(file)).findings
    assert one.severity is Severity.CRITICAL


def test_the_same_id_of_another_kind_is_another_subject() -> None:
    finding = reports.deleted(0)
    other = replace(finding, subject=Subject(kind=SubjectKind.LOOP, id=finding.subject.id))
    report = compared(baseline(earlier(finding)), other)
    assert report.comparison is not None
    assert list(report.comparison.changes.values()) == [Change.NEW]
    assert len(report.comparison.gone) == 1
