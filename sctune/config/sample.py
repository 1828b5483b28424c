"""A configuration to begin with: every key with what it is for, made from the schema."""

from __future__ import annotations

import textwrap

from sctune.config.describe import KEYS, threshold_lines

WIDTH = 120


def sample() -> str:
    """Every key as a comment: the file changes nothing until a line is uncommented. "# " begins an explanation, "#" a setting."""
    head = (
        "# /etc/sctune/sctune.yaml: what is wanted of this host. All keys, none in force: take the # away where one is meant.\n"
        "# `sctune config check` says what is wrong with it.\n\n"
    )
    lines = ("# " + line[2:] if line.startswith("# ") else f"#{line}" if line else "" for line in settings().splitlines())
    return head + "\n".join(lines) + "\n"


def settings() -> str:
    """The same with every example in force, as docs/configuration.md shows it."""
    blocks = []
    for name, key in KEYS.items():
        told = textwrap.wrap(key.help, WIDTH, initial_indent="# ", subsequent_indent="# ")
        blocks.append("\n".join((*told, *(key.example or _thresholds(name)))))
    return "\n\n".join(blocks) + "\n"


def _thresholds(name: str) -> tuple[str, ...]:
    rows = tuple(threshold_lines())
    width = max(len(line) for line, _ in rows) + 2
    return (f"{name}:", *(f"  {line:<{width}}# {told}" for line, told in rows))
