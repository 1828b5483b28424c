"""What a layer did between two looks at its counters, and what its times mean. Pure.

Times of different layers cannot be subtracted blindly: each layer has its own idea of where an I/O begins and ends, see `MEANING`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.model.io import IoRates, LunRates, TallyRates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.model.io import IoCounters, IoTally, LunIo

WRAP_SECONDS = 2**32 / 1000
"""Where the kernel's milliseconds begin anew (block/genhd.c prints them as an unsigned int on every machine)."""
_COMMANDS = 2**32

_REQUESTS = "from the moment the request is made, waiting in the scheduler included, until the "
MEANING = {
    BlockKind.LOOP: f"{_REQUESTS}backing file has taken or given the data: without direct I/O a write ends in the page cache, and "
    "what the disk below needs for it shows nowhere but there. Before Linux 4.0 loop devices count nothing",
    BlockKind.DM: "from the moment the I/O arrives until all parts of it have come back from the devices below: their time is "
    "in it, and so is waiting while the device is suspended. Taken from a clock that ticks every 1 to 10 ms, so only the mean of "
    "many is a time. A multipath map that works by requests counts as a disk does",
    BlockKind.MD: "as in device-mapper where the RAID level counts time at all: levels 0, 4, 5 and 6 do since Linux 5.14",
    BlockKind.DISK: f"{_REQUESTS}disk has answered; of an iSCSI disk that is the network and all that is behind the target",
    BlockKind.NVME: f"{_REQUESTS}disk has answered",
    BlockKind.VIRTIO: f"{_REQUESTS}hypervisor has answered",
    BlockKind.OTHER: "as its driver counts",
}
"""From when until when the kernel counts an I/O's time, by kind of device.

Sources: Linux, Documentation/admin-guide/iostats.rst; block/blk-mq.c, drivers/block/loop.c, drivers/md/dm.c (start_io_acct,
end_io_acct), drivers/md/md.c."""


def difference(before: IoCounters, after: IoCounters, seconds: float) -> IoRates | None:
    """What a device did in the `seconds` between two looks. None where that cannot be told: it is another device, no time has
    passed, or a counter went back, since the device was made anew (device-mapper begins at 0; a loop device that is attached to
    another file goes on counting, so compare the files)."""
    if seconds <= 0 or before.name != after.name:
        return None
    busy, queued = _elapsed(before.busy, after.busy), _elapsed(before.queued, after.queued)
    reads, writes = _rates(before.reads, after.reads, seconds), _rates(before.writes, after.writes, seconds)
    discards = flushes = None
    if before.discards is not None and after.discards is not None:
        discards = _rates(before.discards, after.discards, seconds)
        if discards is None:
            return None
    if before.flushes is not None and after.flushes is not None:
        flushes = _rates(before.flushes, after.flushes, seconds)
        if flushes is None:
            return None
    if reads is None or writes is None or busy is None or queued is None:
        return None
    return IoRates(
        name=after.name,
        seconds=seconds,
        reads=reads,
        writes=writes,
        discards=discards,
        flushes=flushes,
        # It is counted in ticks, of which one may lie across the end.
        busy_ratio=min(1.0, busy / seconds),
        depth=queued / seconds,
        in_flight=after.in_flight,
    )


def _rates(before: IoTally, after: IoTally, seconds: float) -> TallyRates | None:
    ios, size = after.completed - before.completed, after.bytes - before.bytes
    waited = _elapsed(before.waited, after.waited)
    if ios < 0 or size < 0 or after.merged < before.merged or waited is None:
        return None
    return TallyRates(
        ios=ios / seconds, bytes=size / seconds, latency=waited / ios if ios else None, size=size / ios if ios else None
    )


def _elapsed(before: float, after: float) -> float | None:
    """Seconds between two readings of a clock that begins anew, None where it went back. Milliseconds are whole."""
    passed = round((after - before) % WRAP_SECONDS, 3)
    return passed if passed < WRAP_SECONDS / 2 else None


def lun_difference(before: Iterable[LunIo], after: Iterable[LunIo], seconds: float) -> LunRates | None:
    """What all sessions with one LUN did in the `seconds` between two looks. A session that is new brings its whole count, one
    that is gone nothing: its counters went with it. None where no time has passed or a session's counters went back: another of
    that number."""
    if seconds <= 0:
        return None
    known = {(one.control_port, one.tid, one.lun, one.sid): one for one in before}
    reads = writes = read_bytes = write_bytes = errors = in_flight = 0
    for now in after:
        then = known.get((now.control_port, now.tid, now.lun, now.sid))
        in_flight += now.in_flight
        if then is not None and (now.read_bytes < then.read_bytes or now.write_bytes < then.write_bytes):
            return None
        reads += (now.reads - (then.reads if then else 0)) % _COMMANDS
        writes += (now.writes - (then.writes if then else 0)) % _COMMANDS
        errors += (now.errors - (then.errors if then else 0)) % _COMMANDS
        read_bytes += now.read_bytes - (then.read_bytes if then else 0)
        write_bytes += now.write_bytes - (then.write_bytes if then else 0)
    return LunRates(
        seconds=seconds,
        reads=reads / seconds,
        read_bytes=read_bytes / seconds,
        writes=writes / seconds,
        write_bytes=write_bytes / seconds,
        errors=errors,
        in_flight=in_flight,
    )
