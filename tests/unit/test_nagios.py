"""--format nagios, read as a monitoring system reads it: status, first line, numbers, long text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sctune.baseline import compare
from sctune.check import Unexamined
from sctune.model.measure import Measure, MeasureUnit
from sctune.model.report import Report, Status
from sctune.report.format import FailOn
from sctune.report.nagios import State, failure, render, state
from sctune.unavailable import Reason
from tests.unit import reports
from tests.unit.test_text import CASES

PERFDATA = re.compile(
    r"(?P<label>'(?:[^'=]|'')+'|[^\s'=]+)=(?P<value>U|-?\d+(?:\.\d+)?)(?P<unit>s|%|B|c|)(?P<rest>(?:;[\d.]*){0,4})\Z"
)


@dataclass
class Read:
    """Plug-in output, as Nagios' own documentation takes it apart."""

    first: str
    long: list[str]
    numbers: dict[str, list[str]]


def read(output: str) -> Read:
    assert output.endswith("\n")
    lines = output[:-1].split("\n")
    assert sum(line.count("|") for line in lines) == 1, "the first line alone has numbers"
    first, _, perfdata = lines[0].partition(" | ")
    numbers = {}
    for word in re.findall(r"(?:'(?:[^']|'')*'|[^\s'])+", perfdata):
        found = PERFDATA.match(word)
        assert found is not None, word
        numbers[found["label"].strip("'").replace("''", "'")] = [found["value"] + found["unit"], *found["rest"].split(";")[1:]]
    return Read(first=first, long=lines[1:], numbers=numbers)


def shown(report: Report, fail_on: FailOn = FailOn.WARNING) -> Read:
    return read(render(report, fail_on))


@pytest.mark.parametrize("fail_on", FailOn)
@pytest.mark.parametrize("case", CASES)
def test_every_report_is_output_of_a_plug_in(case: str, fail_on: FailOn) -> None:
    report = CASES[case]()
    found = shown(report, fail_on)
    assert found.first.startswith(f"SCTUNE {state(report, fail_on).name} - ")
    assert all(line and line.isprintable() for line in (found.first, *found.long))
    assert len(render(report, fail_on).encode()) <= 8192
    assert {"time", "critical", "warning", "info", "muted", "incomplete"} <= found.numbers.keys()


INCOMPLETE = reports.check("x", Status.UNKNOWN, 0, reason="lvm: timeout")


@pytest.mark.parametrize(
    ("report", "fail_on", "status"),
    [
        (reports.healthy(), FailOn.WARNING, State.OK),
        (reports.nothing_here(), FailOn.WARNING, State.OK),
        (reports.only_notes(), FailOn.WARNING, State.OK),
        (reports.only_notes(), FailOn.INFO, State.WARNING),
        (reports.two_hundred(), FailOn.WARNING, State.WARNING),
        (reports.two_hundred(), FailOn.CRITICAL, State.OK),
        (reports.one_fault(), FailOn.WARNING, State.CRITICAL),
        (reports.one_fault(), FailOn.NEVER, State.OK),
        (reports.ordinary_user(), FailOn.WARNING, State.UNKNOWN),
        (reports.ordinary_user(), FailOn.NEVER, State.UNKNOWN),
        (reports.report(reports.leaked(0), checks=(INCOMPLETE,)), FailOn.WARNING, State.WARNING),
        (reports.report(reports.leaked(0), checks=(INCOMPLETE,)), FailOn.CRITICAL, State.UNKNOWN),
        (reports.report(reports.leaked(0), reports.deleted(0), checks=(INCOMPLETE,)), FailOn.WARNING, State.CRITICAL),
        (reports.report(reports.muted(reports.deleted(0))), FailOn.INFO, State.OK),
    ],
)
def test_the_worse_of_several_states_counts_and_a_fault_is_worse_than_not_knowing(
    report: Report, fail_on: FailOn, status: State
) -> None:
    assert state(report, fail_on) is status


def test_the_numbers_of_the_states_are_those_of_the_guidelines() -> None:
    assert [int(one) for one in (State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN)] == [0, 1, 2, 3]


def test_one_fault_is_the_first_line() -> None:
    found = shown(reports.one_fault())
    assert found.first == (
        "SCTUNE CRITICAL - LOOP_BACKING_DELETED volume vol-391D44BE: "
        "/var/lib/eucalyptus/volumes/vol-391D44BE was deleted, and /dev/loop0 still holds it"
    )
    assert len(found.long) == 1


def test_two_hundred_are_one_line_and_few_more() -> None:
    found = shown(reports.two_hundred())
    assert found.first == "SCTUNE WARNING - 200 warnings: LOOP_LEAKED"
    assert len(found.long) == 6
    assert found.long[-1].startswith("195 more of LOOP_LEAKED: vol-391D44C3, ")


def test_all_is_well() -> None:
    found = shown(reports.healthy())
    assert found.first == "SCTUNE OK - no fault found in 41 things examined by 5 checks"
    assert found.long == []
    assert found.numbers["critical"] == ["0", "", "", "0"]
    assert found.numbers["time"][0] == "0.42s"


def test_what_could_not_be_seen_is_said_in_every_state() -> None:
    unseen = Unexamined(what="lvm fullreport", reason=Reason.TIMEOUT, detail="no answer in 8 s")
    check = reports.check("lvm", Status.UNKNOWN, 0, unexamined=(unseen,), reason="r")
    unknown = shown(reports.report(checks=(check,)))
    assert unknown.first == "SCTUNE UNKNOWN - 1 of 1 checks could not see everything (lvm fullreport)"
    assert unknown.long == ["could not be examined: lvm fullreport - no answer in time (no answer in 8 s); incomplete for it: lvm"]
    fault = shown(reports.report(reports.deleted(), checks=(check,)))
    assert fault.first.endswith("; 1 of 1 checks could not see everything")
    assert fault.numbers["incomplete"] == ["1", "", "", "0", "1"]


def test_muted_is_marked_with_reason_and_date_and_counted_apart() -> None:
    found = shown(reports.some_muted())
    assert found.first.endswith("; 1 critical, 200 warnings muted")
    assert found.numbers["critical"][0] == "1"
    assert found.numbers["muted"][0] == "201"
    marked = [line for line in found.long if line.startswith("muted until ")]
    assert len(marked) == 7
    assert marked[0].startswith("muted until 2025-12-31 (replaced on Friday, ticket 4711): warning LOOP_LEAKED volume ")


def test_what_a_baseline_knew_is_marked() -> None:
    found = shown(reports.compared_with_baseline())
    assert found.first.startswith("SCTUNE CRITICAL - 3 critical: LOOP_BACKING_DELETED, TGT_EXPORT_LOST; ")
    assert "1 critical, 10 warnings, 1 note known from the baseline" in found.first
    assert any(line.startswith("new: critical TGT_EXPORT_LOST") for line in found.long)
    assert any(line.startswith("worse: critical LOOP_BACKING_DELETED") for line in found.long)
    assert any(line.startswith("known from the baseline: better: info LOOP_BUFFERED") for line in found.long)
    assert sum(line.startswith("gone since the baseline: ") for line in found.long) == 2
    assert sum(line.startswith("not seen: critical ISCSI_SESSION_FAILED") for line in found.long) == 1
    report = reports.report(reports.deleted(0), checks=reports.HEALTHY_CHECKS)
    known = replace(report, comparison=compare(report, reports.baseline(reports.earlier(reports.deleted(0))), finds=reports.FINDS))
    assert state(known, FailOn.WARNING) is State.OK


def measured(*measures: Measure) -> Read:
    return shown(replace(reports.healthy(), measures=measures))


def test_thresholds_are_the_greatest_values_without_an_alert() -> None:
    """What a plug-in calls 204 alerts from 205 on; so does the doctor, at 80 % of 256."""
    loops = Measure(name="loops", value=10, unit=MeasureUnit.COUNT, warning=0.8 * 256, critical=0.95 * 256, maximum=256)
    hundred = replace(loops, name="of_hundred", warning=80, critical=95, maximum=100)
    found = measured(loops, hundred).numbers
    assert found["loops"] == ["10", "204", "243", "0", "256"]
    assert found["of_hundred"] == ["10", "79", "94", "0", "100"]


def test_units() -> None:
    found = measured(
        Measure(name="size", value=(1 << 60) + 0.4, unit=MeasureUnit.BYTES, warning=1 << 62),
        Measure(name="share", value=0.123456, unit=MeasureUnit.RATIO, warning=0.8, critical=0.95, maximum=1.0),
        Measure(name="small", value=0.00000001, unit=MeasureUnit.SECONDS),
        Measure(name="none", value=float("nan"), unit=MeasureUnit.COUNT),
    ).numbers
    assert found["size"][0] == f"{1 << 60}B"
    assert found["size"][1] == str((1 << 62) - 1)
    assert found["share"] == ["12.35%", "80", "95", "0", "100"]
    assert found["small"][0] == "0s"
    assert found["none"][0] == "U"


def test_labels_are_quoted_where_they_must_be() -> None:
    output = render(
        replace(reports.healthy(), measures=(Measure(name="store_used", of="/it's = a|b\n", value=1, unit=MeasureUnit.BYTES),)),
        FailOn.WARNING,
    )
    assert " 'store_used:/it''s _ a\\x7cb\\n'=1B;;;0\n" in output
    assert "store_used:/it's _ a\\x7cb\\n" in read(output).numbers


@example("0", 0.0, -0.0, MeasureUnit.COUNT)
@example("0", -0.0, 1e-9, MeasureUnit.RATIO)
@given(st.text(min_size=1, max_size=40), st.floats(), st.floats(), st.sampled_from(MeasureUnit))
def test_any_name_and_number_can_be_read_again(of: str, value: float, bound: float, unit: MeasureUnit) -> None:
    if not 0 <= bound < 1e18:
        bound = 5.0
    if value < 0 or abs(value) > 1e18:
        value = 1.5
    assert len(measured(Measure(name="x", of=of, value=value, unit=unit, warning=bound, maximum=bound)).numbers) == 7


@given(st.text(max_size=300))
def test_any_summary_stays_in_its_line(text: str) -> None:
    report = reports.report(replace(reports.deleted(), summary=text or "x"), replace(reports.leaked(1), summary=text or "x"))
    found = shown(report)
    assert len(found.long) == 2


def test_a_pipe_in_a_name_does_not_begin_the_numbers() -> None:
    report = reports.report(replace(reports.deleted(), summary="a | b=1"))
    assert shown(report).first.endswith("a \\x7c b=1")


def test_long_text_is_cut_where_nagios_would_cut_it_and_says_so() -> None:
    findings = (replace(reports.leaked(number), code=f"CODE_{number}", summary="x" * 200) for number in range(100))
    output = render(reports.report(*findings), FailOn.WARNING)
    assert len(output.encode()) < 8192
    assert re.search(r"^\d+ more lines: sctune doctor says all$", output.splitlines()[-1])


def test_a_failure_is_unknown_on_standard_output() -> None:
    assert failure("no such | option\x1b", "Try it.") == "SCTUNE UNKNOWN - no such \\x7c option\\x1b\nTry it.\n"
