"""What the modules make of every answer of sctune's, without a host."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .called import Answer, Collection

PLAN: dict[str, Any] = {
    "schema": 1,
    "live": True,
    "pending": 2,
    "settings": [
        {"key": "vm.swappiness", "subject": "vm.swappiness", "current": "60", "wanted": "10", "decision": "change"},
        {"key": "block.ahead", "subject": "sda", "current": "128", "wanted": "4096", "decision": "change"},
        {"key": "system.cpu_governor", "subject": "cpu_governor", "current": None, "wanted": "x", "decision": "unknown"},
    ],
    "files": [{"path": "/etc/sysctl.d/90-sctune-ours.conf", "before": None, "after": "vm.swappiness = 10\n", "decision": "change"}],
    "tuned": None,
    "iscsi": None,
    "conflicts": [],
    "warnings": [],
    "unread": [],
    "applied": None,
}
APPLIED: dict[str, Any] = {
    "ending": "applied",
    "transaction": 4,
    "changed": ["vm.swappiness"],
    "failed": None,
    "reason": None,
    "remaining": [],
}


def plan(applied: dict[str, Any] | None = None, **changes: object) -> dict[str, Any]:
    """A plan; with `applied` what was done of it."""
    return copy.deepcopy(PLAN) | {"applied": None if applied is None else APPLIED | applied} | changes


def step(setting: str, outcome: str, before: str | None = "60", after: str | None = "10", **more: object) -> dict[str, Any]:
    told = {"setting": setting, "path": f"/proc/sys/{setting}", "before": before, "after": after, "outcome": outcome}
    return {"action": "set", "detail": None, **told, **more}


def history(*transactions: dict[str, Any], unread: tuple[dict[str, Any], ...] = ()) -> Answer:
    return (3 if unread else 0), {"schema": 1, "transactions": list(transactions), "unread": list(unread)}, ""


def transaction(number: int, state: str = "applied", profile: str = "ours", undone: str | None = None) -> dict[str, Any]:
    change = {"setting": "vm.swappiness", "action": "set", "path": "/proc/sys/vm.swappiness", "undone": undone}
    return {"id": number, "profile": profile, "state": state, "changes": [change]}


def rollback(number: int | None, *steps: dict[str, Any], code: int = 0, unwritten: str | None = None) -> Answer:
    return code, {"schema": 1, "transaction": number, "steps": list(steps), "unwritten": unwritten}, ""


@pytest.mark.parametrize("command", ["profile", "doctor_info", "volumes_info"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (2, "", "sctune: there is no check 'x'\n`sctune checks` lists all.\n"),
            "there is no check 'x'; `sctune checks` lists all.",
        ),
        ((1, "", "Traceback (most recent call last):\n  File x\nOSError: gone\n"), "OSError: gone"),
        ((-9, "", ""), "exit code -9, without a word"),
        ((1, "not JSON", "sctune: cannot\n"), "cannot"),
        ((0, {"schema": 2}, ""), "answers in structure 2, and the collection reads 1: they do not fit"),
        ((0, [], ""), "answers in structure None, and the collection reads 1: they do not fit"),
    ],
)
def test_one_line_of_error(collection: Collection, command: str, answer: Answer, said: str) -> None:
    given: dict[str, Any] = {"name": "ours"} if command == "profile" else {}
    called = collection.call(command, answer, **given)
    assert called.message.startswith("sctune ")
    assert called.message.endswith(said)


def test_a_command_that_cannot_be_run(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tests.ansible.called.Module.run_command", run)
    assert collection.call("doctor_info", executable="/no/sctune").message == "cannot run /no/sctune: Permission denied"


def test_what_is_asked(collection: Collection) -> None:
    given = {"vm.swappiness": 7, "flush_speed": "400MiB/s"}
    called = collection.call("profile", (0, plan({}), ""), name="ours", set=given, scope="live", config="/c")
    words = ["--set", "vm.swappiness=7", "--set", "flush_speed=400MiB/s"]
    assert called.asked == [["apply-profile", "ours", "--yes", "--live-only", *words, "--format", "json", "--config", "/c"]]
    called = collection.call("profile", (4, plan(), ""), name="ours", via="tuned", check=True)
    assert called.asked == [["apply-profile", "ours", "--dry-run", "--via", "tuned", "--format", "json"]]
    volumes = (0, {"schema": 1, "volumes": [], "others": 0, "summary": {}, "unread": [], "host": {}}, "")
    called = collection.call("volumes_info", volumes, patterns=["--all"], states=["broken"], config="/c")
    assert called.asked == [["volumes", "--state", "broken", "--format", "json", "--config", "/c", "--", "--all"]]


def test_a_plan_is_shown_whole(collection: Collection) -> None:
    iscsi = {
        "settings": [
            {
                "key": "x.timeo",
                "place": "file",
                "where": "/etc/iscsi/iscsid.conf",
                "current": 120,
                "wanted": 7200,
                "decision": "change",
            },
            {"key": "x.timeo", "place": "record", "where": "iqn.x", "current": 120, "wanted": 7200, "decision": "change"},
            {"key": "x.noop", "place": "session", "where": "iqn.x", "current": 5, "wanted": 0, "decision": "at the next login"},
        ],
        "difference": ["-x.timeo = 120", "+x.timeo = 7200"],
    }
    tuned = {"before": None, "after": "sctune-ours"}
    called = collection.call("profile", (4, plan(iscsi=iscsi, tuned=tuned, warnings=["slow"]), ""), name="ours", check=True)
    assert (called.failed, called.result["changed"], called.warned) == (False, True, ["slow"])
    assert called.result["changes"] == [
        "vm.swappiness: 60 -> 10",
        "block.ahead of sda: 128 -> 4096",
        "/etc/sysctl.d/90-sctune-ours.conf",
        "tuned: None -> sctune-ours",
        "x.timeo of /etc/iscsi/iscsid.conf: 120 -> 7200",
        "x.timeo of iqn.x: 120 -> 7200",
    ]
    values, file, profile, lines, record = called.result["diff"]
    assert (values["before"], values["after"]) == (
        "vm.swappiness = 60\nblock.ahead of sda = 128\n",
        "vm.swappiness = 10\nblock.ahead of sda = 4096\n",
    )
    assert (file["before_header"], file["before"], file["after"]) == (PLAN["files"][0]["path"], "", "vm.swappiness = 10\n")
    assert (profile["before"], profile["after"]) == ("", "sctune-ours\n")
    assert lines == {"prepared": "-x.timeo = 120\n+x.timeo = 7200\n"}
    assert (record["before_header"], record["before"], record["after"]) == ("iqn.x", "x.timeo = 120\n", "x.timeo = 7200\n")


def test_nothing_to_do(collection: Collection) -> None:
    nothing = plan({"ending": "nothing to do", "transaction": None}, pending=0, settings=[], files=[])
    called = collection.call("profile", (0, nothing, ""), name="ours")
    assert (called.failed, called.result["changed"], called.result["diff"], called.result["transactions"]) == (False, False, [], [])


@pytest.mark.parametrize(
    ("code", "told", "err", "changed", "said"),
    [
        (1, plan(conflicts=["a rival"]), "", False, "ours is not applied, since the plan has conflicts: a rival"),
        (1, plan(), "sctune: another sctune is at work\n", False, "ours is not applied: another sctune is at work"),
        (
            1,
            plan({"ending": "undone", "failed": "vm.x", "reason": "invalid argument"}),
            "",
            False,
            "ours is not applied: vm.x could not be changed: invalid argument; everything is as it was before",
        ),
        (
            1,
            plan({"ending": "partly undone", "failed": "vm.x", "reason": "no"}),
            "",
            True,
            "ours is not applied: vm.x could not be changed: no; not all of it is undone: sctune rollback",
        ),
        (1, plan({"remaining": ["vm.x: it is 1"]}), "", True, "ours is applied, and the host is still otherwise: vm.x: it is 1"),
        (
            1,
            plan({}, unread=["/sys: denied"]),
            "",
            True,
            "could not be looked at: /sys: denied; whether the host is as ours has it is",
        ),
    ],
)
def test_what_is_not_as_wanted_fails(
    collection: Collection, code: int, told: dict[str, Any], err: str, changed: bool, said: str
) -> None:
    called = collection.call("profile", (code, told, err), name="ours")
    assert called.message.startswith(said)
    assert called.result["changed"] is changed


def test_incomplete_is_a_warning_where_that_is_allowed(collection: Collection) -> None:
    called = collection.call("profile", (1, plan({}, unread=["/sys: denied"]), ""), name="ours", allow_incomplete=True)
    assert (called.failed, called.warned) == (False, ["could not be looked at: /sys: denied"])


def test_values_that_are_none(collection: Collection) -> None:
    assert "loop.direct_io is a boolean to YAML" in collection.call("profile", name="x", set={"loop.direct_io": True}).message
    assert "has to be text or a number" in collection.call("profile", name="x", set={"a": ["b"]}).message


@pytest.mark.parametrize(("known", "counts"), [(["flush_speed=1.2GiB/s"], "1.2GiB/s"), ([], "measured:/srv")])
def test_a_speed_is_measured_once(collection: Collection, known: list[str], counts: str) -> None:
    verified = (1, {"schema": 1, "set": ["vm.swappiness=7", *known]}, "")
    called = collection.call("profile", verified, (0, plan({}), ""), name="ours", set={"flush_speed": "measured:/srv"})
    assert called.asked[0] == ["verify-profile", "ours", "--format", "json"]
    assert f"flush_speed={counts}" in called.asked[1]


def test_absent_undoes_what_is_this_profiles_the_newest_first(collection: Collection, tmp_path: Path) -> None:
    known = history(transaction(1, "rolled back"), transaction(2), transaction(3, profile="other"), transaction(4, "interrupted"))
    called = collection.call(
        "profile",
        known,
        rollback(4, step("vm.b", "back")),
        rollback(2, step("vm.a", "back"), step("vm.c", "already back"), step("vm.d", "gone")),
        name="ours",
        state="absent",
    )
    assert [argv[:2] for argv in called.asked[1:]] == [["rollback", "4"], ["rollback", "2"]]
    assert (called.failed, called.result["transactions"]) == (False, [4, 2])
    assert called.result["changes"] == ["vm.b: 10 -> 60", "vm.a: 10 -> 60"]
    assert called.result["diff"][0]["before"] == "vm.b = 10\n"


def test_the_plan_of_two_rollbacks_knows_that_one_follows_the_other(collection: Collection) -> None:
    newer = rollback(2, step("vm.x", "restore", "10", "5"), code=4)
    older = rollback(1, step("vm.x", "left", "60", "10", detail="it is 5"), step("vm.y", "left", detail="it is 1"), code=4)
    called = collection.call(
        "profile", history(transaction(1), transaction(2)), newer, older, name="ours", state="absent", check=True
    )
    assert (called.result["changes"], called.result["left"]) == (["vm.x: 5 -> 10", "vm.x: 10 -> 60"], ["vm.y: it is 1"])


def test_force_takes_back_what_was_left(collection: Collection) -> None:
    left = transaction(1, "rolled back", undone="left")
    assert collection.call("profile", history(left), name="ours", state="absent").result["changed"] is False
    called = collection.call("profile", history(left), rollback(1, step("vm.a", "back")), name="ours", state="absent", force=True)
    assert called.asked[1] == ["rollback", "1", "--yes", "--force", "--format", "json"]
    assert called.result["changed"] is True


def test_what_is_not_undone_fails(collection: Collection) -> None:
    answers = history(transaction(1)), rollback(1, step("vm.a", "failed", detail="read-only"), code=1)
    assert collection.call("profile", *answers, name="ours", state="absent").message == "ours is not undone: vm.a: read-only"
    answers = history(transaction(1)), rollback(1, step("vm.a", "back"), code=1, unwritten="no space")
    assert collection.call("profile", *answers, name="ours", state="absent").message == "ours is not undone: the journal: no space"
    unread = history(unread=({"id": 7, "reason": "damaged", "hint": ""},))
    called = collection.call("profile", unread, name="ours", state="absent")
    assert called.message == "could not be looked at: transaction 7: damaged; whether all of ours is undone is not known"
    refused = history(transaction(2), transaction(1)), rollback(1, step("vm.a", "back")), (1, "", "sctune: another is at work\n")
    called = collection.call("profile", *refused, name="ours", state="absent")
    assert (called.message, called.result["changed"]) == ("sctune rollback: another is at work", True)


def test_files_of_sctunes_own_are_shown_as_they_go(collection: Collection, tmp_path: Path) -> None:
    made = tmp_path / "90-sctune.conf"
    made.write_text("vm.x = 1\n")
    known = transaction(1)
    known["changes"] = [{"setting": "f", "action": "make", "path": str(made), "undone": None}]
    steps = step("f", "back", None, None, action="make", path=str(made)), step("g", "back", None, None, action="replace", path="/g")
    called = collection.call("profile", history(known), rollback(1, *steps), name="ours", state="absent")
    replaced, gone = called.result["diff"]
    assert replaced == {"prepared": "/g: as it was before transaction 1\n"}
    assert (gone["before_header"], gone["before"], gone["after"]) == (str(made), "vm.x = 1\n", "")
    assert called.result["changes"] == [str(made), "/g"]


def report(*severities: str, unexamined: bool = False, muted: int = 0) -> dict[str, Any]:
    subject = {"kind": "volume", "id": "vol-1"}
    findings = [
        {
            "code": f"CODE_{number}",
            "severity": severity,
            "subject": subject,
            "summary": "bad",
            "muted": None if number >= muted else {},
        }
        for number, severity in enumerate(severities)
    ]
    missing = [{"what": "tgtd", "reason": "timeout"}] if unexamined else []
    checks = [{"check": "one", "status": "unknown" if unexamined else "ok", "unexamined": missing, "reason": None}]
    return {"schema": 1, "findings": findings, "checks": checks, "host": {}, "started": "", "version": "0.1.0"}


def test_a_muted_finding_is_counted_apart(collection: Collection) -> None:
    told = report("critical", "info", "warning") | {"summary": {}}
    told["findings"][0]["muted"] = {"reason": "known", "until": "2030-01-01"}
    called = collection.call("doctor_info", (0, told, ""))
    assert called.result["counts"] == {"critical": 0, "warning": 1, "info": 1, "muted": 1}
    assert called.result["worst"] == "CODE_2 volume vol-1: bad"
    assert called.asked == [["doctor", "--fail-on", "never", "--format", "json"]]


def test_a_check_that_could_not_look_passes_nowhere_but_where_that_is_allowed(collection: Collection) -> None:
    answer = (3, report(unexamined=True), "")
    assert collection.call("doctor_info", answer).result["incomplete"] is True
    assert "could be examined: tgtd (timeout)" in collection.call("doctor_info", answer, fail_on="critical").message
    called = collection.call("doctor_info", answer, fail_on="critical", allow_incomplete=True, checks=["one"], since="7d")
    assert not called.failed
    assert called.asked[0][:7] == ["doctor", "--fail-on", "critical", "--check", "one", "--since", "7d"]
    whole = report() | {"checks": [{"check": "one", "status": "unknown", "unexamined": [], "reason": "it crashed"}]}
    assert collection.call("doctor_info", (3, whole, "")).result["unexamined"] == [
        {"what": "one", "reason": "it crashed", "check": "one"}
    ]


def test_results_are_json(collection: Collection) -> None:
    called = collection.call("doctor_info", (1, report("critical", "warning"), ""), fail_on="warning")
    assert called.message.startswith("2 findings at or above warning: CODE_0 volume vol-1: bad; CODE_1")
    assert json.loads(json.dumps(called.result))["counts"]["critical"] == 1
