"""`sctune explain CODE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.findings import Risk
from sctune.pages import file_of

if TYPE_CHECKING:
    from sctune.check import Check
    from sctune.findings import Code
    from sctune.report.layout import Page


def run_explain(code: str) -> ExitCode:
    """Prints a catalogue entry. Raises UserError for a code that is in none."""
    from sctune.commands.catalogue import new_page, write
    from sctune.registry import load

    registry = load()
    found = registry.find_code(code)
    if found is None:
        check = registry.find_check(code)
        if check is not None:
            hint = f"{code} is a check; it finds {', '.join(entry.code for entry in check.codes)}."
        else:
            hint = registry.suggestion(code)
        raise UserError(f"there is no finding code {code!r}", hint)
    page = new_page()
    entry(page, *found)
    write(page)
    return ExitCode.OK


def entry(page: Page, check: Check, code: Code) -> None:
    """One catalogue entry, all of it."""
    from sctune.commands.catalogue import severity_words

    page.add(f"  {code.title}", lead=code.code, sgr="1", hang=2)
    page.add(f"{severity_words(code)}; found by the check {check.name}", indent=2)
    disturbs = "Remedy (disturbs service)" if code.risk is Risk.DISRUPTIVE else "Remedy (does not disturb service)"
    for heading, text in (
        ("What it means", code.meaning),
        ("Why it matters", code.why),
        ("Thresholds", code.thresholds),
    ):
        _section(page, heading, text)
    page.blank()
    page.add("", lead="How to see it by hand", sgr="1")
    for command in code.see:
        page.command(command, indent=4)
    _section(page, disturbs, code.remedy)
    _section(page, "Source", code.source)
    _section(page, "As a page", file_of(code.code) or "")


def _section(page: Page, heading: str, text: str) -> None:
    if not text:
        return
    page.blank()
    page.add("", lead=heading, sgr="1")
    for paragraph in text.split("\n"):
        page.add(paragraph, indent=2, hang=2)
