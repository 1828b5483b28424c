"""The source that looks at a host from this very process."""

from __future__ import annotations

import gc
import sys
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
_SWITCH = 0.0005


def local_source(host: Host, options: Options, *, tell: Callable[[str], None] = to_stderr) -> Engine:
    """All collectors on this host, which stays its maker's to close, after the last scrape. A live one has to be made before any
    thread: it has a child process. `tell` gets the lines for the log."""
    from sctune.exporters.prometheus.look_inventory import Looks

    looks = Looks(host, options.config)
    collectors = load()
    if host.source is Source.LIVE:
        _tune_interpreter()
    return Engine(collectors, options, looks.look, tell=tell)


def _tune_interpreter() -> None:
    """For a process that does little else. A look at a thousand volumes is a hundred thousand records without a cycle among them,
    and the collector of cycles would walk them some hundred times a scrape. A thread that waits for a child's answer gets the
    interpreter back from one that is busy after 0.5 ms and not 5."""
    gc.freeze()
    gc.set_threshold(_RECORDS, 10, 10)
    sys.setswitchinterval(_SWITCH)
