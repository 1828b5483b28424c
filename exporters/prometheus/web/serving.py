"""The web side's life: it begins to serve, is told to read its configuration again, gives signs of life, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.source import Unanswered
from sctune.exporters.prometheus.web.pages import Pages
from sctune.exporters.prometheus.web.runs import Busy, Runs
from sctune.exporters.prometheus.web.server import CONNECTIONS, Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from sctune.exporters.prometheus.source import Source
    from sctune.exporters.prometheus.systemd import Notifier
    from sctune.exporters.prometheus.web.settings import Settings

FIRST_LOOK = 10.0
CHECKED = 2.0
"""Seconds between two looks at whether a source in this process can still look at the host."""
GRACE = 0.5
"""Seconds between the end of the collector's process and the verdict that nobody meant it."""
_OTHER_DESCRIPTORS = 128


def serve(
    source: Source,
    listeners: Sequence[socket.socket],
    settings: Settings,
    *,
    at_once: int,
    notifier: Notifier,
    tell: Callable[[str], None],
    lifeline: socket.socket | None = None,
    alive: Callable[[], bool] | None = None,
) -> bool:
    """Serves until SIGTERM or SIGINT. `at_once` is how many different scrapes may go on at the same time; `lifeline` a socket whose
    other end is the collector's process, `alive` says whether a source in this process can still look. Returns False where either
    has ended, which ends the web side too. For the main thread."""
    _have_descriptors(CONNECTIONS + _OTHER_DESCRIPTORS)
    return asyncio.run(
        _serve(source, listeners, settings, at_once=at_once, notifier=notifier, tell=tell, lifeline=lifeline, alive=alive)
    )


async def _serve(
    source: Source,
    listeners: Sequence[socket.socket],
    settings: Settings,
    *,
    at_once: int,
    notifier: Notifier,
    tell: Callable[[str], None],
    lifeline: socket.socket | None,
    alive: Callable[[], bool] | None,
) -> bool:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[bool] = loop.create_future()

    def end(well: bool) -> None:
        if not ended.done():
            ended.set_result(well)

    def reload() -> None:
        notifier.reloading()
        settings.reload()
        notifier.ready()

    def lost(descriptor: int) -> None:
        # Who ends a service signals all its processes: the collector may have gone before our own signal is here.
        loop.remove_reader(descriptor)
        loop.call_later(GRACE, end, False)

    runs = Runs(source, at_once=at_once, tell=tell)
    pages = Pages(runs)
    server = Server(pages, settings, tell=tell)
    loop.add_signal_handler(signal.SIGTERM, end, True)
    loop.add_signal_handler(signal.SIGINT, end, True)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if lifeline is not None:
        lifeline.setblocking(True)
        loop.add_reader(lifeline.fileno(), lost, lifeline.fileno())  # nothing is ever sent to us over it: it can only be closed
    server.start(listeners)
    notifier.ready()
    beside = [loop.create_task(_first_look(pages))]
    if notifier.every is not None:
        beside.append(loop.create_task(_give_signs(notifier, runs, notifier.every, alive)))
    if alive is not None:
        beside.append(loop.create_task(_watch(alive, end)))
    well = await ended
    notifier.stopping()
    for task in beside:
        task.cancel()
    await server.stop()
    runs.close()
    return well


async def _first_look(pages: Pages) -> None:
    """So that the first scrape finds what takes long the first time done."""
    with contextlib.suppress(Unanswered, Busy):
        await pages.look(FIRST_LOOK)


async def _watch(alive: Callable[[], bool], end: Callable[[bool], None]) -> None:
    while alive():
        await asyncio.sleep(CHECKED)
    end(False)


async def _give_signs(notifier: Notifier, runs: Runs, every: float, alive: Callable[[], bool] | None) -> None:
    """That this runs says that the loop does, which takes the connections; what may be stuck beside it is a scrape."""
    while True:
        if not runs.pending.overdue() and (alive is None or alive()):
            notifier.alive()
        await asyncio.sleep(every)


def _have_descriptors(number: int) -> None:
    """Raises the soft limit of open files where it is below what all connections need and the hard limit has it."""
    with contextlib.suppress(OSError, ValueError):  # a service may not even ask (SystemCallFilter=~@resources)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
