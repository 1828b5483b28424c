"""The report for people, read as an operator reads it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Unexamined
from sctune.findings import Cause, Risk, Severity, Subject, SubjectKind, evidence
from sctune.host.base import Source
from sctune.model.report import Report, Status
from sctune.report.layout import MAX_WIDTH, Page, Style, atom, encode, len_shown, style_for, wrap
from sctune.report.text import render
from sctune.report.words import evidence_words, ratio_words, size_words, time_words
from sctune.unavailable import Reason
from tests.unit import reports
from tests.unit.golden import compare

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: dict[str, Callable[[], Report]] = {
    "healthy": reports.healthy,
    "one": reports.one_fault,
    "two-hundred": reports.two_hundred,
    "ordinary-user": reports.ordinary_user,
    "causes": reports.causes,
    "nothing-here": reports.nothing_here,
    "only-notes": reports.only_notes,
    "hostile": reports.hostile,
    "muted": reports.some_muted,
    "baseline": reports.compared_with_baseline,
}


def text(report: Report, width: int = 80, *, colour: bool = False) -> str:
    return render(report, style=Style(width=width, colour=colour), codes=reports.CODES)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("case", CASES)
def test_golden(request: pytest.FixtureRequest, case: str, width: int) -> None:
    compare(request, f"{case}-{width}.txt", text(CASES[case](), width))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("case", CASES)
def test_width_is_respected(case: str, width: int) -> None:
    for line in text(CASES[case](), width).splitlines():
        # A word of a command is never broken: it would be another command.
        assert len_shown(line) <= width or len(line.removesuffix(" \\").split()) == 1 or "$'" in line, line


@pytest.mark.parametrize("case", CASES)
def test_ends_with_verdict_and_what_to_do_next(case: str) -> None:
    last = text(CASES[case]()).split("\n\n")[-1]
    assert re.fullmatch(r"Verdict: .*\n(?: {9}.*\n)*Next: .*(?:\n {6}.*)*\.\n", last)


def test_worst_first() -> None:
    shown = text(reports.report(reports.buffered(0), reports.leaked(1), reports.deleted(2)))
    assert re.findall(r"^(CRITICAL|WARNING|INFO) ", shown, re.MULTILINE) == ["CRITICAL", "WARNING", "INFO"]


def test_a_cause_stands_where_its_worst_effect_would() -> None:
    cause = replace(reports.buffered(0), caused_by=None)
    effect = replace(reports.deleted(1), caused_by=Cause(code=cause.code, subject=cause.subject))
    shown = text(reports.report(reports.leaked(5), cause, effect))
    assert shown.index("LOOP_BUFFERED") < shown.index("LOOP_LEAKED")


def test_colour_only_where_wanted() -> None:
    for case in CASES.values():
        assert "\x1b" not in text(case())
    coloured = text(reports.one_fault(), colour=True)
    assert "\x1b[1;31mCRITICAL\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text(reports.one_fault())


def test_two_hundred_of_a_kind_are_one_paragraph() -> None:
    shown = text(reports.two_hundred())
    assert shown.count("LOOP_LEAKED (200 volumes)") == 1
    assert len(shown.splitlines()) < 50
    assert "195 more" in shown
    # What is alike is said once, what differs with each.
    assert shown.count("from /sys/block/loop*/loop, tgtd") == 1
    assert shown.count("attached: 3 h") == 1


def test_six_are_all_shown_and_seven_are_not() -> None:
    six = text(reports.report(*(reports.leaked(number) for number in range(6))))
    assert " more:" not in six
    seven = text(reports.report(*(reports.leaked(number) for number in range(7))))
    assert "2 more: vol-391D44C3, vol-391D44C4" in seven


def test_two_hundred_remedies_and_reasons_are_no_two_hundred_paragraphs() -> None:
    findings = (reports.leaked(number) for number in range(200))
    varied = [replace(one, remedy=replace(one.remedy, text=f"Do {one.subject.id}.")) for one in findings]
    unseen = tuple(Unexamined(what=f"v{n}", reason=Reason.TIMEOUT, detail=f"no answer in 2.{n} s") for n in range(200))
    checks = (reports.check("composed", Status.WARNING, 200, unexamined=unseen),)
    shown = text(reports.report(*varied, checks=checks))
    assert len(shown.splitlines()) < 100
    assert "196 more remedies" in shown
    assert "190 more reasons" in shown


def test_root_is_asked_for_once() -> None:
    shown = text(reports.ordinary_user())
    assert shown.count("Only root may read") == 1
    assert shown.lower().count("permission denied") == 0
    assert shown.count("sudo") == 1


def test_denied_to_root_is_no_matter_of_rights() -> None:
    shown = text(replace(reports.ordinary_user(), identity=reports.healthy().identity))
    assert "sudo" not in shown
    assert "permission denied" in shown


def test_a_hung_tool_is_told_once_with_all_it_stops() -> None:
    shown = " ".join(text(reports.causes()).split())
    assert shown.count("lvm fullreport") == 1
    assert "Incomplete for it: lvm-pvs, lvm-snapshots" in shown
    assert "process 4711" in shown


@pytest.mark.parametrize("case", CASES)
def test_no_contradiction(case: str) -> None:
    report = CASES[case]()
    shown = " ".join(text(report).split())
    incomplete = any(check.status is Status.UNKNOWN or check.unexamined for check in report.checks)
    bad = any(finding.severity is not Severity.INFO for finding in report.findings)
    verdict = shown.split("Verdict: ")[1]
    assert not (bad and "no fault" in verdict)
    assert not (incomplete and "no fault found in what could be examined" not in verdict and "no fault" in verdict)
    assert not ((bad or incomplete) and "nothing to do" in verdict)


def test_nothing_examined_is_not_called_fine() -> None:
    shown = text(reports.report(checks=(reports.check("loop-limit", examined=0),)))
    assert "Nothing to examine (0 found) for: loop-limit" in shown
    assert "No fault" not in shown and "no fault" not in shown


def test_everything_unknown_is_not_called_fine() -> None:
    hung = Unexamined(what="tgtd", reason=Reason.TIMEOUT)
    shown = text(reports.report(checks=(reports.check("tgt", Status.UNKNOWN, 0, unexamined=(hung,), reason="tgtd: timeout"),)))
    assert "nothing can be said: 1 of 1 checks could not see everything" in shown
    assert "find out why tgtd could not be examined" in shown


@pytest.mark.parametrize(
    ("source", "reasons", "advice"),
    [
        (
            Source.ROOT,
            (Reason.NOT_COLLECTED,),
            "files show how a host is set up, not what it does: sctune doctor on the host itself",
        ),
        (Source.ROOT, (Reason.NOT_COLLECTED, Reason.MALFORMED), "find out why thing-1 could not be examined"),
        (Source.CAPTURE, (Reason.NOT_COLLECTED,), "Next: a new sctune capture of that host shows the rest."),
        (Source.LIVE, (Reason.NOT_COLLECTED,), "find out why thing-0 could not be examined, then run sctune doctor again."),
    ],
)
def test_what_was_never_recorded_is_not_to_be_found_out(source: Source, reasons: tuple[Reason, ...], advice: str) -> None:
    gaps = [Unexamined(what=f"thing-{number}", reason=reason) for number, reason in enumerate(reasons)]
    unknown = tuple(reports.check(gap.what, Status.UNKNOWN, 0, unexamined=(gap,), reason="so") for gap in gaps)
    assert advice in " ".join(text(replace(reports.report(checks=unknown), source=source)).replace("\xa0", " ").split())


def test_unknown_without_a_list_still_says_why() -> None:
    shown = text(reports.report(checks=(reports.check("site", Status.UNKNOWN, 0, reason="site.py: SyntaxError"),)))
    assert "site.py: SyntaxError" in shown


def test_a_cause_that_is_not_in_the_report_is_named() -> None:
    shown = text(reports.report(reports.lost(0)))
    assert "Follows from TGT_DOWN (process tgtd), which was not looked for." in shown


def test_findings_that_name_each_other_are_both_told() -> None:
    one, other = reports.deleted(1), reports.leaked(2)
    one = replace(one, caused_by=Cause(code=other.code, subject=other.subject))
    other = replace(other, caused_by=Cause(code=one.code, subject=one.subject))
    shown = text(reports.report(one, other))
    assert "CRITICAL  LOOP_BACKING_DELETED" in shown
    assert "WARNING   LOOP_LEAKED" in shown


def test_severities_of_one_code_are_told_apart() -> None:
    mixed = [reports.leaked(0), replace(reports.leaked(1), severity=Severity.CRITICAL)]
    shown = text(reports.report(*mixed))
    assert "- critical, volume vol-391D44BF" in shown
    assert "- warning, volume vol-391D44BE" in shown
    assert shown.index("BF:") < shown.index("BE:")


def test_remedies_that_differ_say_for_whom() -> None:
    stopped = replace(reports.tgt_down(), subject=Subject(kind=SubjectKind.PROCESS, id="tgtd:1"))
    stopped = replace(stopped, remedy=replace(stopped.remedy, text="Let it run on.", commands=("kill -CONT 77",), risk=Risk.SAFE))
    shown = text(reports.report(reports.tgt_down(), stopped))
    assert "Remedy (disturbs service) for tgtd: Start" in shown
    assert "Remedy for tgtd:1: Let it run on." in shown


def test_a_code_without_catalogue_entry_is_told_all_the_same() -> None:
    shown = render(reports.one_fault(), style=Style(), codes={})
    assert "CRITICAL  LOOP_BACKING_DELETED" in shown


@pytest.mark.parametrize(("source", "word"), [(Source.CAPTURE, "from a capture"), (Source.ROOT, "from a file tree")])
def test_says_that_it_is_not_this_machine(source: Source, word: str) -> None:
    shown = text(replace(reports.one_fault(), source=source))
    assert word in shown
    assert "run sctune doctor again" not in " ".join(shown.split())


@pytest.mark.parametrize("started", [0.0, -1.0, 1e20, float("inf"), float("nan")])
def test_a_clock_out_of_the_calendar_is_left_out(started: float) -> None:
    assert "UTC" not in text(replace(reports.healthy(), started=started))


def test_long_commands_can_be_pasted() -> None:
    page = Page(style=Style(width=60))
    command = "dd if=/dev/loop0 of='/srv/a folder with spaces/and a very long name indeed' bs=4M status=progress"
    page.command(command, indent=6)
    assert len(page.lines) > 1
    joined = "".join(line.strip().removesuffix("\\") for line in page.lines)
    assert joined == command
    assert all(line.endswith(" \\") for line in page.lines[:-1])


def test_a_comment_is_never_continued() -> None:
    page = Page(style=Style(width=60))
    page.command("cat /sys/block/sdX/device/timeout    # on an initiator: the SCSI command timeout in seconds", indent=4)
    assert page.lines == [
        "    # on an initiator: the SCSI command timeout in seconds",
        "    cat /sys/block/sdX/device/timeout",
    ]


def test_paths_are_not_broken_where_they_fit() -> None:
    path = "/var/lib/eucalyptus/volumes/vol-391D44BE with spaces"
    lines = list(wrap(f"the file {atom(path)} was deleted", width=60))
    assert any(path in line for line in lines)


def test_a_path_that_cannot_fit_is_broken_after_a_slash() -> None:
    lines = list(wrap("/srv/" + "/".join(f"folder{number}" for number in range(12)), width=40))
    assert all(len(line) <= 40 for line in lines)
    assert all(line.endswith("/") for line in lines[:-1])


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z", "M"))), st.integers(40, 120), st.integers(0, 12))
def test_wrap_loses_nothing(word: str, width: int, indent: int) -> None:
    given_text = f"a {word} b {word}{word}"
    lines = list(wrap(given_text, width=width, indent=indent, hang=indent))
    assert all(len_shown(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(given_text.split())


@pytest.mark.parametrize(
    ("terminal", "environment", "width", "colour"),
    [
        (False, {}, 80, False),
        (False, {"COLUMNS": "100"}, 100, False),
        (True, {"COLUMNS": "100", "TERM": "xterm"}, 100, True),
        (True, {"COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "1"}, 100, False),
        (True, {"COLUMNS": "100", "TERM": "xterm", "NO_COLOR": ""}, 100, True),
        (True, {"COLUMNS": "100", "TERM": "dumb"}, 100, False),
        (True, {"COLUMNS": "100"}, 100, False),
        (False, {"COLUMNS": "500"}, MAX_WIDTH, False),
        (False, {"COLUMNS": "5"}, 40, False),
        (False, {"COLUMNS": "0"}, 80, False),
        (False, {"COLUMNS": "wide"}, 80, False),
    ],
)
def test_style(terminal: bool, environment: dict[str, str], width: int, colour: bool) -> None:
    assert style_for(is_terminal=terminal, environment=environment) == Style(width=width, colour=colour)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        ((1 << 30) + (4 << 20), "1 GiB"),
        (1536 << 20, "1.5 GiB"),
        ((1 << 40) - 1, "1 TiB"),
        (256 << 30, "256 GiB"),
        (1 << 90, "1073741824 EiB"),
        (-(1 << 20), "-1 MiB"),
        (float("nan"), "unknown"),
    ],
)
def test_sizes(size: float, words: str) -> None:
    assert size_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (119, "119 s"),
        (7199, "2 h"),
        (300, "5 min"),
        (3600 * 5 + 60 * 7, "5 h 7 min"),
        (86400 * 3 + 3600, "3 days 1 h"),
        (-5, "-5 s"),
        (float("inf"), "unknown"),
    ],
)
def test_times(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0, "0 %"), (0.8, "80 %"), (0.9999, "99.9 %"), (1, "100 %"), (1e-9, "less than 0.1 %"), (1.25, "125 %")],
)
def test_ratios(ratio: float, words: str) -> None:
    assert ratio_words(ratio) == words


def test_evidence_in_words() -> None:
    facts = evidence(
        source="/sys",
        used=0,
        free_bytes=1 << 30,
        held_seconds=90.0,
        used_ratio=0.5,
        recovery_timeout=120,
        deleted=True,
        missing=None,
        names=("a", "b"),
        nothing=(),
        empty="",
        bytes=5,
        file_size=1 << 30,
        flush_speed_bytes_per_second=400 << 20,
        inodes_used=0.25,
        dirty_ratio=20,
        load=0.123456789,
    )
    assert [evidence_words(key, value) for key, value in facts[:-1]] == [
        ("used", "0"),
        ("free", "1 GiB"),
        ("held", "90 s"),
        ("used", "50 %"),
        ("recovery timeout", "120 s"),
        ("deleted", "yes"),
        ("missing", "unknown"),
        ("names", "a, b"),
        ("nothing", "none"),
        ("empty", "none"),
        ("bytes", "5 bytes"),
        ("file size", "1 GiB"),
        ("flush speed", "400 MiB/s"),
        ("inodes used", "25 %"),
        ("dirty ratio", "20"),
        ("load", "0.123457"),
    ]


def test_terminals_without_utf8() -> None:
    assert encode("a – b … ü", "utf-8") == "a – b … ü".encode()
    assert encode("a – b … ü", "ascii") == b"a - b ... \\xfc"
    assert encode("a – ü", "iso-8859-1") == b"a - \xfc"
