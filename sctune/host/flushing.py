"""How fast a file system takes what is written and flushed: measured, on the machine that sctune runs on, when it is asked for.

A file without a name (O_TMPFILE, open(2)) is written and flushed (fdatasync(2)) piece by piece, so that little is dirty at any time
and nothing is left whatever happens: it goes with the process. That process is a disposable child, since a dead file system would
hang it. The data is random: a disk or file system that compresses would look faster than it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sctune.host.children import Nursery
from sctune.host.silence import gave_up
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.children import Outcome

MOST = 256 * 1024 * 1024
"""Bytes that are written at most."""
SECONDS = 10.0
"""How long it writes at most."""
LEAST = 8 * 1024 * 1024
"""Bytes below which no speed is told."""
SPARE = 1024 * 1024 * 1024
SPARE_SHARE = 0.05
"""What has to stay free besides, the larger of the two."""
_GRACE = 5.0
_REFUSED = {
    "room": "it would leave less than 1 GiB or 5 % of the file system free",
    "short": "it wrote too little in its time to tell a speed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushSpeed:
    """What was measured: `written` bytes in `seconds`, each piece flushed."""

    written: int
    seconds: float

    @property
    def speed(self) -> float:
        """Bytes a second."""
        return self.written / self.seconds


def measure_flush(folder: str) -> FlushSpeed | Unavailable:
    """Writes and flushes in a folder, at most MOST bytes and SECONDS. Unavailable where it cannot, or where too little would stay
    free."""
    nursery = Nursery()
    try:
        deadline = time.monotonic() + SECONDS + _GRACE
        outcome = nursery.run("flush", folder, MOST, SECONDS, SPARE, SPARE_SHARE, stall=SECONDS + _GRACE, deadline=deadline)
    finally:
        nursery.close()
    return judge(outcome, folder)


def judge(outcome: Outcome, folder: str) -> FlushSpeed | Unavailable:
    """What the child's answer says."""
    if not outcome.finished or not outcome.items:
        return gave_up(outcome, folder)
    last = outcome.items[-1]
    if len(last) == 1 and isinstance(last[0], str):
        return Unavailable(reason=Reason.FAILED, what=folder, detail=_REFUSED[last[0]])
    if len(last) == 1:
        from sctune.host.live import unavailable

        return unavailable(last[0], folder)
    if last[0] < LEAST or last[1] <= 0:
        return Unavailable(reason=Reason.FAILED, what=folder, detail=_REFUSED["short"])
    return FlushSpeed(written=last[0], seconds=last[1])
