"""Checks are found, the site's own too, and what cannot be used is reported, never dropped and never run."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

import pytest

from sctune.check import Check, Look, Result
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.exitcodes import ExitCode
from sctune.model.report import Status
from sctune.registry import Module, Registry, assemble, built_in, find_code, load, load_checks, site
from sctune.report.exit import exit_code
from sctune.report.format import FailOn
from tests.fakes import FakeHost
from tests.unit import reports

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
    from dataclasses import dataclass
    from sctune.check import Check, Result

    @dataclass(frozen=True)
    class Thing:
        size: int

    def run(look):
        return Result(examined=Thing(3).size)

    CHECKS = (Check(name="{name}", title="Ours", codes=(), needs=(), run=run),)
"""


def write(folder: Path, name: str, text: str, mode: int = 0o644) -> Path:
    file = folder / name
    file.write_text(textwrap.dedent(text))
    file.chmod(mode)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site_folder = tmp_path / "checks.d"
    site_folder.mkdir(mode=0o755)
    return site_folder


def a_check(name: str, *codes: object) -> Check:
    def run(_: Look) -> Result:
        return Result(examined=1)

    return Check(name=name, title=name, codes=codes, needs=(), run=run)  # type: ignore[arg-type]


def test_built_in_modules_all_work() -> None:
    modules = built_in()
    assert modules
    assert [module for module in modules if module.broken] == []
    registry = assemble(modules)
    assert registry.broken == ()
    names = [check.name for check in registry.checks]
    assert names == sorted(set(names))


def test_every_built_in_code_is_complete() -> None:
    for check, code in load().codes():
        assert check.name == check.name.lower() and "_" not in check.name
        assert code.code == code.code.upper()
        assert code.title and not code.title.endswith("."), code.code
        for text in (code.meaning, code.why, code.thresholds, code.remedy, code.source):
            assert text.strip() == text and text, code.code
            assert text.isprintable(), f"{code.code}: a line break or control character in a text"
        assert code.see and all(code.see), code.code
        assert list(code.severities) == sorted(set(code.severities), key=lambda severity: severity.rank), code.code


def test_codes_are_found_in_any_spelling() -> None:
    registry = assemble([Module(origin="a", checks=(a_check("loops", reports.LEAKED, reports.DELETED),))])
    for spelling in ("LOOP_LEAKED", "loop_leaked", "loop-leaked"):
        found = registry.find_code(spelling)
        assert found is not None
        assert found[1] is reports.LEAKED
    assert registry.find_code("LOOP") is None


def test_find_code_of_the_real_catalogue() -> None:
    first = next(load().codes())[1]
    assert find_code(first.code) is first
    assert find_code("NO_SUCH_CODE") is None


@pytest.mark.parametrize(
    ("wrong", "close"),
    [
        ("LOOP_LEKAED", ("LOOP_LEAKED",)),
        ("LEAKED", ("LOOP_LEAKED",)),
        ("loop-leeked", ("loop-leaked",)),
        ("loop_leked", ("LOOP_LEAKED",)),
        ("leaked", ("loop-leaked",)),
        ("zzz", ()),
        ("", ()),
    ],
)
def test_close_names(wrong: str, close: tuple[str, ...]) -> None:
    registry = assemble([Module(origin="a", checks=(a_check("loop-leaked", reports.LEAKED), a_check("targets", reports.TGT_DOWN)))])
    assert registry.close_to(wrong) == close
    assert registry.suggestion(wrong).endswith("`sctune checks` lists all.")


def test_site_folder_that_is_not_there(tmp_path: Path) -> None:
    assert site(str(tmp_path / "none")) == []


def test_site_folder_that_is_none(tmp_path: Path) -> None:
    (module,) = site(str(write(tmp_path, "checks.d", "")))
    assert "cannot be read" in module.broken


def test_a_site_check_is_loaded_and_runs(folder: Path) -> None:
    write(folder, "my-own.py", GOOD.format(name="my-own"))
    write(folder, "_helper.py", "raise RuntimeError")
    write(folder, ".hidden.py", "raise RuntimeError")
    write(folder, "notes.txt", "no python")
    (module,) = site(str(folder))
    assert module.broken == ""
    assert sorted(os.listdir(folder)) == [".hidden.py", "_helper.py", "my-own.py", "notes.txt"], "nothing was written there"
    report = diagnose(FakeHost(), Config(), module.checks, strict=True)
    assert report.checks[0].status is Status.OK
    assert report.checks[0].examined == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def", "SyntaxError"),
        ("import no_such_module_at_all", "No module named"),
        ("1 / 0", "ZeroDivisionError: division by zero (line 1 of broken.py)"),
        ("x = 1", "CHECKS is not a tuple"),
        ("CHECKS = [1]", "CHECKS is not a tuple"),
        ("CHECKS = (1,)", "CHECKS is not a tuple"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("\0", "null bytes"),
        ("# -*- coding: nonsense -*-", "SyntaxError"),
    ],
)
def test_a_broken_site_check_is_unknown_and_named(folder: Path, text: str, says: str) -> None:
    file = write(folder, "broken.py", text)
    registry = assemble(site(str(folder)))
    assert says in registry.broken[0].broken
    report = diagnose(FakeHost(), Config(), registry.checks, strict=True)
    (result,) = report.checks
    assert result.check == "broken"
    assert result.status is Status.UNKNOWN
    assert str(file) in (result.reason or "")
    assert says in (result.reason or "")
    assert exit_code(report, FailOn.WARNING) is ExitCode.INCOMPLETE


@pytest.mark.parametrize("mode", [0o646, 0o664, 0o666])
def test_a_file_others_may_write_is_not_run(folder: Path, mode: int) -> None:
    write(folder, "open.py", f"open({str(folder / 'ran')!r}, 'w')", mode)
    (module,) = site(str(folder))
    assert "may be written by others" in module.broken
    assert not (folder / "ran").exists()


def test_a_folder_others_may_write_is_not_used(folder: Path) -> None:
    write(folder, "fine.py", f"open({str(folder / 'ran')!r}, 'w')")
    folder.chmod(0o777)
    (module,) = site(str(folder))
    assert "may be written by others" in module.broken
    assert not (folder / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_not_run(folder: Path) -> None:
    file = write(folder, "theirs.py", f"open({str(folder / 'ran')!r}, 'w')")
    os.chown(file, 1234, 1234)
    (module,) = site(str(folder))
    assert "belongs to user 1234" in module.broken
    assert not (folder / "ran").exists()


def test_a_site_check_replaces_no_other() -> None:
    ours = a_check("loops", reports.LEAKED)
    registry = assemble(
        [
            Module(origin="sctune.checks.loops", checks=(ours,)),
            Module(origin="/etc/sctune/checks.d/a.py", checks=(a_check("loops"),)),
            Module(origin="/etc/sctune/checks.d/b.py", checks=(a_check("other", reports.LEAKED),)),
            Module(origin="/etc/sctune/checks.d/c.py", checks=(a_check("twice"), a_check("twice"))),
            Module(origin="/etc/sctune/checks.d/loops.py", broken="SyntaxError"),
        ]
    )
    assert registry.find_check("loops") is ours
    assert [module.broken for module in registry.broken] == [
        "the check loops is already defined by sctune.checks.loops",
        "the code LOOP_LEAKED is already defined by sctune.checks.loops",
        "the check twice is defined twice",
        "SyntaxError",
    ]
    # Each broken module has a name of its own, also where that of its file is taken.
    assert [check.name for check in registry.checks] == ["/etc/sctune/checks.d/loops.py", "a", "b", "c", "loops"]


def test_load_checks_loads_once() -> None:
    assert load_checks() is load_checks()
    assert isinstance(load(), Registry)
