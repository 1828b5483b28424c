"""What docs/failure-modes.md shows of the doctor is what the doctor says."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from sctune.__main__ import main
from tests.codepages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "failure-modes.md"
SHOWN = re.findall(r"```\n\$ sctune (doctor [^\n]*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_there_is_output_on_the_page() -> None:
    assert len(SHOWN) == 3


@pytest.mark.parametrize(("command", "said"), SHOWN, ids=[command.rpartition("/")[0].rpartition("/")[2] for command, _ in SHOWN])
def test_each_line_is_said(
    command: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    empty = tmp_path / "sctune.yaml"
    empty.touch()
    main([*shlex.split(command), "--config", str(empty)])
    lines = capfd.readouterr().out.split("\n")
    place = 0
    for line in said.rstrip("\n").split("\n"):
        if line != "[...]":
            assert line in lines[place:], line
            place = lines.index(line, place) + 1
