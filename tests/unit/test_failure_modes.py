"""docs/failure-modes.md has every known failure mode once, and names only findings that there are."""

from __future__ import annotations

import re

import pytest

from sctune.registry import load
from tests.codepages import ROOT

PAGE = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")
CELLS = re.compile(r"(?<!\\)\|")
ROWS = [CELLS.split(line) for line in PAGE.split("\n") if re.match(r"\| [0-9]+ \|", line)]
MODES = {int(cells[1]): cells[2:-1] for cells in ROWS}
NAMED = sorted(set(re.findall(r"\]\(codes/([A-Z0-9_]+)\.md\)", PAGE)))
KNOWN = {code.code for _, code in load().codes()}


def test_all_modes_are_there() -> None:
    assert [int(cells[1]) for cells in ROWS] == list(range(1, 34))


@pytest.mark.parametrize("number", MODES)
def test_a_mode_says_what_is_seen_why_what_finds_it_and_what_to_type(number: int) -> None:
    seen, cause, finding, hand = (cell.strip() for cell in MODES[number])
    assert seen
    assert cause
    # What nothing finds is said to be so.
    assert ("codes/" in finding) or (finding == "none" and "**" in hand)
    assert "`" in hand or "**" in hand


@pytest.mark.parametrize("code", NAMED)
def test_what_is_named_exists(code: str) -> None:
    assert code in KNOWN


def test_a_code_is_linked_by_its_name() -> None:
    assert [(name, file) for name, file in re.findall(r"\[([A-Z0-9_]+)\]\(codes/([A-Z0-9_]+)\.md\)", PAGE) if name != file] == []
