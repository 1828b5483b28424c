"""Why LVM may not answer: what else on the host does not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Cause
from sctune.store_view import filesystems
from sctune.tgt_process import daemon_subject, port_of_socket
from sctune.tgt_state import UNRESPONSIVE as TGT_UNRESPONSIVE
from sctune.tgt_state import hanging
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.initiator import IscsiSession
    from sctune.store_view import StoreFilesystem

_STORE_UNREACHABLE = "STORE_UNREACHABLE"


def hang_suspects(inventory: Inventory) -> tuple[str, ...]:
    """In words, what does not answer, is suspended or was lost: the likeliest first."""
    found = [f"file system {group.name} does not answer and has files under loop devices" for group in _dead_stores(inventory)]
    silent = hanging(inventory.tgt)
    sessions = known(inventory.sessions) or ()
    for session in sessions:
        if session.state == "LOGGED_IN" and session.local and session.disks and silent:
            found.append(f"disk {', '.join(session.disks)} of {session.identity}: this host's own tgtd does not answer")
    for session in sessions:
        if session.state != "LOGGED_IN":
            found.append(
                f"session {session.identity} is {session.state} (its disks were left out; what lies over files on them was not)"
            )
    for device in known(inventory.dm) or ():
        if device.suspended:
            found.append(f"{device.name} ({device.kernel_name}) is suspended")
    for process in _stuck(inventory):
        found.append(f"{process} waits in the kernel and may hold LVM's locks")
    return tuple(found)


def hang_cause(inventory: Inventory) -> Cause | None:
    """The finding that explains it, where one does: LVM reads the disks of live sessions and the loop devices over every file."""
    for group in _dead_stores(inventory):
        return Cause(code=_STORE_UNREACHABLE, subject=group.subject)
    silent = hanging(inventory.tgt)
    if silent and any(_serves_us(session) for session in known(inventory.sessions) or ()):
        return Cause(code=TGT_UNRESPONSIVE, subject=daemon_subject(port_of_socket(silent[0].what)))
    return None


def _serves_us(session: IscsiSession) -> bool:
    return session.local and bool(session.disks)


def _dead_stores(inventory: Inventory) -> tuple[StoreFilesystem, ...]:
    loops = known(inventory.loops)
    folders = {loop.backing_file.rpartition("/")[0] for loop in (loops.devices if loops else ())}
    return tuple(
        group
        for group in filesystems(known(inventory.stores) or ())
        if folders.intersection(group.paths) and any(_timed_out(store.files) or _timed_out(store.space) for store in group.stores)
    )


def _timed_out(answer: object) -> bool:
    return isinstance(answer, Unavailable) and answer.reason is Reason.TIMEOUT


def _stuck(inventory: Inventory) -> tuple[str, ...]:
    processes = known(inventory.processes)
    return tuple(f"{p.name} (pid {p.pid})" for p in (processes.lvm if processes else ()) if p.state == "D")
