"""All connections there are, how many there may be, and which has to go where one more wants in.

Who says nothing goes first: a scraper sends its request with the connection, so that among a few hundred silent clients the one
that has been silent for longest is never it. Where nobody is silent, who has been at his answer for longest goes, if for more than
a moment: one answer that all share is no memory to speak of, and whoever does not take it has a place all the same. Who reads
slowest goes, too, where answers that nobody takes fill the memory.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


MOMENT = 1.0
"""Seconds that everybody has for taking his answer, however many want to come in."""


WAITED = 10.0
"""Seconds that everybody may wait for his answer: the scrape_timeout that Prometheus has unless it is told another."""


class Seat:
    """One connection's place. `leaving`: it has been sent away, and is not closed yet; `waiting_since` and `sending_since` in
    time.monotonic()."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.waiting_since = 0.0
        self.sending_since = 0.0
        self.leaving = False


class Crowd:
    """The connections. `most` is how many there may be, `most_bytes` how much all answers together that are on their way."""

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._seats: set[Seat] = set()
        self._silent: dict[Seat, None] = {}
        self._waiting: dict[Seat, None] = {}
        self._sending: dict[Seat, bytes] = {}
        self._bodies: dict[int, list[int]] = {}
        self._bytes = 0
        self._leaving = 0
        self._closing = False

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def on_their_way(self) -> int:
        """Bytes of all answers that are being sent, each counted once."""
        return self._bytes

    def is_full(self) -> bool:
        """Whether somebody has to go before one more may come in."""
        return len(self._seats) - self._leaving >= self._most

    def room(self) -> bool:
        """Whether one more may come in; who has been silent for longest is sent away for it, or else who has been taking his answer
        for longest, and for more than a moment, or else who has waited for longest, and for too long."""
        if not self.is_full():
            return True
        if self._silent:
            return self._send_away(next(iter(self._silent)))
        now = time.monotonic()
        slowest = next(iter(self._sending), None)
        if slowest is not None and now - slowest.sending_since >= MOMENT:
            return self._send_away(slowest)
        longest = next(iter(self._waiting), None)
        return longest is not None and now - longest.waiting_since >= WAITED and self._send_away(longest)

    def enter(self, seat: Seat, task: asyncio.Task[None]) -> None:
        """A new connection takes its place."""
        seat.task = task
        self._seats.add(seat)

    def silent(self, seat: Seat) -> None:
        """It has sent nothing that would not have been read, and is waited for."""
        if not seat.leaving:
            self._silent.setdefault(seat)
            if self._closing:
                self._send_away(seat)

    def asking(self, seat: Seat) -> None:
        """It has said all it has to say, and waits for its answer."""
        self._silent.pop(seat, None)
        if not seat.leaving:
            seat.waiting_since = time.monotonic()
            self._waiting[seat] = None

    def sending(self, seat: Seat, body: bytes) -> None:
        """It begins to be sent this; b"" is an answer too small to count for the memory. Those that have taken longest over theirs
        are sent away where there is too much."""
        counted = self._bodies.setdefault(id(body), [0, len(body)])
        if not counted[0]:
            self._bytes += len(body)
        counted[0] += 1
        self._waiting.pop(seat, None)
        self._sending[seat] = body
        seat.sending_since = time.monotonic()
        while self._bytes > self._most_bytes:
            slowest = next(one for one, sent in self._sending.items() if sent)
            if slowest is seat:
                break
            self._send_away(slowest)

    def sent(self, seat: Seat) -> None:
        """It has been sent all, or has gone."""
        body = self._sending.pop(seat, None)
        if body is None:
            return
        counted = self._bodies[id(body)]
        counted[0] -= 1
        if not counted[0]:
            self._bytes -= counted[1]
            del self._bodies[id(body)]

    def leave(self, seat: Seat) -> None:
        """Its connection is closed."""
        self.sent(seat)
        self._silent.pop(seat, None)
        self._waiting.pop(seat, None)
        if seat in self._seats:
            self._seats.remove(seat)
            self._leaving -= seat.leaving

    def close(self) -> None:
        """Sends away all who are not being answered, and each of the others when it has been."""
        self._closing = True
        self.dismiss_silent()

    def dismiss_silent(self) -> None:
        """Sends away all who are not being answered."""
        for seat in tuple(self._silent):
            self._send_away(seat)

    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks of all connections."""
        return tuple(seat.task for seat in self._seats if seat.task is not None)

    def _send_away(self, seat: Seat) -> bool:
        self._silent.pop(seat, None)
        self._waiting.pop(seat, None)
        self.sent(seat)
        if not seat.leaving and seat.task is not None:
            seat.leaving = True
            self._leaving += 1
            seat.task.cancel()
        return True
