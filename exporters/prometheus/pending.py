"""Which scrapes have been asked of a source and have not come back: what a watchdog has to know.

A source must answer within the timeout it is given, if only to say that it cannot. One that is much later than that is wedged, and
nothing but a new process helps.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GRACE = 10.0
"""Seconds that a scrape may be late: rendering tens of thousands of samples on a busy host takes some."""


class Pending:
    """The scrapes that go on, in whatever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[object, float] = {}

    @contextmanager
    def asked(self, timeout: float) -> Iterator[None]:
        """Around one scrape that is given `timeout` seconds."""
        key = object()
        with self._lock:
            self._due[key] = time.monotonic() + timeout + GRACE
        try:
            yield
        finally:
            with self._lock:
                del self._due[key]

    def overdue(self) -> bool:
        """Whether one of them should have come back by now."""
        now = time.monotonic()
        with self._lock:
            return any(due < now for due in self._due.values())
