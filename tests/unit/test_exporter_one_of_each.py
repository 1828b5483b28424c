"""What the exporter says in one place only: the names of its formats, and how a line gets into the log."""

from __future__ import annotations

import ast
from pathlib import Path

import sctune

EXPORTER = Path(sctune.__file__).parent / "exporters/prometheus"


def _files_with(kind: type[ast.AST], told: str) -> list[str]:
    """Files in which a node of this kind has `told` in its source."""
    found = []
    for path in sorted(EXPORTER.rglob("*.py")):
        text = path.read_text()
        if told in text and any(isinstance(node, kind) and told in ast.unparse(node) for node in ast.walk(ast.parse(text))):
            found.append(path.relative_to(EXPORTER).as_posix())
    return found


def test_formats_are_named_once() -> None:
    assert _files_with(ast.Assign, "application/openmetrics-text; ") == ["web/negotiate.py"]
    assert _files_with(ast.Assign, "text/plain; version=") == ["web/negotiate.py"]


def test_lines_for_the_log_are_written_in_one_place() -> None:
    assert _files_with(ast.Call, "sys.stderr.write") == ["log.py"]
