"""Bytes over a connected stream socket with one deadline for all of them: a peer that sends a byte a second gains no time by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_CHUNK = 1 << 20


class Closed(ConnectionError):
    """The peer closed before all was there."""


def receive(connection: socket.socket, size: int, deadline: float) -> bytes:
    """Exactly `size` bytes. Raises Closed, TimeoutError at `deadline` (time.monotonic()), or another OSError."""
    parts = bytearray()
    while len(parts) < size:
        connection.settimeout(left(deadline))
        part = connection.recv(min(size - len(parts), _CHUNK))
        if not part:
            raise Closed(f"closed after {len(parts)} of {size} bytes")
        parts += part
    return bytes(parts)


def send(connection: socket.socket, data: bytes, deadline: float) -> None:
    """All of `data`. Raises TimeoutError at `deadline`, or another OSError."""
    rest = memoryview(data)
    while rest:
        connection.settimeout(left(deadline))
        rest = rest[connection.send(rest[:_CHUNK]) :]


def left(deadline: float) -> float:
    """Seconds until `deadline`. Raises TimeoutError where none are left."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
