"""Scrapes that are asked for at the same time are one: it runs in a few threads, and its bytes are shared.

A thousand clients that ask for the same thing at once cost one look at the host and one text. What is counted and limited is
different things being asked for.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.pending import Pending
from sctune.exporters.prometheus.source import Unanswered, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.exporters.prometheus.source import Source

THREADS = 8
LATE = 1.0
"""Seconds above its timeout after which a source is not waited for any more."""
_COMPRESSION = 1
"""135 KiB became 158 KiB at a ninth of the time that level 9 takes."""


PATIENCE = 2.0
"""Seconds that a scrape waits for its turn at most; a quarter of its timeout where that is less."""


class Busy(Exception):
    """So many different scrapes go on that this one had no turn."""


class Runs:
    """Asks a source. All methods are for the event loop's thread. `at_once` is how many different scrapes may go on. `tell`
    gets a line for the log when the source stops giving samples, and when it gives them again."""

    def __init__(self, source: Source, *, at_once: int, tell: Callable[[str], None]) -> None:
        self._source = source
        self._tell = tell
        self._places = asyncio.Semaphore(at_once)
        self._pool = ThreadPoolExecutor(min(THREADS, at_once), thread_name_prefix="scrape")
        self._running: dict[tuple[Wanted, bool], asyncio.Task[bytes]] = {}
        self.pending = Pending()
        self.answered: float | None = None
        """When the source last answered (time.monotonic())."""
        self.failure = ""
        """Why it last did not, "" where its last answer is the newer."""

    async def get(self, wanted: Wanted, *, compressed: bool) -> bytes:
        """The samples, maybe those of a scrape that somebody else has begun. Raises Unanswered and Busy."""
        key = (wanted, compressed)
        run = self._running.get(key)
        if run is None:
            run = self._running[key] = asyncio.get_running_loop().create_task(self._run(wanted, compressed))
            run.add_done_callback(lambda done: self._ended(key, done))
        try:
            # The shield: that one who asked goes away does not end it for the others.
            return await asyncio.wait_for(asyncio.shield(run), wanted.timeout + LATE)
        except TimeoutError:
            self._failed(f"no answer within {wanted.timeout:g} s")
            raise Unanswered(self.failure) from None

    def close(self) -> None:
        """Begins nothing more. A scrape that goes on is left: its thread cannot be ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, wanted: Wanted, compressed: bool) -> bytes:
        try:
            async with asyncio.timeout(min(PATIENCE, wanted.timeout / 4)):
                await self._places.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._scrape, wanted, compressed)
        finally:
            self._places.release()

    def _scrape(self, wanted: Wanted, compressed: bool) -> bytes:
        with self.pending.asked(wanted.timeout):
            text = self._source.scrape(wanted)
        return gzip.compress(text, _COMPRESSION, mtime=0) if compressed else text

    def _ended(self, key: tuple[Wanted, bool], done: asyncio.Task[bytes]) -> None:
        del self._running[key]
        if done.cancelled():
            return
        error = done.exception()
        if error is None or (isinstance(error, Unanswered) and error.asked_wrongly):
            self.answered = time.monotonic()
            if self.failure:
                self._tell("samples again")
            self.failure = ""
        elif isinstance(error, Busy):
            pass  # nobody was asked
        elif isinstance(error, Unanswered):
            self._failed(error.message)
        else:
            self._failed(f"the collector failed: {type(error).__name__}: {error}")

    def _failed(self, why: str) -> None:
        if not self.failure:
            self._tell(f"no samples: {why}")
        self.failure = why
