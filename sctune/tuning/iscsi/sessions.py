"""What live sessions need. Pure.

Of all settings the kernel lets one be written while a session lives: recovery_tmo, the replacement timeout. It refuses (EBUSY)
while the session is FAILED or FREE, takes "off" for ever, and from then on takes no other value from iscsid until the session ends
(drivers/scsi/scsi_transport_iscsi.c: store_priv_session_recovery_tmo, recovery_tmo_sysfs_override). A new login makes a new
session from the node record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT, live
from sctune.multipath import FAST_IO_FAIL, Override
from sctune.tuning.iscsi.items import Decision, IscsiItem, Place
from sctune.tuning.iscsi.settings import ABORT, LU_RESET, of_kernel, same
from sctune.tuning.operations import WriteValue
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.initiator import MapOver
    from sctune.model.initiator import IscsiSession
    from sctune.tuning.iscsi.settings import Wanted

_FOLDER = "/sys/class/iscsi_session"
_READ_ONLY = "the kernel lets it not be changed while the session lives; it comes with the next login"
_NOT_SHOWN = "the kernel does not show what a session has; it comes with the next login"


def path(session: IscsiSession) -> str:
    """The file of its replacement timeout."""
    return f"{_FOLDER}/session{session.number}/recovery_tmo"


def shown(session: IscsiSession, name: str) -> int | None:
    """What a session runs with, None where the kernel does not say."""
    if name == REPLACEMENT:
        return session.recovery_timeout
    if name in (INTERVAL, TIMEOUT):
        outage = live(session)
        return None if outage is None else outage.setting(name)
    return {ABORT: session.abort_timeout, LU_RESET: session.lu_reset_timeout}.get(name)


def item(
    session: IscsiSession, wanted: Wanted, maps: tuple[MapOver, ...] | Unavailable, given: Override | Unavailable | None
) -> IscsiItem:
    """What one session has and needs of a setting. `maps` are the multipath maps over its disks, `given` the replacement timeout
    that multipathd gives it, None where it is under no map."""
    current = shown(session, wanted.name)
    operation: WriteValue | None = None
    if wanted.name != REPLACEMENT:
        decision, why = _of_login(current, wanted)
    else:
        decision, why = _live(session, wanted, maps, given)
        if decision is Decision.CHANGE and current is not None:
            operation = WriteValue(
                setting=f"session{session.number}/recovery_tmo",
                path=path(session),
                value=of_kernel(wanted.value),
                before=of_kernel(current),
            )
    return IscsiItem(
        place=Place.SESSION,
        where=session.identity,
        path=_path(session, wanted.name),
        key=wanted.name,
        current=current,
        wanted=wanted.value,
        decision=decision,
        why=why,
        operation=operation,
    )


def _path(session: IscsiSession, name: str) -> str:
    files = {INTERVAL: "recv_tmo", TIMEOUT: "ping_tmo"}
    if name in files and session.connections:
        return f"/sys/class/iscsi_connection/{session.connections[0].name}/{files[name]}"
    if name == REPLACEMENT:
        return path(session)
    names = {ABORT: "abort_tmo", LU_RESET: "lu_reset_tmo"}
    return f"{_FOLDER}/session{session.number}" + (f"/{names[name]}" if name in names else "")


def _of_login(current: int | None, wanted: Wanted) -> tuple[Decision, str]:
    if current is None:
        return Decision.NEXT_LOGIN, _NOT_SHOWN
    if same(wanted.name, current, wanted.value):
        return Decision.ALREADY, ""
    return Decision.NEXT_LOGIN, _READ_ONLY


def _live(
    session: IscsiSession, wanted: Wanted, maps: tuple[MapOver, ...] | Unavailable, given: Override | Unavailable | None
) -> tuple[Decision, str]:
    current = session.recovery_timeout
    if current is None:
        return Decision.UNKNOWN, f"{path(session)} says no number"
    for unknown in (maps, given):
        if isinstance(unknown, Unavailable):
            return Decision.UNKNOWN, f"whether multipathd sets it cannot be told: {unknown}"
    if isinstance(given, Override) and given.seconds is not None and not isinstance(maps, Unavailable):
        return _of_multipathd(current, wanted, maps, given)
    if same(REPLACEMENT, current, wanted.value):
        return Decision.ALREADY, ""
    if session.state != "LOGGED_IN":
        return Decision.NOT_NOW, (
            f"the session is {session.state or 'in no state that is known'}, and the kernel takes a new value from one that is "
            "logged in alone (EBUSY); apply again when it is back"
        )
    return Decision.CHANGE, "in force at once and until the session ends; iscsid cannot change it any more"


def _of_multipathd(current: int, wanted: Wanted, maps: tuple[MapOver, ...], given: Override) -> tuple[Decision, str]:
    seconds = given.seconds
    name = ", ".join(one.name for one in maps)
    if seconds is not None and same(REPLACEMENT, seconds, wanted.value):
        if same(REPLACEMENT, current, wanted.value):
            return Decision.ALREADY, f"multipathd gives it ({given.place})"
        return (
            Decision.MULTIPATH,
            f"multipathd gives it {seconds} s ({given.place}) at its next look at {name}: multipathd reconfigure",
        )
    how = (
        f"set {FAST_IO_FAIL} {wanted.value} in multipath.conf, then multipathd reconfigure"
        if wanted.value > 0
        else f"{FAST_IO_FAIL} has no such value for iSCSI: let multipath wait instead (no_path_retry in multipath.conf)"
    )
    return Decision.MULTIPATH, f"a path of {name}: multipathd gives it {seconds} s ({given.place}) and would do so again; {how}"
