"""Entries of systemd's journal in its native form, and the socket that takes them: a datagram an entry.

A field is NAME=VALUE and a line break; one whose value has a line break is the name, a line break, the value's length in 64 bits
little-endian, the value and a line break. An entry of ours always fits into a datagram, since each value is cut at `LONGEST`: what
would need a sealed memfd instead is no message that anybody reads.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SOCKET = "/run/systemd/journal/socket"
LONGEST = 8192
"""Bytes of a value. Linux' usual limit of a datagram (net.core.wmem_default, 208 KiB) is that of 25 of them."""
_CUT = "…".encode()
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_FULL = (errno.EAGAIN, errno.ENOBUFS)


def encode(fields: Sequence[tuple[str, str]]) -> bytes:
    """One entry. Raises ValueError for a name that the journal would drop."""
    parts = []
    for name, text in fields:
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is no name of a journal's field")
        value = _value(text)
        if b"\n" in value:
            parts.append(b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value))
        else:
            parts.append(b"%s=%s\n" % (name.encode(), value))
    return b"".join(parts)


def _value(text: str) -> bytes:
    """UTF-8, cut between two characters where it is too long."""
    value = text.encode("utf-8", "backslashreplace")
    if len(value) <= LONGEST:
        return value
    return value[: LONGEST - len(_CUT)].decode("utf-8", "ignore").encode() + _CUT


class Journal:
    """The way to the journal. What is full is waited for, all in all no longer than `seconds`; nothing else is."""

    def __init__(self, path: str = SOCKET, *, seconds: float = 2.0) -> None:
        """Raises OSError where nobody takes entries: FileNotFoundError where there is no journal at all."""
        self._until = time.monotonic() + seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def send(self, fields: Sequence[tuple[str, str]]) -> None:
        """Raises OSError where the entry was not taken: TimeoutError where there was no room for it in time."""
        data = encode(fields)
        while True:
            try:
                self._socket.send(data)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
            else:
                return
            self._wait()

    def _wait(self) -> None:
        """Until there is room."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        room = select.poll()
        room.register(self._socket, select.POLLOUT)
        room.poll(max(1, int(left * 1000)))

    def close(self) -> None:
        """Entries that were taken stay."""
        self._socket.close()
