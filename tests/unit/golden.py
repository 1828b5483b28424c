"""Comparing text with a file that a person has read and found good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"


def compare(request: pytest.FixtureRequest, name: str, text: str) -> None:
    """Fails where `text` is not what tests/data/golden/`name` holds; `pytest --update-golden` writes it instead."""
    path = GOLDEN / name
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no golden file {name}: write it with --update-golden, and read it"
    assert text == path.read_text(encoding="utf-8")
