"""Checks, docs/codes, the list in CHANGELOG.md and the tests are complete against each other."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from sctune.findings import Risk
from tests import codepages
from tests.codepages import FOLDER, ROOT, catalogue_mark, changelog_gaps, page, pages, registry

if TYPE_CHECKING:
    from pathlib import Path

DECLARED = {code.code: (check, code) for check, code in registry().codes()}


def test_every_code_has_its_page_and_no_page_is_out_of_date() -> None:
    wanted = pages(registry())
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert sorted(found) == sorted(wanted), "run `make docs`"
    stale = [name for name, text in wanted.items() if found[name] != text]
    assert not stale, "run `make docs`"


def test_the_list_in_the_changelog_is_that_of_the_checks() -> None:
    assert changelog_gaps((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []


def test_the_list_in_the_changelog_is_really_compared() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (_, code) = DECLARED["TGT_DOWN"]
    assert changelog_gaps(text.replace("TGT_DOWN [c]", "")) == [f"lacks TGT_DOWN {catalogue_mark(code)}"]
    assert changelog_gaps(text.replace("TGT_DOWN [c]", "TGT_DOWN [w]")) == ["says TGT_DOWN [w], and it is [c]"]
    assert changelog_gaps(text + "NO_SUCH [w]") == ["has NO_SUCH, which no check declares"]
    wrong = re.sub(r"^\d+ codes\.", "7 codes.", text, flags=re.MULTILINE)
    assert changelog_gaps(wrong) == [f"does not say that there are {len(DECLARED)} codes"]


@cache
def named_in_tests() -> frozenset[str]:
    """Every word like a code in the tests' sources, this one's and the generator's apart."""
    sources = [path for path in (ROOT / "tests").rglob("*.py") if path.name not in ("codepages.py", "test_codepages.py")]
    return frozenset(word for path in sources for word in re.findall(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", path.read_text()))


@pytest.mark.parametrize("code", DECLARED)
def test_every_code_is_named_in_a_test(code: str) -> None:
    assert code in named_in_tests()


@pytest.mark.parametrize("code", DECLARED)
def test_a_page_says_all_that_is_declared(code: str) -> None:
    check, entry = DECLARED[code]
    shown = page(check, entry, frozenset(DECLARED))
    read = re.sub(r"[\s\\]", "", re.sub(r"\[([A-Z0-9_]+)\]\(\1\.md\)", r"\1", shown))
    for text in (entry.title, entry.meaning, entry.why, entry.thresholds, entry.remedy, entry.source):
        assert re.sub(r"[\s\\]", "", text) in read
    assert all(f"\n{command}\n" in shown for command in entry.see)
    assert f"`{check.name}`" in shown
    assert ("Following it disturbs service" in shown) == (entry.risk is Risk.DISRUPTIVE)
    assert ("Following it does not disturb service" in shown) == (entry.risk is Risk.SAFE)


def test_the_generator_writes_removes_and_then_rests(tmp_path: Path) -> None:
    (tmp_path / "OLD_CODE.md").write_text("gone")
    first = codepages.write(tmp_path)
    assert "OLD_CODE.md (removed)" in first
    assert len(first) == len(DECLARED) + 2
    assert codepages.write(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(pages(registry()))


def test_documents_that_are_read_name_no_code_that_there_is_not() -> None:
    """A renamed code lives on in prose otherwise."""
    ioctls = {"DM_DEV_STATUS", "DM_TABLE_STATUS", "DM_VERSION"}  # device-mapper's own words
    prefixes = {code.split("_", 1)[0] for code in DECLARED}
    for name in ("README.md", "docs/guide.md", "docs/configuration.md", "docs/lvm.md"):
        words = re.findall(r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b", (ROOT / name).read_text(encoding="utf-8"))
        unknown = {word for word in words if word.split("_", 1)[0] in prefixes} - DECLARED.keys() - ioctls
        assert not unknown, name
