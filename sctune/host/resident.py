"""Children that stay: for who looks at a host again and again, and must not start a process each time.

The same as `Nursery` to who asks, with these differences. A worker does one job after another; there is one each for device-mapper,
the process table, logs and the store, made when first needed, so that what hangs one does not hold up another. A worker that hangs
is killed, and another made when next it is needed. One that cannot be killed is remembered with what it hung on, and that is not
touched again while it lives: a dead network mount costs one child, not one a look.
"""

from __future__ import annotations

import enum
import marshal
import os
import select
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

from sctune.host.children import Outcome, is_gone
from sctune.records import dataclass

if TYPE_CHECKING:
    import socket

    from sctune.host.children import Nursery

_LENGTH = struct.Struct("=I")
_OF_PATHS = frozenset({"stat_files", "read_files"})
_OF_A_FOLDER = frozenset({"list_files", "space"})
_REST = 60.0
"""Seconds for which something is left alone on which a worker hung that could be killed."""


class _Hung:
    """What a worker hung on since `since` (time.monotonic()); `pid` is that of the worker, 0 where it could be killed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.since = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether it may be touched again."""
        return is_gone(self.pid) if self.pid else time.monotonic() - self.since >= _REST


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    """How long a job is waited for: seconds for the first item and between two, and when the time of the whole is up."""

    first: float
    stall: float
    deadline: float


class Residents:
    """Workers that stay, of one nursery, which stays its maker's."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._workers: dict[str, _Worker] = {}
        self._guard = threading.Lock()
        self._hung: dict[str, _Hung] = {}
        self.stuck: set[int] = set()

    @property
    def alive(self) -> bool:
        """Whether workers can still be made."""
        return self._nursery.alive

    def close(self) -> None:
        """Ends nothing: the nursery ends its workers."""

    def run(self, job: str, *arguments: Any, stall: float, deadline: float, first: float | None = None) -> Outcome:
        """Runs a job, as `Nursery.run`. Of paths those before the first on which a worker hangs."""
        patience = _Patience(first=first or stall, stall=stall, deadline=deadline)
        if job == "device_mapper":
            return self._on(job, job, arguments, patience, hangs_on=job)
        if job == "processes":
            return self._on(job, job, arguments, patience)
        if job == "search_log":
            return self._on("logs", job, arguments, patience, hangs_on=os.path.dirname(arguments[0]))
        if job in _OF_A_FOLDER:
            return self._on("store", job, arguments, patience, hangs_on=str(arguments[0]))
        if job in _OF_PATHS:
            return self._paths(job, arguments[0], patience)
        return self._nursery.run(job, *arguments, stall=stall, deadline=deadline, first=first)

    def _paths(self, job: str, paths: tuple[str, ...], patience: _Patience) -> Outcome:
        hung = {folder for folder in tuple(self._hung) if self._hangs(folder) is not None}
        until = next((i for i, path in enumerate(paths) if os.path.dirname(path) in hung), len(paths)) if hung else len(paths)
        asked = paths[:until]
        if asked:
            outcome = self._on("store", job, (asked,), patience)
            if outcome.stalled:
                self._note(os.path.dirname(asked[min(len(outcome.items), until - 1)]), outcome.abandoned or 0)
            if not outcome.finished or until == len(paths):
                return outcome
            items = outcome.items
        else:
            items = ()
        if until == len(paths):
            return Outcome(items=items, finished=True)
        return self._left_alone(os.path.dirname(paths[until]), items)

    def _on(self, channel: str, job: str, arguments: tuple[Any, ...], patience: _Patience, *, hangs_on: str = "") -> Outcome:
        """A job by a channel's worker. `hangs_on` is what is left alone after it hung ("": the caller knows)."""
        if hangs_on and self._hangs(hangs_on) is not None:
            return self._left_alone(hangs_on, ())
        with self._guard:
            worker = self._workers.setdefault(channel, _Worker(self._nursery))
        outcome = worker.run(job, arguments, patience)
        if hangs_on and outcome.stalled:
            self._note(hangs_on, outcome.abandoned or 0)
        return outcome

    def _hangs(self, what: str) -> _Hung | None:
        with self._guard:
            found = self._hung.get(what)
            if found is not None and found.over:
                del self._hung[what]
                return None
            return found

    def _note(self, what: str, pid: int) -> None:
        with self._guard:
            self._hung[what] = _Hung(pid)

    def _left_alone(self, what: str, items: tuple[tuple[Any, ...], ...]) -> Outcome:
        found = self._hung.get(what)
        if found is None:
            return Outcome(items=items, finished=False, error="it hung a moment ago")
        return Outcome(items=items, finished=False, abandoned=found.pid or None, seconds=time.monotonic() - found.since + 2.0)


class _Worker:
    """One worker that stays, asked by one thread at a time."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._lock = threading.Lock()
        self._made: tuple[int, socket.socket] | None = None

    def run(self, job: str, arguments: tuple[Any, ...], patience: _Patience) -> Outcome:
        """Runs a job, after those that came before."""
        if not self._lock.acquire(timeout=max(0.0, patience.deadline - time.monotonic())):
            return Outcome(items=(), finished=False)
        try:
            return self._run(job, arguments, patience)
        finally:
            self._lock.release()

    def _run(self, job: str, arguments: tuple[Any, ...], patience: _Patience) -> Outcome:
        question = marshal.dumps((job, arguments))
        for _ in range(2):  # a worker that died meanwhile is replaced once
            if self._made is None:
                self._made = self._nursery.serve()
            if self._made is None:
                return Outcome(items=(), finished=False, error="could not fork")
            pid, connection = self._made
            began = time.monotonic()
            try:
                connection.settimeout(max(0.1, patience.deadline - began))
                connection.sendall(_LENGTH.pack(len(question)) + question)
                got = _receive(connection, patience)
            except OSError:
                self._lose(pid, connection)
                continue
            if got.end is _End.DONE:
                return Outcome(items=got.items, finished=got.error is None, error=got.error)
            seconds = time.monotonic() - began
            survivor = self._lose(pid, connection)
            if got.end is not _End.GONE:
                stalled = got.end is _End.STALLED
                return Outcome(items=got.items, finished=False, abandoned=survivor or None, seconds=seconds, stalled=stalled)
            if got.items:
                break
        return Outcome(items=(), finished=False, error="a child died")

    def _lose(self, pid: int, connection: socket.socket) -> int:
        self._made = None
        connection.close()
        return self._nursery.kill(pid)


class _End(enum.Enum):
    """How the waiting for a job ended."""

    DONE = enum.auto()
    GONE = enum.auto()
    STALLED = enum.auto()
    LATE = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Got:
    """What came of a job."""

    items: tuple[tuple[Any, ...], ...]
    end: _End
    error: str | None = None


def _receive(connection: socket.socket, patience: _Patience) -> _Got:
    """All that comes until the job ended, or nothing came for too long, or the deadline."""
    items: list[tuple[Any, ...]] = []
    data = bytearray()
    waiter = select.poll()
    waiter.register(connection, select.POLLIN)
    quiet = patience.first
    while True:
        left = patience.deadline - time.monotonic()
        if left <= 0 or not waiter.poll(min(quiet, left) * 1000):
            return _Got(items=tuple(items), end=_End.LATE if left < quiet else _End.STALLED)
        chunk = connection.recv(1 << 20)
        if not chunk:
            return _Got(items=tuple(items), end=_End.GONE)
        data += chunk
        quiet = patience.stall
        position = 0
        while position + _LENGTH.size <= len(data):
            (length,) = _LENGTH.unpack_from(data, position)
            end = position + _LENGTH.size + length
            if end > len(data):
                break
            item = marshal.loads(data[position + _LENGTH.size : end])  # noqa: S302 -- from our own child
            position = end
            if item is None or isinstance(item, str):
                return _Got(items=tuple(items), end=_End.DONE, error=item)
            items.append(item)
        del data[:position]
