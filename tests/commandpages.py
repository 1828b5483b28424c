"""docs/commands.md, written from what the command line says of itself. `make docs` runs it.

`python -m tests.commandpages` writes it; tests/unit/test_commandpages.py refuses a checkout in which that was forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sctune.cli_told import COMMON, ENVIRONMENT, EXITS, FILES, tell
from tests.codepages import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.cli_told import Command, Parameter

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
_MADE = "<!-- Made from the command line by `make docs`; not written by hand. -->"
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*(?: (?:json|html|nagios|tuned)\b)?")
_MANUAL = re.compile(r"\bsctune-([a-z-]+)\(8\)")


def text(program: Command) -> str:
    """The page: an index, a section a command, and what is common to all of them."""
    parts = [
        "# Commands",
        _MADE,
        "What `sctune COMMAND --help` says, on one page. What is found is in [codes](codes/README.md), the configuration in "
        "[configuration.md](configuration.md).",
        _table(("command", "does"), ((f"[`{one.name}`](#{_anchor(one)})", _prose(one.title)) for one in program.commands)),
        *(_section(one, 2) for one in program.commands),
        "## What all have in common",
        _table(("option", "does"), ((_typed(names), what) for names, what in COMMON)),
        "Exit codes of every command, besides its own:",
        _table(("exit code", "means"), EXITS),
        _table(("environment", "does"), ((f"`{name}`", what) for name, what in ENVIRONMENT)),
        _table(("file", "is"), ((f"`{path}`", _linked(what)) for path, what in FILES)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(command: Command, level: int) -> str:
    parts = [
        f"{'#' * level} {command.name}",
        _paragraphs(command.title),
        f"```\n{_synopsis(command)}\n```" if not command.commands else "",
        _paragraphs(command.description),
        _table(("argument", "is"), ((f"`{one.value}`", _said(one)) for one in command.described if not one.names)),
        _table(("option", "value", "does"), ((_typed(one.names), _value(one), _said(one)) for one in command.options)),
        _table(("exit code", "means"), ((code, _prose(what)) for code, what in command.exits)),
        *(_section(one, level + 1) for one in command.commands),
    ]
    return "\n\n".join(part for part in parts if part)


def _anchor(command: Command) -> str:
    return command.name.replace(" ", "-")


def _synopsis(command: Command) -> str:
    """The line that begins a section. An argument's brackets are in its metavar."""
    return " ".join((command.name, *(["[OPTION]..."] if command.options else []), *(one.value for one in command.arguments)))


def _typed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _value(option: Parameter) -> str:
    """What stands for it, or each that there is: a bar between them would end the cell."""
    return _typed(option.value.split("|")) if option.value else ""


def _said(parameter: Parameter) -> str:
    return _prose(parameter.help) + (f" Default: `{parameter.default}`." if parameter.default else "")


def _prose(said: str) -> str:
    """Text for people, in which options are shown as they are typed."""
    parts = " ".join(said.split()).split("`")
    return escaped("`".join(part if number % 2 else _OPTION.sub(r"`\g<0>`", part) for number, part in enumerate(parts)))


def _paragraphs(said: str) -> str:
    return "\n\n".join(map(_prose, re.split(r"\n\s*\n", said)))


def _linked(what: str) -> str:
    """Man pages that there is a section of here are links."""
    return _MANUAL.sub(r"[sctune \1](#sctune-\1)", what).replace("sctune.yaml(5)", "[configuration.md](configuration.md)")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table, or nothing where it would have no rows."""
    cells = [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in (" | ".join(head), " | ".join("---" for _ in head), *cells)) if cells else ""


def write(page: Path = PAGE) -> bool:
    """Writes the page and says whether that changed it."""
    wanted = text(tell())
    if page.exists() and page.read_text(encoding="utf-8") == wanted:
        return False
    page.write_text(wanted, encoding="utf-8")
    return True


if __name__ == "__main__":
    if write():
        print("docs/commands.md")
