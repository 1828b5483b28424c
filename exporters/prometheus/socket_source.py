"""The source behind the collector's socket: what the web side asks where it may not look at the host itself."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from sctune.exporters.prometheus import protocol
from sctune.exporters.prometheus.exchange import Closed, left, receive, send
from sctune.exporters.prometheus.peers import peer_of
from sctune.exporters.prometheus.protocol import Malformed, Outcome
from sctune.exporters.prometheus.source import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.exporters.prometheus.source import Wanted

_RETRY = 0.02
TRANSFER = 2.0
"""Seconds above the timeout that the collector is waited for: it ends by itself within that, and says what it got."""


class SocketSource:
    """Asks a collector over a new connection for each scrape. `connect(deadline)` makes one; `where` names it in messages."""

    def __init__(self, connect: Callable[[float], socket.socket], where: str) -> None:
        self._connect = connect
        self._where = where

    def scrape(self, wanted: Wanted) -> bytes:
        """As Source has it."""
        asked = protocol.request(wanted)
        deadline = time.monotonic() + wanted.timeout + TRANSFER
        try:
            with self._connect(deadline) as connection:
                send(connection, asked, deadline)
                outcome, length = protocol.read_reply(receive(connection, protocol.REPLY_HEAD, deadline))
                body = receive(connection, length, deadline)
        except TimeoutError:
            raise Unanswered(f"{self._where}: no answer within {wanted.timeout:g} s") from None
        except (Closed, ConnectionResetError, BrokenPipeError):
            raise Unanswered(f"{self._where}: it closed the connection: it is busy, or user {os.geteuid()} may not ask") from None
        except Malformed as error:
            raise Unanswered(f"{self._where}: {error}") from None
        except OSError as error:
            raise Unanswered(f"{self._where}: {error.strerror or error}") from None
        if outcome is Outcome.SAMPLES:
            return body
        raise Unanswered(body.decode("utf-8", "replace"), asked_wrongly=outcome is Outcome.ASKED_WRONGLY)


def at_path(path: str) -> SocketSource:
    """The collector that listens at this path. It has to be root's, or our own user's: whoever else listens there could tell
    anything."""

    def connect(deadline: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(connection, path, deadline)
            uid = peer_of(connection).uid
            if uid not in (0, os.geteuid()):
                raise PermissionError(0, f"served by user {uid}, not by root")
        except BaseException:
            connection.close()
            raise
        return connection

    return SocketSource(connect, path)


def through(control: socket.socket) -> SocketSource:
    """The collector that is our child and takes connections over `control`: one end of a new pair for each scrape."""
    one_at_a_time = threading.Lock()

    def connect(deadline: float) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs, one_at_a_time:
                control.settimeout(left(deadline))
                socket.send_fds(control, [b"."], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        return ours

    return SocketSource(connect, "the collector process")


def _connect(connection: socket.socket, path: str, deadline: float) -> None:
    """Connects. A full queue is EAGAIN at once on a socket that does not block: a busy collector gets until the deadline."""
    connection.setblocking(False)
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            time.sleep(min(_RETRY, left(deadline)))
