"""The line that says what is waited for: on a terminal, when it takes long, and gone afterwards."""

from __future__ import annotations

import os
import select
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from sctune import doctor
from sctune import progress as module
from sctune.check import Check, Result
from sctune.config.model import Config
from sctune.host.base import Source
from sctune.inventory import Inventory
from sctune.progress import progress, words
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """A pseudo-terminal in the place of standard error."""

    def __init__(self) -> None:
        self.ours, theirs = os.openpty()
        self.stream = os.fdopen(theirs, "w")

    def said(self) -> str:
        """What has come; the kernel hands it over a moment later."""
        self.stream.flush()
        found = b""
        while select.select([self.ours], [], [], 0.1)[0]:
            found += os.read(self.ours, 65536)
        return found.decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    fake = Terminal()
    # Not sys.stderr itself, which pytest replaces between the phases of a test.
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=fake.stream))
    yield fake
    fake.stream.close()
    os.close(fake.ours)


def inventory() -> Inventory:
    return Inventory(FakeHost(), Config())


def screen(said: str) -> str:
    """What a terminal shows in the end."""
    line: list[str] = []
    column = 0
    for char in said:
        if char == "\r":
            column = 0
        else:
            line[column:] = [char, *line[column + 1 :]]
            column += 1
    return "".join(line).rstrip()


def test_a_quick_look_has_none(terminal: Terminal) -> None:
    before = threading.active_count()
    began = time.monotonic()
    with progress(inventory()):
        pass
    assert time.monotonic() - began < 0.25
    assert terminal.said() == ""
    assert threading.active_count() == before


def test_a_long_one_is_told_and_erased(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER", 0.05)
    monkeypatch.setattr(module, "_EVERY", 0.25)
    before = threading.active_count()
    look = inventory()
    with progress(look):
        look.fetching.add("lvm")
        time.sleep(0.1)
        during = terminal.said()
        look.fetching.add("a_part_of_a_site")
        time.sleep(0.3)
        look.fetching.clear()
        time.sleep(0.3)
    said = during + terminal.said()
    assert screen(during) == "sctune: waiting for LVM (0 s)"
    assert "LVM, a part of a site (0 s)" in said or "LVM, a part of a site (1 s)" in said
    assert "\n" not in said
    assert screen(said) == "", "something is left on the line"
    assert threading.active_count() == before


def test_it_ends_with_an_exception(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER", 0.0)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), progress(inventory()):
        time.sleep(0.05)
        raise KeyboardInterrupt
    assert screen(terminal.said()) == ""
    assert threading.active_count() == before


def test_no_terminal_no_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER", 0.0)
    before = threading.active_count()
    with progress(inventory()):
        assert threading.active_count() == before
        time.sleep(0.05)
    assert capsys.readouterr() == ("", "")


def test_a_narrow_terminal_gets_one_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    monkeypatch.setattr(module, "AFTER", 0.0)
    look = inventory()
    look.fetching |= {"lvm", "tgt", "stores", "processes"}
    with progress(look):
        time.sleep(0.05)
    assert max(map(len, terminal.said().split("\r"))) == 29


def test_a_part_is_waited_for_while_it_is_fetched() -> None:
    asked: list[str] = []

    class Slow(FakeHost):
        def read(self, path: str) -> str:
            asked.append(words(look, 1.2))
            return ""

    look = Inventory(Slow(), Config())
    _ = look.memory
    assert "sctune: waiting for memory (1 s)" in asked
    assert words(look, 7) == "sctune: waiting for the checks (7 s)"


def test_the_second_look_is_waited_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    look = Inventory(FakeHost(source=Source.LIVE), Config())

    def confirm(judged: object, _looks: object, _again: object, *, strict: bool) -> object:
        said.append(words(look, 1))
        return judged

    monkeypatch.setattr(doctor, "_confirm", confirm)
    check = Check(name="c", title="c", codes=(), needs=(), run=lambda _: Result(examined=1))
    doctor.diagnose(look.host, look.config, (check,), inventory=look)
    assert said == ["sctune: waiting for a second look (1 s)"]
    assert not look.fetching
