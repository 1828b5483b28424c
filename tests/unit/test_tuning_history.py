"""Rolling back and the journal, as people and programs see them."""

from __future__ import annotations

import io
import json
import os
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sctune.commands.history import run_history
from sctune.commands.rollback import run_rollback
from sctune.errors import UserError
from sctune.report.format import Plain
from sctune.tuning.rollback import rollback
from tests.unit.tuning_hosts import (
    Faulty,
    Killed,
    everything,
    machine,
    new_file,
    snapshot,
)
from tests.unit.tuning_runs import here, put, run

if TYPE_CHECKING:
    from pathlib import Path

ROLLBACK = jsonschema.Draft202012Validator(
    json.loads((resources.files("sctune.report") / "rollback.schema.json").read_text(encoding="utf-8"))
)
SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "history.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "host").mkdir()
    return machine(tmp_path / "host")


class Terminal(io.StringIO):
    """Standard input or error of somebody who sits there."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_rollback_asks(
    root: str, said: str, code: int, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    before = snapshot(root)
    run(root, *everything(root))
    applied = snapshot(root)
    monkeypatch.setattr("sys.stdin", Terminal(said))
    monkeypatch.setattr("sys.stderr", Terminal())
    capfdbinary.readouterr()
    assert run_rollback(None, force=False, yes=False, machine=here(root)) == code
    assert snapshot(root) == (applied if code else before)
    shown = capfdbinary.readouterr().out.decode()
    assert "  undo          vm.swappiness\n" in shown
    assert ("Transaction 1 (storage-controller) is rolled back.\n" in shown) == (code == 0)
    assert "Hunter2x" not in shown


def test_rollback_without_a_terminal(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    run(root, new_file("/etc/new", b"x"))
    assert run_rollback(None, force=False, yes=False, machine=here(root)) == 1
    said = capfd.readouterr().err
    assert "there is no terminal to ask on\n--yes rolls back without asking.\n" in said
    assert os.path.exists(f"{root}/etc/new")
    assert run_rollback(None, force=False, yes=True, machine=here(root)) == 0
    assert not os.path.exists(f"{root}/etc/new")
    assert run_rollback(None, force=False, yes=False, machine=here(root)) == 0
    assert capfd.readouterr().out.endswith("Nothing to roll back.\n")
    assert run_rollback(7, force=False, yes=True, machine=here(root)) == 1
    assert "there is no transaction 7" in capfd.readouterr().err


def rolled_back(root: str, capfd: pytest.CaptureFixture[str], **options: bool) -> tuple[int, dict[str, Any]]:
    """Exit code and document of a rollback for programs."""
    given = {"force": False, "yes": False, "dry_run": False} | options
    code = run_rollback(None, **given, format=Plain.JSON, machine=here(root))
    out, err = capfd.readouterr()
    assert (err, "Hunter2x" in out) == ("", False)
    document: dict[str, Any] = json.loads(out)
    ROLLBACK.validate(document)
    return code, document


def test_rollback_for_programs(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = snapshot(root)
    run(root, *everything(root))
    applied = snapshot(root)
    put(root, "/proc/sys/vm/swappiness", "30\n")
    code, plan = rolled_back(root, capfd, dry_run=True)
    assert (code, plan["dry_run"], plan["transaction"]) == (4, True, 1)
    put(root, "/proc/sys/vm/swappiness", "10\n")
    assert snapshot(root) == applied
    by_setting = {one["setting"]: one for one in plan["steps"]}
    assert by_setting["vm.swappiness"]["outcome"] == "left"
    assert by_setting["vm.dirty_bytes"] == {
        "setting": "vm.dirty_bytes",
        "action": "set",
        "path": "/proc/sys/vm/dirty_bytes",
        "before": "0",
        "after": "1073741824",
        "outcome": "restore",
        "detail": None,
    }
    code, done = rolled_back(root, capfd, yes=True)
    assert (code, done["dry_run"], done["transaction"], done["profile"]) == (0, False, 1, "storage-controller")
    assert {one["outcome"] for one in done["steps"]} == {"back"}
    assert [one["setting"] for one in done["steps"]] == [one["setting"] for one in plan["steps"]]
    assert snapshot(root) == before
    for options in ({"dry_run": True}, {"yes": True}):
        code, nothing = rolled_back(root, capfd, **options)
        assert (code, nothing["transaction"], nothing["steps"]) == (0, None, [])
    with pytest.raises(UserError, match="asks nobody"):
        rolled_back(root, capfd)


def test_a_dry_run_of_a_rollback_for_people(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    run(root, new_file("/etc/new", b"x"))
    assert run_rollback(None, force=False, yes=False, dry_run=True, machine=here(root)) == 4
    out, err = capfd.readouterr()
    assert "back:\n  undo          new\n" in out
    assert err == ""
    assert os.path.exists(f"{root}/etc/new")


def test_rollback_says_what_it_left(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    run(root, *everything(root))
    put(root, "/proc/sys/vm/swappiness", "5\n")
    assert run_rollback(None, force=False, yes=True, machine=here(root)) == 1
    shown = capfd.readouterr().out
    assert "  left          vm.swappiness: it is 5, and we had set 10\n" in shown
    assert "sctune rollback 1 --force" in shown


def test_history(root: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def told(number: int | None = None, form: Plain = Plain.TEXT) -> tuple[int, str]:
        code = run_history(number, format=form, output="-", machine=here(root))
        return code, capfdbinary.readouterr().out.decode()

    assert told() == (0, "Nothing was ever applied here.\n")
    run(root, *everything(root))
    at = here(root)
    put(root, "/proc/sys/vm/swappiness", "5\n")
    rollback(None, writer=at.writer, journal=at.journal, lock=at.lock)
    run(root, new_file("/etc/new", b"password = Hunter2x"))
    with pytest.raises(Killed):
        run(root, new_file("/etc/other", b"x"), calls=Faulty(root, at=12))
    code, text = told()
    assert code == 0
    states = [line.split("  ")[-1] for line in text.splitlines()]
    assert states == ["STATE", "rolled back, 1 left", "applied", "interrupted: sctune rollback 3"]
    code, text = told(1)
    assert "vm.swappiness: 60 -> 10 (left: it is 5, and we had set 10)" in text
    assert "iscsid.conf: replace /etc/iscsi/iscsid.conf (undone)" in text
    assert "Hunter2x" not in text
    code, text = told(form=Plain.JSON)
    assert code == 0
    assert "Hunter2x" not in text
    found = json.loads(text)
    VALIDATOR.validate(found)
    assert [one["state"] for one in found["transactions"]] == ["rolled back", "applied", "interrupted"]
    assert found["transactions"][0]["options"] == {"live_only": "false"}
    put(root, "/var/lib/sctune/journal/000002.journal", "nonsense\n" * 3)
    code, text = told()
    assert code == 3
    assert "000002.journal is damaged at line 1" in text
    code, text = told(form=Plain.JSON)
    assert [one["id"] for one in json.loads(text)["unread"]] == [2]
    assert told(9)[0] == 1
