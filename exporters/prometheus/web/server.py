"""Takes connections: one event loop, a task a connection.

Nothing that a client does or leaves undone holds up another: a handshake and the head of a request are waited for without a thread,
and not for long (`conversation`); samples are made in a few threads and shared (`runs`); who has to go where there are too many is
who says nothing, or does not take his answer (`crowd`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.web.conversation import Conversation, Patience
from sctune.exporters.prometheus.web.crowd import Crowd, Seat
from sctune.exporters.prometheus.web.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.exporters.prometheus.web.pages import Pages
    from sctune.exporters.prometheus.web.settings import Settings

CONNECTIONS = 512
ANSWER_BYTES = 64 * 1024 * 1024
"""Of different answers on their way at the same time: a thousand volumes in detail are 5 MB of text."""
ENDING = 0.5
"""Seconds that those who are being answered have when the exporter ends."""
_AT_A_TIME = 64
"""Connections taken in one turn of the loop."""
_RECOVERY = 0.1
_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Server:
    """Serves pages on listening sockets, in a running event loop. `tell` gets the lines for the log."""

    def __init__(
        self,
        pages: Pages,
        settings: Settings,
        *,
        tell: Callable[[str], None],
        patience: Patience | None = None,
        connections: int = CONNECTIONS,
        answer_bytes: int = ANSWER_BYTES,
    ) -> None:
        self._pages = pages
        self._settings = settings
        self._tell = tell
        self._patience = patience or Patience()
        self.crowd = Crowd(most=connections, most_bytes=answer_bytes)
        self._listeners: tuple[socket.socket, ...] = ()
        self._paused = True
        self._short_told = False

    def start(self, listeners: Iterable[socket.socket]) -> None:
        """Begins to take connections on these sockets, which are its own from now on."""
        self._listeners = tuple(listeners)
        for listener in self._listeners:
            listener.setblocking(False)
        self._resume()

    async def stop(self) -> None:
        """Takes no more, gives those that are being answered a moment, and closes all."""
        self._pause()
        for listener in self._listeners:
            listener.close()
        self._listeners = ()
        self.crowd.close()
        tasks = self.crowd.tasks()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=ENDING)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=ENDING / 2)

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            for listener in self._listeners:
                asyncio.get_running_loop().add_reader(listener, self._take, listener)

    def _pause(self) -> None:
        self._paused = True
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)

    def _take(self, listener: socket.socket) -> None:
        for turn in range(_AT_A_TIME):
            if turn and self.crowd.is_full():
                # Nobody is sent away for somebody who may not be there: the loop says whether anybody else waits.
                return
            if not self.crowd.room():
                # All are being answered: who comes now waits in the kernel's queue until one of them is done.
                self._pause()
                asyncio.get_running_loop().call_later(_RECOVERY, self._resume)
                return
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._cannot_take(error)
                return
            self._begin(connection)

    def _cannot_take(self, error: OSError) -> None:
        if not self._short_told:
            self._short_told = True
            self._tell(f"a connection could not be taken: {error.strerror or error}")
        if error.errno in _NO_MORE:
            self.crowd.dismiss_silent()
        self._pause()
        asyncio.get_running_loop().call_later(_RECOVERY, self._resume)

    def _begin(self, connection: socket.socket) -> None:
        if connection.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire, seat = Wire(connection), Seat()
        conversation = Conversation(
            wire, seat, crowd=self.crowd, pages=self._pages, settings=self._settings, patience=self._patience
        )
        task = asyncio.get_running_loop().create_task(conversation.run())
        self.crowd.enter(seat, task)
        # Not at the end of the conversation: it may be cancelled before it has begun.
        task.add_done_callback(lambda done: self._ended(done, seat, wire))

    def _ended(self, done: asyncio.Task[None], seat: Seat, wire: Wire) -> None:
        wire.close()
        self.crowd.leave(seat)
        if not done.cancelled() and (error := done.exception()) is not None:
            self._tell(f"a connection ended by a defect, please report: {type(error).__name__}: {error}")
        if self._paused and self._listeners:
            self._resume()
