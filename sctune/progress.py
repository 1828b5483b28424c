"""What is being waited for, on the terminal of somebody who waits.

A line on standard error, from half a second on, and erased before anything else is printed. Nothing where standard error is no
terminal: a log wants no line that moves.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.inventory import Inventory

AFTER = 0.5
"""Seconds; a look that takes less needs no word."""
_EVERY = 0.25

_WORDS = {
    "backings": "what targets serve",
    "dm": "device-mapper",
    "lvm": "LVM",
    "lvm_settings": "LVM's configuration",
    "processes": "the process table",
    "stores": "the volume store",
    "tgt": "tgtd",
    "tgt_parameters": "tgtd's parameters",
    "units": "systemd",
}


@contextmanager
def progress(inventory: Inventory) -> Iterator[None]:
    """Tells what the look waits for as long as it lasts. When it ends nothing is left of it: no line, no thread."""
    with _telling(lambda seconds: words(inventory, seconds), inventory.began):
        yield


@contextmanager
def counting(total: int) -> Iterator[Callable[[], None]]:
    """Tells how many of `total` hosts have answered: what it gives is called for each."""
    done: list[None] = []
    with _telling(lambda seconds: f"sctune: {len(done)} of {total} hosts looked at ({seconds:.0f} s)", time.monotonic()):
        yield lambda: done.append(None)


@contextmanager
def _telling(line: Callable[[float], str], began: float) -> Iterator[None]:
    """Shows `line`, which is given the seconds since `began`, until it is left."""
    if not _is_terminal():
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_tell, args=(line, began, ended), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_terminal() -> bool:
    try:
        return os.isatty(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def _tell(words_of: Callable[[float], str], began: float, ended: threading.Event) -> None:
    if ended.wait(max(0.0, began + AFTER - time.monotonic())):
        return
    with suppress(OSError, ValueError):
        shown = 0
        while True:
            line = words_of(time.monotonic() - began)[: _width()]
            # Overwritten by spaces and not by an escape sequence, which not every terminal knows.
            sys.stderr.write("\r" + line.ljust(shown))
            sys.stderr.flush()
            shown = len(line)
            if ended.wait(_EVERY):
                break
        sys.stderr.write("\r" + " " * shown + "\r")
        sys.stderr.flush()


def words(inventory: Inventory, seconds: float) -> str:
    """The line: ASCII, since nobody knows the terminal's encoding better than that."""
    waiting = sorted(_WORDS.get(name, name.replace("_", " ")) for name in list(inventory.fetching))
    what = ", ".join(waiting) or "the checks"
    return f"sctune: waiting for {what} ({seconds:.0f} s)"


def _width() -> int:
    """Columns but one: a character in the last would break the line, and the first part of it could not be erased."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        columns = 0
    return columns - 1 if columns > 1 else 79  # a serial console knows no width
