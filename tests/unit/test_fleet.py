"""Several hosts in one report: what is said of each, of all, and what the run ends with."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import referencing

import sctune.fleet
from sctune.config.model import Config
from sctune.exitcodes import ExitCode
from sctune.fleet import look_around
from sctune.host.base import Source
from sctune.host.ssh import SshLook
from sctune.model.fleet import Fleet, HostLook, Verdict
from sctune.report.fleet import fleet_exit_code, row_of, worst_first
from sctune.report.fleet_json import render_fleet_json
from sctune.report.fleet_text import render_fleet
from sctune.report.format import FailOn
from sctune.report.layout import Style
from sctune.unavailable import Reason, Unavailable
from tests.unit import reports
from tests.unit.golden import compare

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.model.report import Report

GONE = Unavailable(reason=Reason.TIMEOUT, what="sc4", detail="no answer in 60 s")


def seen(address: str, report: Report) -> HostLook:
    return HostLook(address=address, outcome=replace(report, source=Source.SSH))


def fleet(*hosts: HostLook) -> Fleet:
    return Fleet(version="0.1.0", started=reports.STARTED, seconds=3.25, hosts=hosts)


WHOLE = fleet(
    seen("sc1.example.org", reports.healthy()),
    seen("root@sc2", reports.causes()),
    seen("admin@sc3", reports.ordinary_user()),
    HostLook(address="sc4", outcome=GONE),
    seen("sc5", reports.one_fault()),
    seen("sc6", reports.nothing_here()),
)


def schema(name: str) -> dict[str, Any]:
    value = json.loads((resources.files("sctune.report") / name).read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    one = referencing.Resource.from_contents(schema("doctor.schema.json"))
    registry: Any = referencing.Registry().with_resource("doctor.schema.json", one)
    jsonschema.Draft202012Validator.check_schema(schema("fleet.schema.json"))
    return jsonschema.Draft202012Validator(
        schema("fleet.schema.json"), registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@pytest.mark.parametrize("quiet", [False, True])
def test_golden(request: pytest.FixtureRequest, quiet: bool) -> None:
    text = render_fleet(WHOLE, FailOn.WARNING, style=Style(width=80), width=None, codes=reports.CODES, quiet=quiet)
    compare(request, f"fleet{'-quiet' if quiet else ''}.txt", text)


def test_the_document_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    value = json.loads(render_fleet_json(WHOLE))
    validator.validate(value)
    assert [host["host"] for host in value["hosts"]] == [look.address for look in WHOLE.hosts]
    assert value["summary"] == {"critical": 2, "warning": 0, "unreachable": 1, "incomplete": 1, "ok": 2}
    assert value["hosts"][3]["critical"] is None
    assert value["hosts"][3]["error"] == {"reason": "timeout", "detail": "no answer in 60 s"}
    assert value["hosts"][1]["report"]["host"]["source"] == "ssh"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda host: host.pop("verdict"),
        lambda host: host.update(verdict="fine"),
        lambda host: host.update(error={"reason": "failed", "detail": "x"}),
        lambda host: host.update(report=None),
        lambda host: host["report"].pop("findings"),
        lambda host: host.update(critical=-1),
    ],
)
def test_a_wrong_document_is_refused(validator: jsonschema.Draft202012Validator, spoil: Any) -> None:
    value = json.loads(render_fleet_json(WHOLE))
    spoil(value["hosts"][0])
    assert not validator.is_valid(value)


def test_enumerations_of_schema_and_code_agree() -> None:
    host = schema("fleet.schema.json")["properties"]["hosts"]["items"]["properties"]
    assert host["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    assert set(host["error"]["oneOf"][1]["properties"]["reason"]["enum"]) == set(Reason) - {Reason.NOT_COLLECTED}


def test_the_worst_host_stands_first_and_equal_ones_as_they_were_named() -> None:
    assert [look.address for look in worst_first(WHOLE)] == ["root@sc2", "sc5", "sc4", "admin@sc3", "sc1.example.org", "sc6"]


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        ([reports.healthy()], ExitCode.OK),
        ([reports.healthy(), reports.ordinary_user()], ExitCode.INCOMPLETE),
        ([reports.healthy(), GONE], ExitCode.INCOMPLETE),
        ([GONE, reports.one_fault()], ExitCode.FINDINGS),
        ([GONE], ExitCode.INCOMPLETE),
    ],
)
def test_the_exit_code_is_the_worst(hosts: list[Report | Unavailable], code: ExitCode) -> None:
    looks = [HostLook(address=f"sc{at}", outcome=outcome) for at, outcome in enumerate(hosts)]
    assert fleet_exit_code(fleet(*looks), FailOn.WARNING) is code


def test_fail_on_decides_and_muted_findings_do_not_count() -> None:
    assert fleet_exit_code(fleet(seen("a", reports.one_fault())), FailOn.NEVER) is ExitCode.OK
    row = row_of(seen("a", reports.some_muted()))
    findings = reports.some_muted().findings
    told = [one for one in findings if one.muted is None]
    assert (row.critical or 0) + (row.warning or 0) == sum(one.severity.value != "info" for one in told) < len(findings)


def test_one_host_is_told_as_this_machine_would_be() -> None:
    text = render_fleet(fleet(seen("sc5", reports.one_fault())), FailOn.WARNING, style=Style(), width=None, codes=reports.CODES)
    assert text.startswith("Host: ")
    assert "VERDICT" not in text
    alone = fleet(HostLook(address="sc4", outcome=GONE))
    assert render_fleet(alone, FailOn.WARNING, style=Style(), width=None, codes={}) == "sc4: no answer in 60 s\n"


def test_quiet_says_nothing_where_all_is_well() -> None:
    well = fleet(seen("a", reports.healthy()), seen("b", reports.healthy()))
    assert render_fleet(well, FailOn.WARNING, style=Style(), width=None, codes=reports.CODES, quiet=True) == ""


def test_nothing_that_a_host_says_moves_a_cursor() -> None:
    evil = HostLook(address="sc1", outcome=Unavailable(reason=Reason.FAILED, what="sc1", detail="\x1b[2J\u202e gone"))
    hostile = fleet(evil, seen("sc2", reports.hostile()))
    text = render_fleet(hostile, FailOn.WARNING, style=Style(), width=None, codes=reports.CODES)
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_defect_on_one_host_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_at(address: str, look: SshLook) -> Unavailable:
        if address == "bad":
            raise ValueError("boom")
        return Unavailable(reason=Reason.FAILED, what=address, detail="down")

    monkeypatch.setattr(sctune.fleet, "look_at", look_at)
    found = look_around(["a", "bad", "c"], SshLook(script=""), Config(), (), jobs=2)
    details = [look.outcome.detail for look in found.hosts if isinstance(look.outcome, Unavailable)]
    assert details == ["down", "defect in sctune, please report: ValueError: boom", "down"]


def test_no_more_than_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def look_at(address: str, look: SshLook) -> Unavailable:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return Unavailable(reason=Reason.FAILED, what=address)

    monkeypatch.setattr(sctune.fleet, "look_at", look_at)
    told: list[str] = []
    look_around([str(n) for n in range(12)], SshLook(script=""), Config(), (), jobs=3, each=lambda look: told.append(look.address))
    assert most == 3
    assert sorted(told) == sorted(str(n) for n in range(12))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--host", "-oProxyCommand=id"], "is no host"),
        (["--host", "a;b"], "is no host"),
        (["--hosts", "/nonexistent/list"], "cannot read /nonexistent/list: no such file or directory"),
        (["--host", "a", "--format", "junit"], "--format junit"),
        (["--host", "a", "--jobs", "0"], "--jobs 0"),
        (["--host", "a", "--timeout", "1"], "--timeout 1"),
        (["--host", "a", "--from", "x"], "--from"),
        (["--host", "a", "--record"], "--record"),
        (["--host", "a", "--check", "nosuch"], "no check 'nosuch'"),
        (["--sudo"], "--sudo"),
        (["--timeout", "30"], "--timeout"),
    ],
)
def test_what_does_not_go_is_said_before_any_host_is_looked_at(
    arguments: list[str], word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sctune.__main__ import main

    monkeypatch.setattr(sctune.fleet, "look_at", lambda *_: pytest.fail("a host was looked at"))
    assert main(["doctor", *arguments]) == ExitCode.USAGE
    assert word in capsys.readouterr().err


def test_a_list_of_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from sctune.__main__ import main

    asked: list[str] = []

    def look_at(address: str, look: SshLook) -> Unavailable:
        asked.append(address)
        return Unavailable(reason=Reason.FAILED, what=address, detail="down")

    monkeypatch.setattr(sctune.fleet, "look_at", look_at)
    (tmp_path / "list").write_text("# all of ours\n\n  sc1  \nroot@sc2 # the new one\nsc1\n")
    assert main(["doctor", "--host", "sc2", "--hosts", str(tmp_path / "list"), "--jobs", "1"]) == ExitCode.INCOMPLETE
    assert asked == ["sc2", "sc1", "root@sc2"]
    assert capfd.readouterr().out.count("down") == 3
    (tmp_path / "none").write_text("# nobody\n")
    assert main(["doctor", "--hosts", str(tmp_path / "none")]) == ExitCode.USAGE
    assert "no host is named in" in capfd.readouterr().err
