"""A TCP proxy that is as slow as a link with a round trip of so many seconds, for machines whose kernel has no netem.

It delays a connection by a round trip and every byte by half of one, and starts slowly as TCP does: ten segments at first, twice as
many with every round trip (RFC 6928, RFC 5681). It loses nothing and has no limit of bandwidth.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_WINDOW = 10 * 1448
_CHUNK = 1448


class _Way:
    """One direction of a connection."""

    def __init__(self, round_trip: float) -> None:
        self._delay = round_trip / 2
        self._window = _FIRST_WINDOW
        self._flying = 0
        self._room = asyncio.Event()
        self._room.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(_CHUNK):
                while self._flying >= self._window:
                    self._room.clear()
                    await self._room.wait()
                self._flying += len(data)
                loop.call_later(self._delay, writer.write, data)
                loop.call_later(2 * self._delay, self._acknowledged, len(data))
        except OSError:
            pass
        loop.call_later(self._delay, writer.close)

    def _acknowledged(self, size: int) -> None:
        self._flying -= size
        self._window += size
        self._room.set()


@contextlib.contextmanager
def slow_link(port: int, round_trip: float) -> Iterator[int]:
    """The port on loopback that leads to `port` the long way."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_Way(round_trip).carry(reader, far_writer), _Way(round_trip).carry(far_reader, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        number = server.sockets[0].getsockname()[1]
        assert isinstance(number, int)
        yield number
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
