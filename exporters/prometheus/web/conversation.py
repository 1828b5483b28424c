"""What is said on one connection: a handshake, then request and answer in turn, with a deadline for each."""

from __future__ import annotations

import asyncio
import contextlib
from email.utils import formatdate
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.web.http import Refused, check_length, parse_head, response_head
from sctune.exporters.prometheus.web.pages import Response, said
from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.exporters.prometheus.web.crowd import Crowd, Seat
    from sctune.exporters.prometheus.web.http import Request
    from sctune.exporters.prometheus.web.pages import Pages
    from sctune.exporters.prometheus.web.settings import InForce, Settings
    from sctune.exporters.prometheus.web.wire import Wire

_END = b"\r\n\r\n"
_CHUNK = 16 * 1024
_LARGE = 16 * 1024
"""Bytes from which on an answer counts for the memory that all may take."""
_SWALLOWED = 1024 * 1024
"""Bytes that a client may go on sending once it has been refused, so that it gets to read why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client is waited for, in seconds. `head`: for the handshake and all of a request's head together; `idle`: between
    two requests on a connection; `sending`: until it has taken its answer; `lingering`: until it has read a refusal."""

    head: float = 10.0
    idle: float = 150.0
    sending: float = 30.0
    lingering: float = 1.0


class Conversation:
    """One connection's, from its beginning to its end."""

    def __init__(self, wire: Wire, seat: Seat, *, crowd: Crowd, pages: Pages, settings: Settings, patience: Patience) -> None:
        self._wire = wire
        self._seat = seat
        self._crowd = crowd
        self._pages = pages
        self._settings = settings
        self._patience = patience
        self._begun = settings.current()
        wire.on_silence = lambda: crowd.silent(seat)
        self._rest = b""

    async def run(self) -> None:
        """Answers until the client has enough, is late, or is refused."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._patience.head):
                if self._begun.context is not None:
                    await self._wire.handshake(self._begun.context)
                    if not self._is_admitted():
                        return
                heard = await self._hear()
            while heard is not None and await self._answer(heard):
                heard = await self._next()

    def _is_admitted(self) -> bool:
        """Whether the certificate that was verified is that of somebody who may ask."""
        tls = self._begun.config.tls
        if tls is None or not tls.client_allowed_sans:
            return True
        from sctune.exporters.prometheus.web.tls import names_of

        return bool(names_of(self._wire.certificate()) & tls.client_allowed_sans)

    async def _next(self) -> Request | Refused | None:
        if not self._rest:
            async with asyncio.timeout(self._patience.idle):
                self._rest = await self._wire.receive(_CHUNK)
            if not self._rest:
                return None
        async with asyncio.timeout(self._patience.head):
            return await self._hear()

    async def _hear(self) -> Request | Refused | None:
        """The next request, why it cannot be one, or None where the client has closed."""
        data = bytearray(self._rest)
        end = data.find(_END)
        try:
            while end < 0:
                check_length(data)
                chunk = await self._wire.receive(_CHUNK)
                if not chunk:
                    return None
                looked_at = max(0, len(data) - len(_END))
                data += chunk
                end = data.find(_END, looked_at)
            check_length(data[:end])
            self._rest = bytes(data[end + len(_END) :])
            return parse_head(bytes(data[:end]))
        except Refused as refused:
            return refused

    async def _answer(self, heard: Request | Refused) -> bool:
        """Whether the conversation goes on."""
        self._crowd.asking(self._seat)
        in_force = self._settings.current()
        if in_force.context is not self._begun.context:
            return False  # begun under other rules: a client comes back under those of now
        if isinstance(heard, Refused):
            await self._send(said(heard.status, heard.message), in_force, keep=False)
        else:
            response = await self._pages.answer(heard, in_force)
            await self._send(response, in_force, keep=heard.keep, bare=heard.method == "HEAD")
            if heard.keep:
                return True
        await self._linger()
        return False

    async def _send(self, response: Response, in_force: InForce, *, keep: bool, bare: bool = False) -> None:
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Type": response.type,
            "X-Content-Type-Options": "nosniff",
            **in_force.config.headers,
            **response.headers,
        }
        if in_force.context is None:
            headers.pop("Strict-Transport-Security", None)
        head = response_head(response.status, headers, length=len(response.body), keep=keep)
        large = len(response.body) >= _LARGE and not bare
        async with asyncio.timeout(self._patience.sending):
            self._crowd.sending(self._seat, response.body if large else b"")
            try:
                if large:
                    await self._wire.send(head)
                    await self._wire.send(response.body)
                else:
                    await self._wire.send(head if bare else head + response.body)
            finally:
                self._crowd.sent(self._seat)

    async def _linger(self) -> None:
        """Waits until the client has closed: closing on what it is still sending would take our answer from it."""
        async with asyncio.timeout(self._patience.lingering):
            self._wire.half_close()
            swallowed = len(self._rest)
            while swallowed < _SWALLOWED:
                chunk = await self._wire.receive(_CHUNK)
                if not chunk:
                    return
                swallowed += len(chunk)
