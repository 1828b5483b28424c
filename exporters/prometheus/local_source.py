"""The source that looks at a host from this very process."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.registry import load
from sctune.exporters.prometheus.run import to_stderr
from sctune.host.base import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.exporters.prometheus.options import Options
    from sctune.host.base import Host

_RECORDS = 50_000


def local_source(host: Host, options: Options, *, tell: Callable[[str], None] = to_stderr) -> Engine:
    """All collectors on this host, which stays its maker's to close, after the last scrape. A live one has to be made before any
    thread: it has a child process. `tell` gets the lines for the log."""
    from sctune.exporters.prometheus.look_inventory import Looks

    looks = Looks(host, options.config)
    collectors = load()
    if host.source is Source.LIVE:
        _collect_garbage_rarely()
    return Engine(collectors, options, looks.look, tell=tell)


def _collect_garbage_rarely() -> None:
    """A look at a thousand volumes is a hundred thousand records without a cycle among them, and the collector of cycles would walk
    them some hundred times a scrape."""
    gc.freeze()
    gc.set_threshold(_RECORDS, 10, 10)
