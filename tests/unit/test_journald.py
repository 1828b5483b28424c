"""Entries in the journal's native form, read by a reader of our own; a socket that takes them, is full, or is nobody's."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.report.journald import LONGEST, Journal, encode

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True)


def decode(data: bytes) -> list[tuple[str, bytes]]:
    """An entry as systemd.io tells to read it."""
    found = []
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if equals:
            found.append((name.decode(), value))
            data = rest
            continue
        size = int.from_bytes(rest[:8], "little")
        assert rest[8 + size : 9 + size] == b"\n"
        found.append((line.decode(), rest[8 : 8 + size]))
        data = rest[9 + size :]
    return found


@given(st.lists(st.tuples(NAMES, st.text() | st.text(alphabet="a\n=\0é"))))
def test_what_is_written_is_read(fields: list[tuple[str, str]]) -> None:
    wanted = [(name, text.encode("utf-8", "backslashreplace")) for name, text in fields]
    assert decode(encode(fields)) == wanted


@given(st.text(alphabet="aé€😀\n", min_size=LONGEST // 4, max_size=LONGEST).map(lambda text: text * 2))
def test_a_long_value_is_cut_between_characters(text: str) -> None:
    ((_, value),) = decode(encode([("MESSAGE", text)]))
    assert len(value) <= LONGEST
    told = value.decode()
    assert told == text or (told.endswith("…") and text.startswith(told[:-1]) and len(value) > LONGEST - 8)


@pytest.mark.parametrize("name", ["", "message", "_PID", "1A", "A B", "A=B", "A\n", "A" * 65, "É"])
def test_a_name_that_the_journal_drops(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        encode([(name, "x")])


def test_datagrams_of_a_real_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.bind(path)
        journal = Journal(path)
        journal.send([("MESSAGE", "one\ntwo"), ("PRIORITY", "4")])
        journal.send([("A", "x" * 100_000)] * 25)
        assert decode(taker.recv(1 << 20)) == [("MESSAGE", b"one\ntwo"), ("PRIORITY", b"4")]
        assert [len(value) for _, value in decode(taker.recv(1 << 20))] == [LONGEST] * 25
        journal.close()


def test_a_journal_that_takes_nothing_is_not_waited_for_long(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.bind(path)
        journal = Journal(path, seconds=0.2)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            for _ in range(100_000):
                journal.send([("MESSAGE", "x")])
        assert 0.1 < time.monotonic() - begin < 5
        journal.close()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal(str(tmp_path / "none"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.bind(str(tmp_path / "left"))
    with pytest.raises(ConnectionRefusedError):
        Journal(str(tmp_path / "left"))
