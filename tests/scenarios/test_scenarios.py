"""Recorded hosts: what the doctor says of each is what it said when the host was there.

A scenario is a folder with what `sctune capture` wrote, in it or as `host.tar.gz`, the configuration that the doctor was given, if
any (`sctune.yaml`), and what it says now: `doctor.json`, and for some `report.txt`, which is what people read. `pytest
--update-golden` rewrites both. Most are made in the test machine: see docs/testing.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sctune.config.load import load as load_config
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.choose import open_host
from sctune.registry import load
from sctune.report.json import document
from sctune.report.layout import style_for
from sctune.report.text import render

if TYPE_CHECKING:
    from sctune.model.report import Report

HERE = Path(__file__).resolve().parent
SCENARIOS = sorted(path.parent for pattern in ("*/capture.json", "*/host.tar.gz") for path in HERE.glob(pattern))
# How long something took differs from recording to recording.
TIMED_CODES = frozenset({"LVM_COMMAND_SLOW"})


def look(folder: Path) -> Report:
    """The doctor's look at a scenario."""
    archive = folder / "host.tar.gz"
    config = load_config(str(folder / "sctune.yaml")) if (folder / "sctune.yaml").exists() else Config()
    return diagnose(open_host(str(archive if archive.exists() else folder), None), config, strict=True)


def golden(report: Report) -> str:
    """The report as JSON, without what is another time on every run."""
    said: dict[str, Any] = document(report)
    for timed in (said, *said["checks"]):
        del timed["duration_seconds"]
    del said["version"]
    said["findings"] = [finding for finding in said["findings"] if finding["code"] not in TIMED_CODES]
    # A configuration is named by its path.
    return json.dumps(said, indent=1, ensure_ascii=False).replace(f"{HERE}/", "") + "\n"


def people_read(report: Report) -> str:
    """The report as text, on a terminal 80 wide."""
    codes = {code.code: code for _, code in load().codes()}
    style = style_for(is_terminal=False, environment={"COLUMNS": "80"})
    # The time a look takes is the only thing in it that differs from run to run.
    return "\n".join(line.partition(", took ")[0] for line in render(report, style=style, codes=codes).split("\n"))


def test_there_are_scenarios() -> None:
    assert SCENARIOS


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_what_the_doctor_says(folder: Path, request: pytest.FixtureRequest) -> None:
    report = look(folder)
    updating = request.config.getoption("--update-golden")
    for name, said in (("doctor.json", golden(report)), ("report.txt", people_read(report))):
        path = folder / name
        if updating and (path.exists() or name == "doctor.json"):
            path.write_text(said, encoding="utf-8")
        if path.exists() or name == "doctor.json":
            assert path.read_text(encoding="utf-8") == said


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_no_secret_was_kept(folder: Path) -> None:
    from tests.vm.hosts.tgt import SECRET

    for path in folder.rglob("*"):
        if path.suffix == ".gz":
            import gzip

            assert SECRET.encode() not in gzip.decompress(path.read_bytes()), path
        elif path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
