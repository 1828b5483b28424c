"""What it means that no target exports a volume: at rest, being copied, lost, leaked, or not to be told.

What tells a lost export from a leaked loop is time, not absence (detached is not lost). A cloud activates a volume's LV
when it exports it, and tgtd forgets everything when it ends. So, for an active LV that no target serves:

- the LV was activated *before* the running tgtd started: it was exported by the tgtd before, and that export is lost;
- the LV was activated *after* it: this very tgtd was there all the time, so the export was taken away (or never made) and
  the clean-up behind it failed: the loop device is leaked.

An LV that is not active cannot have been exported through its device node, whatever tgtd did: a loop device still
attached under it is leaked (Eucalyptus deactivates the LV first and detaches the loop device second, and it is the second
step that fails: "losetup -d fails a LOT of times", OverlayManager.java).

All this holds where a volume at rest has nothing attached. LVs of a shared VG (Eucalyptus DAS) are active from their creation
on, exported or not (DASManager.java: createVolume never deactivates), and come up at boot before tgtd does: there, time tells
nothing, and an unexported volume counts as at rest.

Both times are on the host's boot clock: `DmDevice.activated` (udev's USEC_INITIALIZED) and `Process.started`
(field 22 of proc(5)'s stat).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.model.chain import Chain
    from sctune.model.process import Processes
    from sctune.model.target import TgtState


class Unexported(StrEnum):
    """Why a volume has, or has not, an export."""

    EXPORTED = "exported"
    COPYING = "copying"  # a dd, gunzip or tar reads or writes it: attached for that
    AT_REST = "at_rest"  # nothing of it is attached, or its backend keeps it attached without an export
    LOST = "lost"  # its LV is older than every tgtd: the tgtd that exported it ended
    LEAKED = "leaked"  # attached under a tgtd that outlived its export
    UNSERVED = "unserved"  # attached, and no tgtd runs: TGT_DOWN says it, or nothing is meant to serve it
    UNKNOWN = "unknown"  # who exports it, or when it was activated, could not be told


def unexported(chain: Chain, tgt: TgtState | Unavailable, processes: Processes | Unavailable) -> Unexported:
    """The state of one volume's export. Pure; everything it needs is in its arguments.

    UNKNOWN wherever an answer that would decide is missing: a tgtd that does not answer may export the volume, and
    without the process table neither a running copy nor tgtd's age is known.
    """
    if chain.exports:
        return Unexported.EXPORTED
    active = _active(chain)
    if not chain.loops and not active:
        return Unexported.AT_REST
    if isinstance(tgt, Unavailable):
        if tgt.reason is not Reason.ABSENT:
            return Unexported.UNKNOWN
    elif tgt.unanswered:
        return Unexported.UNKNOWN
    if chain.copies:
        return Unexported.COPYING
    if not chain.loops or chain.backend.shared_group:
        return Unexported.AT_REST  # a shared VG's LV is active at rest
    if isinstance(processes, Unavailable):
        return Unexported.UNKNOWN
    if isinstance(tgt, Unavailable) or not tgt.daemons:
        return Unexported.UNSERVED
    if tgt.stale:
        # One tgtd answers and another died: nothing says which of the two exported this volume.
        return Unexported.UNKNOWN
    if chain.lv is None:
        # Attached, but what lies on it is not known (LVM could not be asked) or not there yet: no time to go by.
        return Unexported.UNKNOWN
    if not active:
        return Unexported.AT_REST if chain.backend.loops_at_rest else Unexported.LEAKED
    return _by_time(chain, processes)


def _active(chain: Chain) -> bool:
    return chain.dm is not None or (chain.lv is not None and chain.lv.active)


def _by_time(chain: Chain, processes: Processes) -> Unexported:
    """Lost or leaked, for a volume whose LV is active while at least one tgtd answers and exports it not."""
    started = [process.started for process in processes.tgtd]
    activated = chain.dm.activated if chain.dm is not None else None
    if activated is None or not started:
        return Unexported.UNKNOWN
    if activated < min(started):
        return Unexported.LOST
    if activated < max(started):
        # Several daemons, one younger than the volume: it may have been that one's.
        return Unexported.UNKNOWN
    # Eucalyptus 3.0/3.1 keeps every volume attached; but it also exports every volume, so LOST above holds for it too.
    return Unexported.AT_REST if chain.backend.loops_at_rest else Unexported.LEAKED
