"""What pages show of the doctor at recorded hosts is what the doctor says."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from sctune.__main__ import main
from tests.codepages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RUN = re.compile(r"```\n\$ sctune (doctor [^\n]*\btests/scenarios/[^\n]*)\n(.*?)(?:\$ echo [^`]*)?```", re.DOTALL)
SHOWN = [
    run for page in ("failure-modes.md", "guide.md") for run in RUN.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
]


def test_there_is_output_on_the_pages() -> None:
    assert len(SHOWN) == 5


@pytest.mark.parametrize(("command", "said"), SHOWN, ids=[command.rpartition("/")[0].rpartition("/")[2] for command, _ in SHOWN])
def test_each_line_is_said(
    command: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    empty = tmp_path / "sctune.yaml"
    empty.touch()
    main([*shlex.split(command), "--config", str(empty)])
    lines = _timeless(capfd.readouterr().out).split("\n")
    place = 0
    for line in _timeless(said).rstrip("\n").split("\n"):
        if line != "[...]":
            assert line in lines[place:], line
            place = lines.index(line, place) + 1


def _timeless(text: str) -> str:
    """Without how long a look took."""
    return re.sub(r"\btime=[0-9.]+s", "time=s", text)
