"""A connection as the event loop sees it: a socket that never blocks, plain or under TLS.

The sockets are used directly, not through asyncio's streams: those keep a quarter of a megabyte for each TLS connection, also for
one whose client says nothing, and copy all that a slow reader has not taken yet. Here a silent client costs a file descriptor and
a few kilobytes, and an answer is there once, however many read it slowly.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 64 * 1024


class Wire:
    """One accepted connection. Its deadlines are its user's: `asyncio.timeout` around the calls."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self.on_silence: Callable[[], None] = _nothing
        """Called each time that the other side is waited for, which has sent nothing that was not read."""

    async def handshake(self, context: ssl.SSLContext) -> None:
        """Begins TLS as the server. Raises OSError, of which ssl.SSLError is one."""
        secured = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket = secured
        await self._do(secured.do_handshake, writing=False)

    def certificate(self) -> dict[str, Any] | None:
        """The client's certificate once verified, as getpeercert() gives it."""
        return self._socket.getpeercert() if isinstance(self._socket, ssl.SSLSocket) else None

    async def receive(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        try:
            data: bytes = await self._do(lambda: self._socket.recv(size), writing=False)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""
        return data

    async def send(self, data: bytes) -> None:
        """All of it, as fast as the other side takes it."""
        rest = memoryview(data)
        while rest:
            chunk = rest[:_CHUNK]
            sent: int = await self._do(partial(self._socket.send, chunk), writing=True)
            rest = rest[sent:]
            await asyncio.sleep(0)  # a fast reader of a long answer lets others have their turn

    def half_close(self) -> None:
        """Says that no more will be sent, where that can be said without a reply."""
        if not isinstance(self._socket, ssl.SSLSocket):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Gives it up at once."""
        self._socket.close()

    async def _do(self, step: Callable[[], Any], *, writing: bool) -> Any:
        """Tries until it is done. `writing`: what a plain socket that would block waits for; TLS says it by itself."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.on_silence()
                await self._ready(writing=False)
            except ssl.SSLWantWriteError:
                await self._ready(writing=True)
            except BlockingIOError:
                if not writing:
                    self.on_silence()
                await self._ready(writing=writing)

    async def _ready(self, *, writing: bool) -> None:
        loop = asyncio.get_running_loop()
        descriptor = self._socket.fileno()
        ready: asyncio.Future[None] = loop.create_future()
        add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
        add(descriptor, _set, ready)
        try:
            await ready
        finally:
            remove(descriptor)


def _nothing() -> None:
    pass


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
