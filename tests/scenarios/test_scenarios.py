"""Recorded hosts: what the doctor says of each is what it said when the host was there.

A scenario is a folder written by `sctune capture` with what was found beside it: `findings.tsv` (severity, code, kind, id, check
by check the same as in the live report) and `report.txt` (what people read). `pytest --update-golden` rewrites both.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.choose import open_host
from sctune.registry import load
from sctune.report.layout import style_for
from sctune.report.text import render

HERE = Path(__file__).resolve().parent
SCENARIOS = sorted(path.parent for path in HERE.glob("*/capture.json"))


def test_there_are_scenarios() -> None:
    assert SCENARIOS


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_what_the_doctor_says(folder: Path, request: pytest.FixtureRequest) -> None:
    report = diagnose(open_host(str(folder), None), Config(), strict=True)
    found = "".join(f"{f.severity}\t{f.code}\t{f.subject.kind}\t{f.subject.id}\n" for f in report.findings)
    codes = {code.code: code for _, code in load().codes()}
    style = style_for(is_terminal=False, environment={"COLUMNS": "80"})
    # The time a look takes is the only thing in it that differs from run to run.
    text = "\n".join(line.partition(", took ")[0] for line in render(report, style=style, codes=codes).split("\n"))
    for name, said in (("findings.tsv", found), ("report.txt", text)):
        path = folder / name
        if request.config.getoption("--update-golden"):
            path.write_text(said, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == said
