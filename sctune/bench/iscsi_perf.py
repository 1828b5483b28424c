"""iscsi-perf(1) of libiscsi: reads through an iSCSI target without the kernel's initiator. Pure.

It tells an average alone: no latencies. Its "MB/s" are MiB and whole ones; operations and their size say it better.
Source: utils/iscsi-perf.c; recorded output in tests/data/bench.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.bench.model import Job, Measured
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.bench.model import Options, Place

PACKAGE = "libiscsi-bin"
INITIATOR = "iqn.2026-01.org.sctune:bench"
_AVERAGE = re.compile(r"iops average ([0-9]+) \(")
_SIZE = re.compile(r"FIXED transfer size of [0-9]+ blocks \(([0-9]+) byte\)")
_SECTOR = 512
_SHAPES: dict[Job, tuple[int, int, tuple[str, ...]]] = {
    Job.RANDOM_READ: (32, 4096, ("-r",)),
    Job.READ_LATENCY: (1, 4096, ("-r",)),
    Job.SEQUENTIAL_READ: (8, 1048576, ()),
}


def argv(job: Job, place: Place, options: Options, *, block: int = _SECTOR) -> tuple[str, ...]:
    """One run. It has no ramp: its average is of the whole time."""
    depth, size, more = _SHAPES[job]
    return (
        *("iscsi-perf", "-i", INITIATOR, "-m", str(depth), "-b", str(max(1, size // block))),
        *("-t", str(options.runtime), *more, place.address),
    )


def parse(text: str, seconds: float) -> Measured | Unavailable:
    """What it printed in `seconds`: the last average, which it writes over the one before in the same line."""
    averages, size = _AVERAGE.findall(text), _SIZE.search(text)
    if not averages or size is None or "finished." not in text:
        last = next((line for line in reversed(re.split(r"[\r\n]", text)) if line.strip()), "it said nothing").strip()
        return Unavailable(reason=Reason.MALFORMED, what="iscsi-perf", detail=last[:200])
    rate = float(averages[-1])
    return Measured(bytes_per_second=rate * int(size[1]), operations_per_second=rate, seconds=seconds)
