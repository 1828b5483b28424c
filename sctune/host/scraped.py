"""The machine we run on, looked at again and again while somebody waits: it starts no process.

What a look needs of children is done by ones that stay, and a tool is not run: what only a tool can tell is not collected, or it is
fetched elsewhere and kept. tgtadm alone is run, where tgtd is so old that it listens on another socket.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from sctune.host.live import LiveHost, unavailable
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed
    from sctune.host.resident import Residents

_MAY_RUN = "tgtadm"
_FOLDER, _REAL_FOLDER = "/sys/block/", "/sys/devices/virtual/block/"
_LOOPS = f"{_FOLDER}loop"
_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_PAGES = 65536
Kept = tuple[float, str]
"""Until when (time.monotonic()) an attribute's text is good, and the text."""
_KEPT_SECONDS = 300.0
_MOST = 10_000
"""Texts kept at most: of devices that are gone they are of no use."""


class ScrapedHost(LiveHost):
    """One look of many. `children` stay; who made them closes them. `queues` is what is kept from look to look."""

    def __init__(self, *, children: Residents, budget: float, queues: dict[str, Kept] | None = None) -> None:
        super().__init__(budget=budget, children=children)
        self._queues = {} if queues is None else queues
        self._folder = _REAL_FOLDER if os.path.isdir(_REAL_FOLDER) else _FOLDER

    def read(self, path: str) -> str | Unavailable:
        """Reads a system file; a setting of a loop device's queue once in five minutes: no sample is made of it, and a fifth of all
        that is read of a loop device is that."""
        if not path.startswith(_LOOPS):
            return super().read(path)
        if "/queue/" not in path:
            return self._attribute(path)
        now = time.monotonic()
        kept = self._queues.get(path)
        if kept is not None and now < kept[0]:
            return kept[1]
        if len(self._queues) >= _MOST:
            self._queues.clear()
        answer = super().read(path)
        if isinstance(answer, str):
            self._queues[path] = (now + _KEPT_SECONDS, sys.intern(answer))
        return answer

    def _attribute(self, path: str) -> str | Unavailable:
        """An attribute of a loop device, of which a scrape reads seven a device: by the path that /sys/block's link leads to, which
        the kernel then need not follow, and in one read (a page is the most that sysfs gives)."""
        try:
            descriptor = os.open(self._folder + path.removeprefix(_FOLDER), _FLAGS)
        except OSError as error:
            return unavailable(error.errno, path)
        try:
            return os.read(descriptor, _PAGES).decode("utf-8", "surrogateescape")
        except OSError as error:
            return unavailable(error.errno, path)
        finally:
            os.close(descriptor)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Runs nothing but tgtadm."""
        if argv and argv[0] == _MAY_RUN:
            return super().run(argv, timeout=timeout)
        return Unavailable(reason=Reason.NOT_COLLECTED, what=" ".join(argv[:2]), detail="a scrape starts no process")
