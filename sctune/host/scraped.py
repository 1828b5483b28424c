"""The machine we run on, looked at again and again while somebody waits: it starts no process.

What a look needs of children is done by ones that stay, and a tool is not run: what only a tool can tell is not collected, or it is
fetched elsewhere and kept. tgtadm alone is run, where tgtd is so old that it listens on another socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.live import LiveHost
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed
    from sctune.host.resident import Residents

_MAY_RUN = "tgtadm"


class ScrapedHost(LiveHost):
    """One look of many. `children` stay; who made them closes them."""

    def __init__(self, *, children: Residents, budget: float) -> None:
        super().__init__(budget=budget, children=children)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Runs nothing but tgtadm."""
        if argv and argv[0] == _MAY_RUN:
            return super().run(argv, timeout=timeout)
        return Unavailable(reason=Reason.NOT_COLLECTED, what=" ".join(argv[:2]), detail="a scrape starts no process")
