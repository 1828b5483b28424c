"""The plain command line is read as the command line's own parser reads it, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import sctune.cli
import sctune.commands.doctor
from sctune.exitcodes import ExitCode
from sctune.headstart import FAIL_ON, FORMATS, read_plain
from sctune.report.format import FailOn, Format

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN: tuple[tuple[str, ...], ...] = (
    ("doctor",),
    ("doctor", "--format", "json"),
    ("doctor", "--format=text", "--fail-on", "never"),
    ("doctor", "--fail-on=info", "--output", "/tmp/report"),
    ("doctor", "--output=/tmp/a=b"),
    ("doctor", "--format", "text", "--format", "json"),
)
NOT_PLAIN: tuple[tuple[str, ...], ...] = (
    (),
    ("checks",),
    ("doctor", "--help"),
    ("doctor", "-h"),
    ("doctor", "--from", "x"),
    ("doctor", "--root", "x"),
    ("doctor", "--check", "loop-limit"),
    ("doctor", "--config", "x"),
    ("doctor", "--format"),
    ("doctor", "--format", "yaml"),
    ("doctor", "--format="),
    ("doctor", "--fail-on", "sometimes"),
    ("doctor", "--output", "--format"),
    ("doctor", "--outpu", "x"),
    ("doctor", "stray"),
    ("--version", "doctor"),
)


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_it_is_read_as_the_parser_reads_it(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def run_doctor(**options: object) -> ExitCode:
        asked.append(options)
        return ExitCode.OK

    monkeypatch.setattr(sctune.commands.doctor, "run_doctor", run_doctor)
    sctune.cli.run(arguments)
    plain = read_plain(arguments)
    assert plain is not None
    (options,) = asked
    assert (options["format"], options["fail_on"], options["output"]) == plain
    rest = {name: value for name, value in options.items() if name not in ("format", "fail_on", "output")}
    assert not any(rest.values())


@pytest.mark.parametrize("arguments", NOT_PLAIN, ids=" ".join)
def test_anything_else_is_left_to_the_parser(arguments: Sequence[str]) -> None:
    assert read_plain(arguments) is None


def test_the_words_are_those_of_the_enumerations() -> None:
    assert set(FORMATS) == {str(word) for word in Format}
    assert set(FAIL_ON) == {str(word) for word in FailOn}
