"""The source that looks at a host from this very process."""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import TYPE_CHECKING

from sctune.exporters.prometheus import log
from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.registry import load
from sctune.host.base import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.exporters.prometheus.options import Options
    from sctune.host.base import Host

_RECORDS = 50_000
_SWITCH = 0.0005
_MARGIN = 0.5
"""Seconds of a collector's time that are left for what it makes of LVM's report."""
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Of <malloc.h>."""
_LARGE = 128 << 10


def local_source(host: Host, options: Options, *, tell: Callable[[str], None] = log.tell) -> Engine:
    """All collectors on this host, which stays its maker's to close, after the last scrape. A live one has to be made before any
    thread: it has a child process. `tell` gets the lines for the log."""
    from sctune.exporters.prometheus.look_inventory import Looks

    # Where no other look follows, what LVM has not said yet would never be told.
    looks = Looks(host, options.config, first_wait=max(0.0, options.deadline - _MARGIN) if options.once else None)
    collectors = load()
    if host.source is Source.LIVE:
        _tune_interpreter()
    return Engine(collectors, options, looks.look, tell=tell)


def _tune_interpreter() -> None:
    """For a process that does little else. A look at a thousand volumes is a hundred thousand records without a cycle among them,
    and the collector of cycles would walk them some hundred times a scrape. A thread that waits for a child's answer gets the
    interpreter back from one that is busy after 0.5 ms and not 5."""
    _tune_allocator()
    gc.freeze()
    gc.set_threshold(_RECORDS, 10, 10)
    sys.setswitchinterval(_SWITCH)


def _tune_allocator() -> None:
    """A scrape of a thousand volumes holds 15 MB for a moment, and glibc kept twice that for ever: each collector's thread has a
    heap of its own, and what is large comes from it once something as large was given back. One heap for all, and what is
    larger than 128 KiB goes back to the kernel. Another C library has no such settings, and keeps its own ways."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
