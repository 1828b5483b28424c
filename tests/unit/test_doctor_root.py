"""The doctor on file trees: from an empty one to a whole recorded host written out as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sctune.__main__ import main
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.host.root import RootHost
from sctune.model.report import Status
from sctune.unavailable import Reason
from tests.unit.whole_hosts import whole

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.model.report import Report


def look(tree: Path) -> Report:
    return diagnose(RootHost(str(tree)), Config(), strict=True)


def write_out(tree: Path, state: str) -> None:
    """The files and links of a recorded host; what only devices and daemons answer is not in a tree."""
    host = whole(state)
    for path, text in host.files.items():
        if isinstance(text, str) and not path.startswith(("/dev/", "/var/run/")):
            place = tree / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    for path, target in host.links.items():
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(target or "nowhere")


@pytest.mark.parametrize(
    "folders", [(), ("etc",), ("proc", "sys", "run", "etc", "var", "dev"), ("sys/block",), ("etc", "sys/block/sda")]
)
def test_a_bare_tree_is_unknown_not_healthy(tmp_path: Path, folders: tuple[str, ...]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    report = look(tmp_path)
    assert report.findings == ()
    by_name = {check.check: check for check in report.checks}
    for name in ("lvm-physical-volumes", "volume-chain", "target-luns"):
        assert by_name[name].status is Status.UNKNOWN
        assert {item.reason for item in by_name[name].unexamined} == {Reason.NOT_COLLECTED}
    assert all(check.examined == 0 for check in report.checks if check.status is not Status.OK)


def test_a_recorded_host_written_out_as_files(tmp_path: Path) -> None:
    write_out(tmp_path, "healthy")
    report = look(tmp_path)
    assert {f.code for f in report.findings if f.severity is not Severity.INFO} == set()
    by_name = {check.check: check for check in report.checks}
    assert by_name["loop-limit"].examined
    assert by_name["iscsi-sessions"].examined
    assert by_name["tgtadm"].status is Status.UNKNOWN


def test_what_the_files_tell_is_told(tmp_path: Path) -> None:
    write_out(tmp_path, "tgtd-killed")
    report = look(tmp_path)
    assert {f.code for f in report.findings if f.severity is Severity.CRITICAL} == {"ISCSI_SESSION_FAILED"}


def test_on_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["doctor", "--root", str(empty)]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert "does not look like the root of a system" in said.err
    (empty / "etc").mkdir()
    assert main(["doctor", "--root", str(empty), "--format", "json"]) == 3
    report = json.loads(capfd.readouterr().out)
    assert (report["host"]["source"], report["findings"]) == ("root", [])
    assert main(["doctor", "--root", str(empty)]) == 3
    assert "Verdict: nothing can be said" in capfd.readouterr().out
