"""One run of the doctor: statuses, the second look, codes of last resort, order, and checks that misbehave."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from sctune import doctor
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.config.model import Config
from sctune.doctor import abandoned, diagnose
from sctune.findings import HOST, Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.headstart import begin
from sctune.host.base import Process, Source
from sctune.inventory import Inventory
from sctune.model.report import Role, Status
from sctune.report.json import render as render_json
from sctune.report.layout import style_for
from sctune.report.text import render as render_text
from sctune.unavailable import CannotLook, Reason, Unavailable, need
from tests.fakes import FakeHost
from tests.synthetic import storage_controller
from tests.unit.storage_hosts import dm, loop, loops, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.model.report import CheckResult, Report


def code(name: str, *severities: Severity, confirm: bool = False, last_resort: bool = False) -> Code:
    return Code(
        code=name,
        severities=severities or (Severity.INFO, Severity.WARNING, Severity.CRITICAL),
        title=f"title of {name}",
        meaning="m",
        why="w",
        thresholds="t",
        see=("true",),
        remedy="r",
        risk=Risk.SAFE,
        source="s",
        confirm=confirm,
        last_resort=last_resort,
    )


def volume(name: str) -> Subject:
    return Subject(kind=SubjectKind.VOLUME, id=name)


def found(entry: Code, name: str = "vol-1", severity: Severity = Severity.WARNING) -> Finding:
    return entry.found(volume(name), f"{name} is ill", evidence(source="test"), severity=severity)


def check(name: str, run: Callable[[Look], Result], *codes: Code, needs: tuple[str, ...] = ()) -> Check:
    return Check(name=name, title=name, codes=codes, needs=needs, run=run)


def says(name: str, *findings: Finding, codes: tuple[Code, ...] = (), unexamined: tuple[Unexamined, ...] = ()) -> Check:
    return check(name, lambda _: Result(examined=3, findings=findings, unexamined=unexamined), *codes)


def run(*checks: Check, host: FakeHost | None = None, strict: bool = False, config: Config | None = None) -> Report:
    return diagnose(host or FakeHost(), config or Config(), checks, strict=strict)


def only(report: Report) -> CheckResult:
    (result,) = report.checks
    return result


HIDDEN = Unexamined(what="sda", reason=Reason.DENIED)
ILL = code("ILL")


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Result(examined=0), Status.OK),
        (Result(examined=2), Status.OK),
        (not_applicable("no such thing"), Status.NOT_APPLICABLE),
        (Result(examined=2, unexamined=(HIDDEN,)), Status.UNKNOWN),
        (Result(examined=2, findings=(found(ILL, severity=Severity.INFO),)), Status.INFO),
        (Result(examined=2, findings=(found(ILL),), unexamined=(HIDDEN,)), Status.WARNING),
        (Result(examined=2, findings=(found(ILL), found(ILL, "b", Severity.CRITICAL))), Status.CRITICAL),
    ],
)
def test_status(result: Result, status: Status) -> None:
    outcome = only(run(check("c", lambda _: result, ILL), strict=True))
    assert outcome.status is status
    assert outcome.unexamined == result.unexamined
    assert outcome.examined == result.examined
    if status is Status.UNKNOWN:
        assert outcome.reason == "sda: denied"
    if status is Status.NOT_APPLICABLE:
        assert outcome.reason == "no such thing"


@pytest.mark.parametrize("reason", list(Reason))
def test_what_is_absent_is_not_applicable_and_all_else_is_unknown(reason: Reason) -> None:
    answer = Unavailable(reason=reason, what="the thing", detail="why")

    def look(_: Look) -> Result:
        need(answer)
        raise AssertionError

    outcome = only(run(check("c", look), strict=True))
    assert outcome.status is (Status.NOT_APPLICABLE if reason is Reason.ABSENT else Status.UNKNOWN)
    assert outcome.reason == f"the thing: {reason} (why)"
    assert outcome.examined == 0
    if reason is not Reason.ABSENT:
        assert outcome.unexamined == (Unexamined(what="the thing", reason=reason, detail="why"),)


def test_findings_are_sorted_worst_first_then_by_code_and_subject_and_carry_their_check() -> None:
    other = code("AAA")
    report = run(
        says("one", found(ILL, "b"), found(ILL, "a"), found(ILL, "z", Severity.INFO), codes=(ILL,)),
        says("two", found(other, "b"), found(other, "c", Severity.CRITICAL), codes=(other,)),
    )
    assert [(f.severity.value, f.code, f.subject.id, f.check) for f in report.findings] == [
        ("critical", "AAA", "c", "two"),
        ("warning", "AAA", "b", "two"),
        ("warning", "ILL", "a", "one"),
        ("warning", "ILL", "b", "one"),
        ("info", "ILL", "z", "one"),
    ]


def test_a_last_resort_yields_to_any_other_fault_of_the_same_subject() -> None:
    vague = code("VAGUE", last_resort=True)
    telling = says("telling", found(ILL, "a"), found(ILL, "b", Severity.INFO), codes=(ILL,))
    report = run(says("vague", *(found(vague, name, Severity.CRITICAL) for name in "abc"), codes=(vague,)), telling)
    assert [(f.code, f.subject.id) for f in report.findings] == [("VAGUE", "b"), ("VAGUE", "c"), ("ILL", "a"), ("ILL", "b")]


def test_last_resorts_do_not_drive_each_other_out() -> None:
    one, two = code("ONE", last_resort=True), code("TWO", last_resort=True)
    report = run(says("c", found(one, "a"), found(two, "a"), codes=(one, two)))
    assert [f.code for f in report.findings] == ["ONE", "TWO"]


@dataclass
class LiveFake(FakeHost):
    source: Source = Source.LIVE


@dataclass
class Changing:
    """A check whose result differs from look to look."""

    results: list[Result | Unavailable | Exception]
    inventories: list[Inventory] = field(default_factory=list)

    def __call__(self, look: Look) -> Result:
        self.inventories.append(look.inventory)
        result = self.results[min(len(self.inventories), len(self.results)) - 1]
        if isinstance(result, Unavailable):
            raise CannotLook(result)
        if isinstance(result, Exception):
            raise result
        return result


MISSING = code("MISSING", confirm=True)


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def twice(first: Result | Unavailable | Exception, second: Result | Unavailable | Exception) -> tuple[Report, Changing]:
    changing = Changing([first, second])
    return run(check("c", changing, MISSING, ILL), host=LiveFake()), changing


def test_a_missing_link_is_looked_at_once_more_with_new_eyes(no_wait: list[float]) -> None:
    seen = Result(examined=2, findings=(found(MISSING, "gone"), found(MISSING, "back"), found(ILL, "a")))
    report, changing = twice(seen, Result(examined=2, findings=(found(MISSING, "gone"), found(MISSING, "new"))))
    assert [(f.code, f.subject.id) for f in report.findings] == [("ILL", "a"), ("MISSING", "gone")]
    assert len(changing.inventories) == 2
    assert changing.inventories[0] is not changing.inventories[1]
    assert no_wait == [doctor.SECOND_LOOK_AFTER]


def test_what_was_there_all_the_time_is_no_fault(no_wait: list[float]) -> None:
    report, _ = twice(Result(examined=1, findings=(found(MISSING),)), Result(examined=1))
    assert report.findings == ()
    assert only(report).status is Status.OK


def test_what_is_gone_altogether_is_no_fault(no_wait: list[float]) -> None:
    report, _ = twice(Result(examined=1, findings=(found(MISSING),)), not_applicable("gone"))
    assert report.findings == ()


@pytest.mark.parametrize("second", [Unavailable(reason=Reason.TIMEOUT, what="x"), RuntimeError("defect")])
def test_a_second_look_that_fails_proves_nothing(second: Unavailable | Exception, no_wait: list[float]) -> None:
    report, _ = twice(Result(examined=1, findings=(found(MISSING),)), second)
    assert [f.code for f in report.findings] == ["MISSING"]


def test_only_doubtful_checks_are_run_again(no_wait: list[float]) -> None:
    sure, doubtful = (
        Changing([Result(examined=1, findings=(found(ILL),))]),
        Changing([Result(examined=1, findings=(found(MISSING),))]),
    )
    run(check("sure", sure, ILL), check("doubtful", doubtful, MISSING), host=LiveFake())
    assert (len(sure.inventories), len(doubtful.inventories)) == (1, 2)


def test_a_capture_does_not_change(no_wait: list[float]) -> None:
    changing = Changing([Result(examined=1, findings=(found(MISSING),)), Result(examined=1)])
    report = run(check("c", changing, MISSING))
    assert [f.code for f in report.findings] == ["MISSING"]
    assert no_wait == []


SILENT = Unexamined(what="tgtd", reason=Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("limits", "unexamined", "looks"),
    [
        ((-1.0, -1.0), (), 1),
        ((-1.0, 9.0), (), 2),
        ((-1.0, 9.0), (SILENT,), 1),
        ((-1.0, 9.0), (Unexamined(what="x", reason=Reason.DENIED),), 2),
        ((9.0, 9.0), (SILENT,), 2),
    ],
)
def test_a_slow_look_is_confirmed_where_everything_answered(
    no_wait: list[float],
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[float, float],
    unexamined: tuple[Unexamined, ...],
    looks: int,
) -> None:
    monkeypatch.setattr(doctor, "NO_SECOND_LOOK_AFTER", limits[0])
    monkeypatch.setattr(doctor, "SLOW_BUT_SOUND", limits[1])
    report, changing = twice(Result(examined=1, findings=(found(MISSING),), unexamined=unexamined), Result(examined=1))
    assert [f.code for f in report.findings] == ["MISSING"] * (looks == 1)
    assert len(changing.inventories) == looks


def test_a_check_may_want_more_than_a_moment(no_wait: list[float]) -> None:
    changing = Changing([Result(examined=1, findings=(found(MISSING),))])
    patient = Check(name="c", title="c", codes=(MISSING,), needs=(), run=changing, patience=lambda config: 4.0)
    moment = check("d", Changing([Result(examined=1, findings=(found(MISSING, "b"),))]), MISSING)
    run(patient, moment, host=LiveFake())
    assert no_wait[0] == doctor.SECOND_LOOK_AFTER
    assert 3.0 < no_wait[1] <= 4.0


def broken(_: Look) -> Result:
    raise KeyError("lv_size")


def leaves(_: Look) -> Result:
    raise SystemExit(5)


@pytest.mark.parametrize(
    ("misbehaving", "words"),
    [
        (broken, "KeyError"),
        (leaves, "SystemExit"),
        (lambda _: None, "NoneType, not a Result"),
        (lambda _: [found(ILL)], "list, not a Result"),
        (lambda _: Result(examined=1, findings=("text",)), "something else than findings"),  # type: ignore[arg-type]
        (lambda look: look.inventory.no_such_part, "no_such_part"),
    ],
)
def test_a_check_that_misbehaves_is_unknown_and_stops_nobody(misbehaving: Callable[[Look], Result], words: str) -> None:
    report = run(check("bad", misbehaving), says("good", found(ILL), codes=(ILL,)))
    bad, good = report.checks
    assert bad.status is Status.UNKNOWN
    assert words in (bad.reason or "")
    assert "please report" in (bad.reason or "")
    assert bad.unexamined[0].what == "check bad"
    assert good.status is Status.WARNING
    assert "Traceback" not in text_of(report)


def test_strict_lets_a_defect_through() -> None:
    with pytest.raises(KeyError):
        run(check("bad", broken), strict=True)


def text_of(report: Report) -> str:
    return render_text(report, style=style_for(is_terminal=False, environment={}), codes={})


def test_a_code_that_its_check_did_not_declare_is_reported_all_the_same() -> None:
    report = run(says("site", found(code("HOME_MADE"))))
    assert [f.code for f in report.findings] == ["HOME_MADE"]
    assert "HOME_MADE" in text_of(report)
    assert "HOME_MADE" in render_json(report)


def test_needs_that_do_not_exist_stop_nothing() -> None:
    report = run(check("c", lambda _: Result(examined=1), needs=("nonesuch", "fetch", "host")))
    assert only(report).status is Status.OK


def test_no_checks_at_all() -> None:
    report = run()
    assert (report.checks, report.findings, report.roles) == ((), (), (Role.GENERIC,))
    assert text_of(report)


def cloud_process(name: str, *argv: str) -> Process:
    return Process(pid=7, ppid=1, name=name, state="S", argv=argv, started=1.0, cpu_seconds=0.0, uid=0)


@pytest.mark.parametrize(
    ("process", "role"),
    [
        (cloud_process("eucalyptus-clou", "/usr/sbin/eucalyptus-cloud", "-h", "/"), Role.STORAGE_CONTROLLER),
        (cloud_process("eucalyptus-cloud", "eucalyptus-cloud"), Role.STORAGE_CONTROLLER),
        (cloud_process("java", "java", "-Deuca.home=/"), Role.STORAGE_CONTROLLER),
        (cloud_process("httpd", "/usr/sbin/httpd", "-f", "/var/run/eucalyptus/httpd-nc.conf"), Role.NODE_CONTROLLER),
        (cloud_process("eucalyptus-nc", "eucalyptus-nc"), Role.NODE_CONTROLLER),
        (cloud_process("httpd", "/usr/sbin/httpd", "-f", "/var/run/eucalyptus/httpd-cc.conf"), Role.GENERIC),
        (cloud_process("httpd", "/usr/sbin/httpd"), Role.GENERIC),
    ],
)
def test_roles_by_what_runs(process: Process, role: Role) -> None:
    assert run(host=FakeHost(table=(process,))).roles == (role,)


def test_a_host_with_volumes_is_a_storage_controller_whichever_check_was_asked_for() -> None:
    report = run(says("c"), host=storage_controller(1))
    assert report.roles == (Role.STORAGE_CONTROLLER,)
    assert report.backends == ("eucalyptus-overlay 3.3+",)


def test_both_roles_and_no_backend() -> None:
    host = FakeHost(table=(cloud_process("eucalyptus-clou"), cloud_process("eucalyptus-nc")))
    report = run(host=host)
    assert report.roles == (Role.STORAGE_CONTROLLER, Role.NODE_CONTROLLER)
    assert report.backends == ("generic",)


def lost(*pids: int) -> Unavailable:
    return Unavailable(reason=Reason.TIMEOUT, what="x", pids=pids)


def test_children_that_could_not_be_killed_are_named_wherever_the_answer_was_theirs() -> None:
    inventory = Inventory(FakeHost(), Config())
    inventory.parts |= {
        "lvm": lost(1),
        "loops": loops(loop(1, backing=lost(2)), loop(2)),
        "stores": (store(files=lost(3), space=lost(3, 4)),),
        "dm": (dm(targets=lost(5)),),
        "units": Unavailable(reason=Reason.ABSENT, what="systemd"),
    }
    assert abandoned(inventory) == (1, 2, 3, 4, 5)


def test_those_of_the_second_look_too(no_wait: list[float]) -> None:
    class Hanging(LiveFake):
        looks = 0

        def processes(self) -> tuple[Process, ...] | Unavailable:
            self.looks += 1
            return () if self.looks == 1 else lost(77)

    changing = Changing([Result(examined=1, findings=(found(MISSING),))])
    report = run(check("c", changing, MISSING, needs=("processes",)), host=Hanging())
    assert report.abandoned == (77,)
    assert "77" in text_of(report)


def test_a_look_that_was_begun_is_gone_on_with() -> None:
    host = storage_controller(1)
    inventory = begin(host, Config())
    report = diagnose(host, Config(), (says("c"),), inventory=inventory)
    assert report.roles == (Role.STORAGE_CONTROLLER,)
    assert report.seconds <= time.monotonic() - inventory.began


def test_the_look_is_timed_and_dated() -> None:
    report = run(says("c", found(ILL), codes=(ILL,)), host=FakeHost(now=1_700_000_000.0))
    assert report.started == 1_700_000_000.0
    assert 0 <= only(report).seconds <= report.seconds
    assert HOST not in {f.subject for f in report.findings}
