"""The playbook for a whole cloud: one table at the end, with every host in it, whatever became of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from .running import here, play, program, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .running import Played

pytestmark = pytest.mark.spawns


def dead(home: Path) -> dict[str, object]:
    """The variables of a host that cannot be reached."""
    return {"ansible_connection": "inside", "inside_enter": program(home / "dead", "echo 'no route to host' >&2; exit 255")}


def run(home: Path) -> Played:
    storage = {
        "sc1": recorded(home, "storage-controller-healthy"),
        "sc2": recorded(home, "storage-controller-faults"),
        "sc3": recorded(home, "lvm-unresponsive"),
        "sc4": dead(home),
    }
    nodes = {"nc1": recorded(home, "debian-plain"), "nc2": here(storage_host_command=str(home / "nothing"))}
    groups = {"storage_controllers": {"hosts": storage}, "node_controllers": {"hosts": nodes}}
    return play(home, "sctune.storage.cloud", {"children": groups}, "--tags", "examine", "--extra-vars", "cloud_fail_on=critical")


def table(played: Played) -> list[list[str]]:
    """The lines of the debug message of the last play."""
    lines = played.of("Findings by host").result["msg"]
    return [[word.strip() for word in line.split(" | ")] for line in lines]


def _one_table_of_the_fleet_worst_first(played: Played) -> None:
    rows = table(played)
    assert rows[0] == ["host", "errors", "warnings", "not examined", "worst finding"]
    assert [row[0] for row in rows[1:]] == ["nc2", "sc4", "sc2", "sc3", "nc1", "sc1"]
    by_name = {row[0]: row[1:] for row in rows[1:]}
    assert by_name["sc4"] == ["?", "?", "all", "not reached"]
    assert by_name["nc2"][:3] == ["?", "?", "all"]
    assert by_name["nc2"][3].startswith("cannot run ")
    assert by_name["sc2"][:3] == ["3", "2", "0"]
    assert by_name["sc2"][3].startswith("LVM_SNAPSHOT_INVALID snapshot snap-57C3C3E8: ")
    assert by_name["sc3"][0] != "0"
    assert int(by_name["sc3"][2]) > 0
    assert by_name["sc1"][:3] == ["0", "0", "0"]
    assert len({line.index("|") for line in played.of("Findings by host").result["msg"]}) == 1


def _it_ends_with_an_error_where_a_host_is_not_in_order(played: Played) -> None:
    assert played.status == 2, played.output
    failed = {host: str(message) for host, task, message in played.failed if task == "Say where it ends with an error"}
    assert sorted(failed) == ["nc2", "sc2", "sc3", "sc4"]
    assert failed["sc4"] == "not reached"
    assert failed["sc2"] == "findings at or above critical: 3"


def _nothing_changes(played: Played) -> None:
    assert played.changed == []
    assert re.search(r"nc1 +: ok=\d+ +changed=0 +unreachable=0 +failed=0", played.output)


def test_a_cloud(tmp_path: Path) -> None:
    played = run(tmp_path)
    _one_table_of_the_fleet_worst_first(played)
    _it_ends_with_an_error_where_a_host_is_not_in_order(played)
    _nothing_changes(played)


def set_up(home: Path, watch: Mapping[str, object], **more: object) -> Played:
    """Two recorded hosts on which nothing is installed, and the one that Prometheus runs on."""
    storage = {"sc1": recorded(home, "storage-controller-healthy"), "sc2": recorded(home, "storage-controller-faults")}
    groups = {"storage_controllers": {"hosts": storage}, "prometheus": {"hosts": {"watch": watch}}}
    variables = {
        "storage_host_profile": "",
        "storage_host_units": [],
        "storage_host_targets_file": str(home / "targets/hosts.json"),
    }
    return play(home, "sctune.storage.cloud", {"children": groups, "vars": variables | more})


@pytest.mark.parametrize("down", [True, False], ids=["unreachable", "refusing"])
def test_a_prometheus_that_cannot_be_told_keeps_no_host_from_being_told_of(tmp_path: Path, down: bool) -> None:
    played = (
        set_up(tmp_path, dead(tmp_path)) if down else set_up(tmp_path, here(), storage_host_targets_file="/proc/nowhere/hosts.json")
    )
    assert played.status == 2, played.output
    rows = {row[0]: row for row in table(played)}
    assert rows["sc1"][1:4] == ["0", "0", "0"]
    assert rows["sc2"][1:4] == ["3", "2", "0"]
    failed = [(host, str(message)) for host, task, message in played.failed if task == "Say where it ends with an error"]
    assert sorted(host for host, _ in failed) == ["sc1", "sc2"]
    for _, message in failed:
        assert message.startswith("Say that Prometheus was not told: ")
        assert message.endswith("hosts.json of watch: not written")


def test_that_setting_up_failed_is_said_before_what_was_found(tmp_path: Path) -> None:
    played = set_up(tmp_path, here(), storage_host_package=str(tmp_path / "none.rpm"))
    assert played.status == 2, played.output
    for row in table(played)[1:]:
        assert row[4].startswith("setup failed: Refuse what cannot be installed: storage_host_package is neither"), row
    assert table(played)[2][1:4] == ["3", "2", "0"]
    assert "; LVM_SNAPSHOT_INVALID " in table(played)[2][4]
