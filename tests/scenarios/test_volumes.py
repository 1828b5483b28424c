"""Recorded hosts as `sctune volumes` lists them: every state a volume can be in, from a host that was in it."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sctune.__main__ import main
from sctune.model.volume import VolumeState
from sctune.registry import load
from tests.scenarios.test_scenarios import HERE, SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "volumes.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

WORKS_AS_BEFORE = {
    "BLOCK_SCHEDULER_UNSUITABLE": "advice",
    "KERNEL_STORAGE_ERRORS": "of a session or an LV of the host's own",
    "LVM_SCANS_VOLUMES": "what is in the volume is seen by the host; the volume serves as before",
    "SNAPSHOT_TRUNCATED": "the copy is bad, the volume it was made of is not touched",
    "QUOTA_VOLUME_EXCEEDED": "larger than it should be",
    "TARGET_CHAP_MISSING": "served to too many",
    "TARGET_CONFIG_DRIFT": "what is served is not touched, the next start may differ",
    "TARGET_OPEN_ACCESS": "served to too many",
}
"""Codes about volumes, warnings and worse, that do not change what a volume is to those it serves, and why."""


def arguments(folder: Path) -> list[str]:
    """What names the recorded host, and the configuration it was looked at with."""
    archive = folder / "host.tar.gz"
    config = folder / "sctune.yaml"
    return ["--from", str(archive if archive.exists() else folder), *(["--config", str(config)] if config.exists() else [])]


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_what_is_listed(folder: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["volumes", *arguments(folder)])
    said = f"{capfd.readouterr().out}(exit code {code})\n"
    path = folder / "volumes.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(said, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == said


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_json_is_valid_and_says_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["volumes", "--all", "--format", "json", *arguments(folder)])
    value = json.loads(capfd.readouterr().out)
    VALIDATOR.validate(value)
    assert sum(value["summary"].values()) == len(value["volumes"])
    assert code == (3 if value["unread"] else 0)
    # What is unknown says why, and what is worse than degraded names a finding; only a volume that is gone needs none.
    for volume in value["volumes"]:
        # What could not be looked at makes no volume good; what was seen may be worse.
        assert (volume["state"] == "unknown") <= bool(volume["unseen"])
        assert not volume["unseen"] or volume["state"] in ("unknown", "broken", "orphaned", "leaked", "degraded")
        assert volume["why"] or volume["state"] not in ("broken", "leaked", "degraded")


def test_every_state_is_seen_on_some_recorded_host(capfd: pytest.CaptureFixture[str]) -> None:
    seen = set()
    for folder in SCENARIOS:
        main(["volumes", "--format", "json", *arguments(folder)])
        value = json.loads(capfd.readouterr().out)
        seen |= {state for state, count in value["summary"].items() if count}
    assert seen == {state.value for state in VolumeState}


def test_what_is_found_about_a_volume_is_its_state_or_said_not_to_be() -> None:
    codes = {code.code: code for _, code in load().codes()}
    for folder in SCENARIOS:
        for finding in json.loads((folder / "doctor.json").read_text(encoding="utf-8"))["findings"]:
            if finding["subject"]["kind"] in ("volume", "snapshot", "lun") and finding["severity"] != "info":
                assert codes[finding["code"]].volume is not None or finding["code"] in WORKS_AS_BEFORE, (folder.name, finding)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


CROWD = arguments(HERE / "crowd-1")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["vol-391D02F1"], ["vol-391D02F1"]),
        (["VOL-391d02f1"], ["vol-391D02F1"]),
        (["/dev/loop2"], ["vol-391D08D3"]),
        (["loop2"], ["vol-391D08D3"]),
        (["/var/lib/eucalyptus/volumes/vol-391D0BC4"], ["vol-391D0BC4"]),
        (["*:store5"], ["vol-391D0EB5"]),
        (["snap-57C33031"], ["vol-391D263D"]),
        (["euca-ebs-storage-vg-vol-391D2F10/*"], ["vol-391D2F10"]),
        (["vol-391D02F1", "vol-391D0BC4"], ["vol-391D02F1", "vol-391D0BC4"]),
        (["--state", "orphaned"], ["vol-391D1A79"]),
    ],
)
def test_what_is_asked_for(options: list[str], expected: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    main(["volumes", *CROWD, "--format", "json", *options])
    assert [volume["id"] for volume in json.loads(capfd.readouterr().out)["volumes"]] == expected


def test_nothing_is_so_called(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["volumes", *arguments(HERE / "eucalyptus-das"), "vol-00000000"]) == 1
    assert capfd.readouterr().out == "No such volume.\n3 volumes more: not asked for.\n"


def test_nothing_in_that_state_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["volumes", *arguments(HERE / "eucalyptus-das"), "--state", "broken"]) == 0
    assert "No such volume." in capfd.readouterr().out


@pytest.mark.parametrize("sort", ["id", "state", "size", "allocated", "sessions", "snapshots"])
def test_sorted(sort: str, capfd: pytest.CaptureFixture[str]) -> None:
    main(["volumes", *CROWD, "--format", "json", "--sort", sort])
    volumes = json.loads(capfd.readouterr().out)["volumes"]
    order = [state.value for state in VolumeState]
    keys: dict[str, Any] = {
        "id": lambda one: one["id"],
        "state": lambda one: (order.index(one["state"]), one["id"]),
        "size": lambda one: (-(one["size_bytes"] or -1), one["id"]),
        "allocated": lambda one: (-(one["allocated_bytes"] or -1), one["id"]),
        "sessions": lambda one: (-sum(len(export["sessions"]) for export in one["exports"]), one["id"]),
        "snapshots": lambda one: (-len(one["snapshots"]), one["id"]),
    }
    assert [one["id"] for one in volumes] == [one["id"] for one in sorted(volumes, key=keys[sort])]


def test_what_was_not_found_where_not_everything_could_be_seen() -> None:
    assert main(["volumes", "nothing", *arguments(HERE / "lvm-unresponsive")]) == 3
    assert main(["volumes", "nothing", *arguments(HERE / "eucalyptus-das")]) == 1


def test_what_lio_serves_is_shown_as_what_tgt_serves(capfd: pytest.CaptureFixture[str]) -> None:
    main(["volumes", "lio/*", "--format", "json", *arguments(HERE / "lio-lun-without-backstore")])
    (volume,) = json.loads(capfd.readouterr().out)["volumes"]
    assert (volume["state"], volume["why"], volume["unseen"]) == ("broken", ["TARGET_SERVES_ZEROS"], [])
    (export,) = volume["exports"]
    assert (export["lun"], export["tid"], export["control_port"]) == (0, None, None)
    assert [session["addresses"] for session in export["sessions"]] == [["127.0.0.1"]]
    assert [(disk["name"], disk["target"]) for disk in volume["disks"]] == [("/dev/sda", export["target"])]
