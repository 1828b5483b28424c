"""Where a code's page is: the reference in the JSON leads to a file in the package, which a wheel has too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sctune
from sctune import pages
from sctune.registry import assemble, built_in
from tests.codepages import FOLDER

if TYPE_CHECKING:
    import pytest


def test_every_built_in_code_leads_to_its_page() -> None:
    for _, code in assemble(built_in()).codes():
        reference = pages.reference(code.code)
        inside = Path(sctune.__file__).parent / reference
        assert inside.read_text().startswith(f"# {code.code}\n")
        assert inside.resolve() == (FOLDER / f"{code.code}.md").resolve()
        assert pages.file_of(code.code) == str(inside)


def test_a_code_without_a_page_leads_to_the_command() -> None:
    """A site's own check."""
    assert pages.reference("SITE_LOOP_ELSEWHERE") == "sctune explain SITE_LOOP_ELSEWHERE"
    assert pages.file_of("SITE_LOOP_ELSEWHERE") is None


def test_a_package_without_documentation_leads_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_HERE", "/nonexistent")
    pages._names.cache_clear()
    try:
        assert pages.reference("TGT_DOWN") == "sctune explain TGT_DOWN"
        assert pages.file_of("TGT_DOWN") is None
    finally:
        pages._names.cache_clear()
