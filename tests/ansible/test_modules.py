"""doctor_info and volumes_info on recorded hosts, and what every module says where sctune does not do what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .running import here, play, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from .running import Played

pytestmark = pytest.mark.spawns
DOCTOR, VOLUMES = ("sctune.storage." + name for name in ("doctor_info", "volumes_info"))


def task(title: str, module: str, host: str, **arguments: object) -> dict[str, object]:
    """A play of one task."""
    call = {"name": title, module: {"executable": "{{ storage_host_command }}", **arguments}, "ignore_errors": True}
    return {"hosts": host, "gather_facts": False, "tasks": [call]}


def run(home: Path) -> Played:
    """One run of all of it: to start Ansible takes longest."""
    hosts = {
        "sick": recorded(home, "storage-controller-faults"),
        "silent": recorded(home, "lvm-unresponsive"),
        "bare": here(storage_host_command="sctune-that-is-not-there"),
    }
    return play(
        home,
        [
            task("look", DOCTOR, "sick"),
            task("fail", DOCTOR, "sick", fail_on="critical"),
            task("incomplete", DOCTOR, "silent", checks=["lvm-thin-pools"]),
            task("not examined", DOCTOR, "silent", checks=["lvm-thin-pools"], fail_on="warning"),
            task("volumes", VOLUMES, "sick"),
            task("some", VOLUMES, "sick", patterns=["*A110E8ED", "--all"], states=["broken"]),
            task("unread", VOLUMES, "silent"),
            task("absent", DOCTOR, "bare"),
        ],
        {"hosts": hosts},
        "--check",
    )


def result(played: Played, name: str) -> dict[str, Any]:
    """What a task that did not fail returned."""
    found = played.of(name)
    assert (found.how, found.result["changed"]) == ("ok", False)
    return found.result


def message(played: Played, name: str) -> str:
    """The one line of a task that failed."""
    found = played.of(name)
    assert (found.how, found.result["changed"]) == ("ignored", False)
    text = found.result["msg"]
    assert isinstance(text, str)
    assert "\n" not in text
    return text


def _all_ran(played: Played) -> None:
    assert (played.status, played.changed, played.failed) == (0, [], []), played.output


def _findings_fail_nothing_unless_asked(played: Played) -> None:
    found = result(played, "look")
    assert (found["counts"]["critical"], found["counts"]["muted"], found["incomplete"], found["unexamined"]) == (3, 0, False, [])
    assert found["worst"].startswith("LVM_SNAPSHOT_INVALID snapshot snap-57C3C3E8: ")
    assert [one["severity"] for one in found["findings"]] == sorted(
        (one["severity"] for one in found["findings"]), key=["critical", "warning", "info"].index
    )
    assert (found["checks"]["tgt-daemon"], found["host"]["roles"]) == ("ok", ["storage-controller"])


def _fail_on(played: Played) -> None:
    assert message(played, "fail").startswith("3 findings at or above critical: LVM_SNAPSHOT_INVALID snapshot snap-57C3C3E8: ")
    assert played.of("fail").result["counts"]["critical"] == 3  # what was found is returned all the same


def _could_not_look_is_not_in_order(played: Played) -> None:
    found = result(played, "incomplete")
    assert (found["incomplete"], found["worst"]) == (True, None)
    assert [(one["check"], one["reason"]) for one in found["unexamined"]] == [("lvm-thin-pools", "timeout")]
    assert "not everything could be examined: lvm fullreport (timeout)" in message(played, "not examined")


def _volumes(played: Played) -> None:
    found = result(played, "volumes")
    assert [one["id"] for one in found["volumes"]] == ["vol-391D44BE", "vol-A110E8ED"]
    assert (found["summary"]["broken"], found["incomplete"], found["unread"]) == (2, False, [])
    assert [one["id"] for one in result(played, "some")["volumes"]] == ["vol-A110E8ED"]
    assert result(played, "unread")["incomplete"] is True
    assert result(played, "unread")["unread"][0]["what"] == "lvm fullreport"


def _a_host_without_sctune(played: Played) -> None:
    assert message(played, "absent").startswith("sctune-that-is-not-there is not installed on this host")


def test_on_recorded_hosts(tmp_path: Path) -> None:
    played = run(tmp_path)
    _all_ran(played)
    _findings_fail_nothing_unless_asked(played)
    _fail_on(played)
    _could_not_look_is_not_in_order(played)
    _volumes(played)
    _a_host_without_sctune(played)
