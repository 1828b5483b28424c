"""docs/commands.md is that of this command line, and says all that --help does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer.main

from sctune.cli import app
from sctune.cli_told import tell
from tests import commandpages

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = commandpages.PAGE.read_text(encoding="utf-8")


def test_the_page_is_not_out_of_date() -> None:
    assert commandpages.text(tell()) == SHOWN, "run `make docs`"


def test_the_generator_writes_and_then_rests(tmp_path: Path) -> None:
    page = tmp_path / "commands.md"
    assert commandpages.write(page)
    assert not commandpages.write(page)
    assert page.read_text(encoding="utf-8") == SHOWN


def test_every_command_has_a_section_with_all_its_parameters_and_exit_codes() -> None:
    # Not by way of cli_told, which the page is made from.
    group: Any = typer.main.get_command(app)
    commands = dict(group.commands)
    commands.update({f"config {name}": one for name, one in commands.pop("config").commands.items()})
    sections = dict(re.findall(r"^##+ sctune (.+)\n((?:(?!##).*\n)+)", SHOWN, re.MULTILINE))
    assert sorted(sections) == sorted({*commands, "config"})
    for name, command in commands.items():
        section = sections[name]
        for one in command.params:
            assert all(f"`{word}`" in section for word in one.opts if word.startswith("-")), (name, one.name)
            assert one.param_type_name != "argument" or f"`{one.metavar}`" in section
            for choice in getattr(one.type, "choices", ()):
                assert f"`{choice}`" in section, (name, choice)
            assert bare(one.help) in bare(section), (name, one.help)
        for code in re.findall(r"(?:Exit code: |; )(\d) ", " ".join(command.help.split())):
            assert f"| {code} | " in section, (name, code)


def bare(text: str) -> str:
    """Text without what makes it Markdown."""
    return re.sub(r"[\s\\`]", "", text)


def test_a_bar_is_no_border_of_a_cell() -> None:
    assert "| `--format` | `text`, `json`, `junit`, `nagios`, `html` | " in SHOWN
    for line in SHOWN.splitlines():
        assert not line.startswith("|") or line.count("|") - line.count(r"\|") in (3, 4)
