"""The collector's side of its socket: checks who asks, reads a request of bounded size, and answers with finished samples.

It runs as root, so it is short and plain: a thread a connection, few at a time, and a deadline for each step.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

from sctune.exporters.prometheus import protocol
from sctune.exporters.prometheus.exchange import receive, send
from sctune.exporters.prometheus.peers import Allowed, peer_of
from sctune.exporters.prometheus.pending import Pending
from sctune.exporters.prometheus.protocol import Malformed, Outcome
from sctune.exporters.prometheus.source import NURSERY_ENDED, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.exporters.prometheus.source import Source

MOST_AT_ONCE = 16
"""Connections that are answered at the same time. One web side shares its scrapes and needs fewer."""
ASKING = 2.0
"""Seconds that a peer has to send its request."""
TAKING = 10.0
"""Seconds that a peer has to take the reply."""
CHECKED = 2.0
"""Seconds at most between two looks at whether the source can still look at the host."""


class CollectorServer:
    """Answers on listening sockets, or on connections that arrive over one end of a pair (`control`), until `stop` is called or the
    other end of `control` is closed, or `alive` says that the source cannot look at the host any more. `tell` gets the lines for
    the log."""

    def __init__(
        self,
        source: Source,
        allowed: Allowed,
        *,
        listeners: Iterable[socket.socket] = (),
        control: socket.socket | None = None,
        alive: Callable[[], bool] = lambda: True,
        tell: Callable[[str], None],
    ) -> None:
        self._source = source
        self._allowed = allowed
        self._alive = alive
        self._tell = tell
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._pending = Pending()
        self._refused: set[tuple[int, int]] = set()
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for listener in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, self._accepted)
        if control is not None:
            self._selector.register(control, selectors.EVENT_READ, _passed)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    def stop(self) -> None:
        """Ends `serve`; may be called from a signal handler."""
        with contextlib.suppress(OSError):
            self._waker.send(b".")

    def serve(self, *, every: float | None = None, ping: Callable[[], None] = lambda: None) -> bool:
        """Answers until it is stopped. `ping` is called about every `every` seconds as long as no scrape is stuck. Returns False
        where it ended because the source cannot look any more; that is told."""
        due = time.monotonic()
        while True:
            if not self._alive():
                self._tell(NURSERY_ENDED)
                return False
            if every is not None and time.monotonic() >= due:
                due = time.monotonic() + every
                if not self._pending.overdue():
                    ping()
            wait = CHECKED if every is None else min(CHECKED, max(0.0, due - time.monotonic()))
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    return True
                try:
                    connection = key.data(key.fileobj)
                except EOFError:
                    return True
                except OSError as error:
                    # Too many open files, or a peer that went away in the queue: the next one may do better.
                    self._tell(f"a connection could not be taken: {error.strerror or error}")
                    time.sleep(0.05)
                    continue
                if connection is not None:
                    self._begin(connection)

    @staticmethod
    def _accepted(listener: socket.socket) -> socket.socket | None:
        try:
            return listener.accept()[0]
        except BlockingIOError:
            return None

    def _begin(self, connection: socket.socket) -> None:
        if not self._free.acquire(blocking=False):
            connection.close()
            return
        try:
            threading.Thread(target=self._answer, args=(connection,), name="answer", daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._free.release()
            connection.close()
            self._tell(str(error))

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                self._exchange(connection)
        finally:
            self._free.release()

    def _exchange(self, connection: socket.socket) -> None:
        peer = peer_of(connection)
        if not self._allowed.admits(peer):
            if (peer.uid, peer.gid) not in self._refused and len(self._refused) < MOST_AT_ONCE:
                self._refused.add((peer.uid, peer.gid))
                self._tell(f"refused a peer with user {peer.uid} and group {peer.gid} (pid {peer.pid}): it is not allowed to ask")
            return
        deadline = time.monotonic() + ASKING
        try:
            head = receive(connection, protocol.REQUEST_HEAD, deadline)
            wanted = protocol.wanted(head, receive(connection, protocol.names_bytes(head), deadline))
        except Malformed as error:
            outcome, body = Outcome.ASKED_WRONGLY, protocol.message(str(error))
        else:
            try:
                with self._pending.asked(wanted.timeout):
                    body = self._source.scrape(wanted)
                outcome = Outcome.SAMPLES
            except Unanswered as error:
                outcome = Outcome.ASKED_WRONGLY if error.asked_wrongly else Outcome.UNANSWERED
                body = protocol.message(error.message)
            except Exception as error:  # whatever it is, the asker gets an answer and the next scrape a try
                self._tell(f"a scrape failed: {type(error).__name__}: {error}")
                outcome, body = Outcome.UNANSWERED, protocol.message(f"the collector failed: {type(error).__name__}")
        deadline = time.monotonic() + TAKING
        send(connection, protocol.reply(outcome, body), deadline)
        send(connection, body, deadline)


def _passed(control: socket.socket) -> socket.socket | None:
    """A connection that came over `control`. Raises EOFError where the other end is closed."""
    data, descriptors, _, _ = socket.recv_fds(control, 1, 4)
    if not data:
        raise EOFError
    passed = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for other in passed[1:]:
        other.close()
    if not passed:
        return None
    os.set_inheritable(passed[0].fileno(), False)
    return passed[0]
