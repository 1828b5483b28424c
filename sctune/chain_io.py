"""Reads the counters of a chain's links, once for what they count since they were made, twice for what goes on now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from sctune.chain_tree import walk
from sctune.io_rates import difference, lun_difference
from sctune.model.tree_io import TreeIo
from sctune.probes.disk_io import read_io
from sctune.probes.tgt_io import read_luns
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sctune.host.base import Host
    from sctune.model.io import IoCounters, IoRates, LunIo, LunRates
    from sctune.model.tree import Link

Lun: TypeAlias = tuple[int, int, int]


def count(
    host: Host, links: Iterable[Link], *, interval: float | None = None, sleep: Callable[[float], object] = time.sleep
) -> TreeIo:
    """The counters of all devices and LUNs of these trees; with an `interval` in seconds, what they do in that time."""
    every = tuple(walk(links))
    names = tuple(dict.fromkeys(link.device for link in every if link.device))
    luns = tuple(dict.fromkeys(link.lun for link in every if link.lun is not None))
    began = time.monotonic()
    devices, served = _devices(host, names), _luns(host, luns)
    if interval is None:
        return TreeIo(devices=devices, luns=served)
    sleep(interval)
    seconds = time.monotonic() - began
    later, served_later = _devices(host, names), _luns(host, luns)
    return TreeIo(
        seconds=seconds,
        devices={name: _device_rates(devices[name], later[name], seconds) for name in names},
        luns={lun: _lun_rates(served[lun], served_later[lun], seconds) for lun in luns},
    )


def _devices(host: Host, names: tuple[str, ...]) -> dict[str, IoCounters | Unavailable]:
    return dict(zip(names, read_io(host, names), strict=True))


def _luns(host: Host, luns: tuple[Lun, ...]) -> Mapping[Lun, tuple[LunIo, ...] | Unavailable]:
    """One question to each tgtd, however many of its LUNs are wanted."""
    answers = {port: read_luns(host, port) for port in dict.fromkeys(port for port, _, _ in luns)}
    found: dict[Lun, tuple[LunIo, ...] | Unavailable] = {}
    for lun in luns:
        answer = answers[lun[0]]
        if isinstance(answer, Unavailable):
            found[lun] = answer
        else:
            found[lun] = tuple(one for one in answer if (one.control_port, one.tid, one.lun) == lun)
    return found


def _device_rates(
    before: IoCounters | Unavailable, after: IoCounters | Unavailable, seconds: float
) -> IoRates | Unavailable | None:
    if isinstance(before, Unavailable):
        return before
    return after if isinstance(after, Unavailable) else difference(before, after, seconds)


def _lun_rates(
    before: tuple[LunIo, ...] | Unavailable, after: tuple[LunIo, ...] | Unavailable, seconds: float
) -> LunRates | Unavailable | None:
    if isinstance(before, Unavailable):
        return before
    if isinstance(after, Unavailable):
        return after
    if {one.sid for one in before} - {one.sid for one in after}:
        return None  # what a session did until it ended, its counters took with them
    return lun_difference(before, after, seconds)
