"""The plain command line is read as the command line's own parser reads it, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sctune.cli
import sctune.commands.doctor
from sctune import cli
from sctune.exitcodes import ExitCode
from sctune.headstart import FAIL_ON, FORMATS, read_plain, read_plain_apply, run_apply
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
    ("doctor", "--format", "html", "--bench", "x"),
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


WORDS = ("--dry-run", "--yes", "-y", "--config", "/x", "name", "other", "--live-only", "-yy", "--yes=1", "", "-", "--")
APPLY = st.lists(st.sampled_from(WORDS), max_size=6)


@given(APPLY)
def test_applying_is_asked_for_the_same_with_and_without_the_parser(words: list[str]) -> None:
    """Whatever is read here, the parser reads the same; what it calls wrong is not read here."""
    plain = read_plain_apply(["apply-profile", *words])
    if plain is None:
        return
    body = cli.app(args=["apply-profile", *words], prog_name="sctune", standalone_mode=False)
    asked: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def note(*arguments: object, **options: object) -> int:
        asked.append((arguments, options))
        return 0

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sctune.commands.apply_profile.run_apply_profile", note)
        run_apply(*plain)
    assert asked == [(body.args, body.keywords)]


@pytest.mark.parametrize("words", ["a", "a --yes", "-y a --config /dev/null", "a --dry-run"])
def test_the_plain_ways_to_apply_are_read(words: str) -> None:
    assert read_plain_apply(["apply-profile", *words.split()]) is not None
