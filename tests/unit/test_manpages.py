"""The man pages tell all that the program tells of itself, and are correct for groff."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from sctune.cli import app
from sctune.config.describe import KEYS, THRESHOLDS
from sctune.registry import assemble, built_in

if TYPE_CHECKING:
    from types import ModuleType

FILE = Path(__file__).parents[2] / "packaging/deb/manpages.py"


@pytest.fixture(scope="module")
def manpages() -> ModuleType:
    """The module, which is in no package."""
    spec = importlib.util.spec_from_file_location("manpages", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(manpages: ModuleType) -> dict[str, str]:
    found: dict[str, str] = manpages.pages()
    return found


def test_every_command_has_a_page_with_all_its_options(pages: dict[str, str]) -> None:
    # Not by way of cli_told, which the pages are made from.
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        text = pages[f"man8/sctune-{name}.8"]
        assert f"\\fBsctune\\-{name.replace('-', chr(92) + '-')}\\fR(8)" in pages["man8/sctune.8"]
        for one in (command, *getattr(command, "commands", {}).values()):
            for option in (option for parameter in one.params if parameter.help for option in parameter.opts):
                assert option.startswith("-") is False or f"\\fB{option.replace('-', chr(92) + '-')}\\fR" in text, (name, option)


def test_every_key_and_threshold_is_told(pages: dict[str, str]) -> None:
    text = pages["man5/sctune.yaml.5"]
    assert [key for key in KEYS if f".SS {key}\n" not in text] == []
    assert [name for name in THRESHOLDS if f"\\fB{name}: " not in text] == []


def test_every_code_is_told(pages: dict[str, str]) -> None:
    text = pages["man7/sctune-codes.7"]
    assert [code.code for _, code in assemble(built_in()).codes() if f".SS {code.code}\n" not in text] == []


def test_exit_codes_are_a_list(pages: dict[str, str]) -> None:
    assert ".TP\n\\fB1\\fR\nsomething is\n" in pages["man8/sctune-doctor.8"]


def test_text_cannot_be_taken_for_roff(manpages: ModuleType) -> None:
    assert manpages.plain(".SH x\n'y\na\\b --from") == "\\&.SH x\n\\&'y\na\\eb \\-\\-from"
    assert manpages.prose("`.x` and `y z`") == "\\fB\\&.x\\fR and \\fBy z\\fR"
    assert manpages.prose(".x alone") == "\\&.x alone"
    assert manpages.prose("one ` only") == "one ` only"


@pytest.mark.spawns
@pytest.mark.skipif(shutil.which("man") is None, reason="man-db is not installed")
def test_groff_warns_of_nothing(pages: dict[str, str], tmp_path: Path) -> None:
    for name, text in pages.items():
        path = tmp_path / Path(name).name
        path.write_text(text, encoding="utf-8")
        argv = ("man", "--warnings", "--encoding=UTF-8", "--local-file", str(path))
        shown = subprocess.run(
            argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        )
        assert (shown.returncode, shown.stderr) == (0, ""), name
        assert "NAME" in shown.stdout
