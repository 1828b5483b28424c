"""Why a session has lost its target, and which sessions are left over. Pure; shared by the checks of sessions.

A session is left over where nobody needs it any more and nobody logged out. Two hosts can tell:

- the host that serves it: the session leads back to this very host, the target is gone from the tgtd that had it (the disk came
  while this tgtd ran, so that no restart took the target away), and nothing uses its disk;
- a node controller: the session leads to a volume of the cloud, and no guest nor anything else has its disk, though it came
  longer ago than attaching takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import candidates
from sctune.components import is_node_controller
from sctune.disk_use import PARTS as USE_PARTS
from sctune.disk_use import session_users
from sctune.findings import Cause
from sctune.initiator import session_subject
from sctune.records import dataclass
from sctune.tgt_process import daemon_subject, port_of_socket
from sctune.tgt_state import DOWN, LOST, UNRESPONSIVE, down, hanging, lost_exports, runs, serves_portal, unserved_sessions
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.initiator import IscsiSession

LEFTOVER = "ISCSI_SESSION_LEFTOVER"
ISCSID_DOWN = "ISCSID_DOWN"
PARTS = (*USE_PARTS, "sessions", "chains", "cloud", "units", "lio", "disk_arrivals")
"""What `leftover` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A session that nobody needs. `removed`: its target was taken away on this host. `seconds` since its youngest disk came."""

    removed: bool
    seconds: float


def leftover(inventory: Inventory, session: IscsiSession) -> Leftover | Unavailable | None:
    """Whether a session is left over; None where it is not, or not this host's to judge. Unavailable where that cannot be told."""
    removed = target_removed(inventory, session)
    if removed is not True:
        on_node = _of_cloud(session) and is_node_controller(inventory)
        if on_node is False:
            return None if removed is False else removed
        if isinstance(on_node, Unavailable):
            return on_node
    users = session_users(inventory, session)
    if users:
        return users if isinstance(users, Unavailable) else None
    seconds = _age(inventory, session)
    if isinstance(seconds, Unavailable):
        return seconds
    if removed is not True and seconds < inventory.config.thresholds.session_unused_seconds:
        return None
    return Leftover(removed=removed is True, seconds=seconds)


def judged(inventory: Inventory, session: IscsiSession) -> bool:
    """Whether this host can tell of a session that it is left over."""
    return session.local or (_of_cloud(session) and is_node_controller(inventory) is not False)


def target_removed(inventory: Inventory, session: IscsiSession) -> bool | Unavailable:
    """Whether the target of a session that leads back to this host was taken away by hand or by the cloud, so that no TGT_DOWN
    and no lost export explains it."""
    if not session.local or session.state == "LOGGED_IN":
        return False
    for part in (inventory.tgt, inventory.lio):
        if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT:
            return part
    tgt = known(inventory.tgt)
    if session.target in (known(inventory.lio) or ()) or tgt is None or not tgt.daemons:
        return False
    if tgt.unanswered:
        return tgt.unanswered[0]
    if any(target.iqn == session.target for target in tgt.targets) or not serves_portal(tgt, session):
        return False
    if isinstance(inventory.chains, Unavailable):
        return inventory.chains
    if tgt_cause(inventory, session) is not None:
        return False
    return _came_under_this_tgtd(inventory, session)


def _came_under_this_tgtd(inventory: Inventory, session: IscsiSession) -> bool | Unavailable:
    """tgtd forgets its targets when it ends: one that it has not is no wonder where the session is older than the daemon."""
    processes = inventory.processes
    if isinstance(processes, Unavailable):
        return processes
    if not processes.tgtd:
        return Unavailable(reason=Reason.FAILED, what="tgtd", detail="it answers and is not in the process table")
    seconds = _age(inventory, session)
    if isinstance(seconds, Unavailable):
        return seconds
    return inventory.clock.boot - seconds > max(process.started for process in processes.tgtd)


def _age(inventory: Inventory, session: IscsiSession) -> float | Unavailable:
    """Seconds since the youngest of its disks came."""
    arrivals = inventory.disk_arrivals
    if isinstance(arrivals, Unavailable):
        return arrivals
    came = [arrivals[disk] for disk in session.disks if disk in arrivals]
    if not came or len(came) < len(session.disks):
        why = "udev has no record of its disk" if session.disks else "it has no disk"
        return Unavailable(reason=Reason.FAILED, what=f"age of the session with {session.target}", detail=why)
    return inventory.clock.boot - max(came)


def _of_cloud(session: IscsiSession) -> bool:
    """Whether Eucalyptus named its target."""
    return any(
        backend.is_target(session.target)
        for backend in candidates(configured=None, cloud=None, lvs=())
        if backend.name.startswith("eucalyptus")
    )


def tgt_cause(inventory: Inventory, session: IscsiSession) -> Cause | None:
    """The finding about tgtd that explains a session of this host with itself which lost its target, as the check of tgtd makes
    it. LIO has no daemon to be down."""
    if session.target in (known(inventory.lio) or ()):
        return None
    running = runs(inventory)
    if running is False:
        return down(inventory)
    if isinstance(running, Unavailable):
        return None
    if session not in unserved_sessions(inventory):
        return _lost_cause(inventory, session)
    silent = hanging(inventory.tgt)
    if silent:
        return Cause(code=UNRESPONSIVE, subject=daemon_subject(port_of_socket(silent[0].what)))
    tgt = known(inventory.tgt)
    return Cause(code=DOWN, subject=daemon_subject(min(tgt.stale))) if tgt is not None and tgt.stale else None


def _lost_cause(inventory: Inventory, session: IscsiSession) -> Cause | None:
    """The export that a restart of tgtd took away. Which volume a target was for, nobody knows any more: of several that the same
    restart took away, the first of the size of the session's disk is named, else the first."""
    tgt = known(inventory.tgt)
    if tgt is None or tgt.unanswered or any(target.iqn == session.target for target in tgt.targets):
        return None
    lost = lost_exports(inventory)
    sizes = {device.size for device in known(inventory.block) or () if device.name in session.disks}
    volume = next((chain for chain in lost if chain.lv is not None and chain.lv.size in sizes), lost[0] if lost else None)
    return None if volume is None else Cause(code=LOST, subject=volume.subject)


def leftover_cause(inventory: Inventory, session: IscsiSession) -> Cause | None:
    """The finding that says that nobody needs a session: what it lost then, it lost with its target."""
    if not isinstance(leftover(inventory, session), Leftover):
        return None
    return Cause(code=LEFTOVER, subject=session_subject(session))
