"""docs/precision.md and what the doctor says of the recorded sound hosts: the page names every code above info, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"
PAGE = (ROOT / "docs" / "precision.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]*)\|$", PAGE, re.MULTILINE)
# Every backend's sound host (tests/vm/test_backends.py keeps them), one with everything on it, and two that serve no volumes.
SOUND = {
    "storage-controller-healthy",
    "eucalyptus-overlay-3.2",
    "eucalyptus-das",
    "cinder-lvm-thin",
    "cinder-lvm-thick+tgt+lio",
    "debian-plain",
    "desktop-composed",
}


def test_every_sound_host_is_on_the_page() -> None:
    assert {name for name, _, _ in ROWS} >= SOUND


@pytest.mark.parametrize(("name", "codes", "why"), ROWS)
def test_what_the_page_says_is_what_the_doctor_says(name: str, codes: str, why: str) -> None:
    said = json.loads((SCENARIOS / name / "doctor.json").read_text(encoding="utf-8"))
    found = {finding["code"] for finding in said["findings"] if finding["severity"] != "info"}
    assert found == set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", codes))
    assert bool(found) == bool(why.strip()), "each finding is argued, and nothing else is"
