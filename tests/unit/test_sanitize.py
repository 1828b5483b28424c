"""What a host's names hold never reaches a terminal, and a remedy's command stays the same command."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.report.json import render as render_json
from sctune.report.layout import Style
from sctune.report.sanitize import clean, clean_command
from sctune.report.text import render
from tests.unit import reports

# Everything a file name can be: bytes, read as UTF-8 with surrogate escapes.
names = (
    st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vol-391D44BE", "vol-391D44BE"),
        ("größe 体积", "größe 体积"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\U000e0041", r"\U000e0041"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), r"\xff\xfe"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text(alphabet=st.characters()))
def test_clean_text_is_printable_and_stays_so(text: str) -> None:
    once = clean(text)
    assert once.isprintable()
    assert clean(once) == once
    once.encode()


@given(st.text(alphabet=st.characters()))
def test_clean_command_is_printable(text: str) -> None:
    assert clean_command(text).isprintable()
    clean_command(text).encode()


def test_harmless_commands_stay_as_they_are() -> None:
    command = "dd if=/dev/loop0 of='/srv/a b' bs=4M # \"quoted\" it's"
    assert clean_command(command) == command


def test_unfinished_quotes_are_cleaned() -> None:
    assert clean_command("echo 'a\n") == r"echo 'a\n"


def test_double_quotes_are_cleaned_too() -> None:
    assert clean_command('echo "a\x1b"') == r'echo "a\x1b"'


@pytest.mark.spawns
@pytest.mark.parametrize(
    "name",
    [
        b"a\x1b]0;x\x07b",
        b"new\nline",
        b"it's\n\\n",
        b"\xff\xfe1",
        "\u202eabc".encode(),
        b"'\x01'1'",
        b"tab\there \x7f",
    ],
)
def test_the_shell_reads_the_very_name(name: bytes) -> None:
    command = clean_command(f"printf %s {shlex.quote(name.decode('utf-8', 'surrogateescape'))}")
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout == name


@given(names)
def test_no_name_reaches_an_output_raw(name: str) -> None:
    report = reports.hostile()
    finding = report.findings[0]
    subject = replace(finding.subject, id=name)
    finding = replace(finding, summary=name, subject=subject, evidence=((name, name), ("source", name)))
    named = replace(report, findings=(finding,), backends=(name,))
    for shown in (render(named, style=Style(), codes={}), render_json(named)):
        shown.encode()
        assert all(line.isprintable() for line in shown.splitlines())
        assert shown.count("\r") == 0
