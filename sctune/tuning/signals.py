"""Being told to end in the middle of a change: what was begun is undone first."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, kill(1) and a shutdown, a terminal or SSH session that went away."""


@contextmanager
def interrupts() -> Iterator[None]:
    """Each of these signals raises KeyboardInterrupt, once: from then on they are ignored until this is left, so that undoing comes
    to its end. Does nothing outside of the main thread, which alone gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> NoReturn:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [(one, signal.signal(one, handle)) for one in _SIGNALS]
    try:
        yield
    finally:
        for one, handler in before:
            signal.signal(one, handler if handler is not None else signal.SIG_DFL)


@contextmanager
def deaf() -> Iterator[None]:
    """Undoing after all went well is not interrupted either: what comes meanwhile is not heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(one, signal.signal(one, signal.SIG_IGN)) for one in _SIGNALS]
    try:
        yield
    finally:
        for one, handler in before:
            signal.signal(one, handler if handler is not None else signal.SIG_DFL)
