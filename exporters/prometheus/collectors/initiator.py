"""This host's own iSCSI initiator: its sessions, how they are, and the disks that came through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.accumulated import Accumulated, Reading
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.model.io import ScsiCounters
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.block import BlockDevice
    from sctune.model.initiator import IscsiSession

_SESSION_FOLDER = "/sys/class/iscsi_session"
_CONNECTION_FOLDER = "/sys/class/iscsi_connection"
_SCSI = "/sys/block/sdX/device"
_SESSION = ("target", "portal", "interface")
_DISK = (*_SESSION, "lun")
STATES = ("logged_in", "failed", "free", "unknown")
_WORST_FIRST = ("failed", "free", "unknown", "logged_in")

SESSIONS = Metric(
    name="sctune_initiator_sessions", about="Sessions in each state.", source=f"{_SESSION_FOLDER}/*/state", labels=("state",)
)
STATE = Metric(
    name="sctune_initiator_session_state",
    about="The session's state (1): failed, its target does not answer and I/O waits; free, it waited for as long as it was told "
    "to and I/O fails. Of several sessions with the same labels, the worst.",
    source=f"{_SESSION_FOLDER}/*/state",
    labels=(*_SESSION, "state"),
    detail=True,
)
INFO = Metric(
    name="sctune_initiator_session_info",
    about="Always 1; the session's name in sysfs, which a new login changes, and by which name this host logged in.",
    source=_SESSION_FOLDER,
    labels=(*_SESSION, "session", "initiator"),
    detail=True,
)


def _timeout(name: str, about: str, source: str) -> Metric:
    return Metric(name=name, about=about, source=source, labels=_SESSION, detail=True)


RECOVERY = _timeout(
    "sctune_initiator_session_recovery_timeout_seconds",
    "For how long I/O waits for a session that has failed (replacement_timeout); absent where that is for ever.",
    f"{_SESSION_FOLDER}/*/recovery_tmo",
)
ABORT = _timeout(
    "sctune_initiator_session_abort_timeout_seconds", "For how long an abort is waited for.", f"{_SESSION_FOLDER}/*/abort_tmo"
)
LUN_RESET = _timeout(
    "sctune_initiator_session_lun_reset_timeout_seconds",
    "For how long a LUN's reset is waited for.",
    f"{_SESSION_FOLDER}/*/lu_reset_tmo",
)
RECEIVE = _timeout(
    "sctune_initiator_connection_receive_timeout_seconds",
    "After how long without a word from the target it is pinged (noop_out_interval); 0: never.",
    f"{_CONNECTION_FOLDER}/*/recv_tmo",
)
PING = _timeout(
    "sctune_initiator_connection_ping_timeout_seconds",
    "For how long the answer to a ping is waited for (noop_out_timeout); 0: none is waited for.",
    f"{_CONNECTION_FOLDER}/*/ping_tmo",
)
DEVICE_INFO = Metric(
    name="sctune_initiator_device_info",
    about="Always 1; the name that the kernel gave to the disk, which a new login changes.",
    source="/sys/block",
    labels=(*_DISK, "device"),
    detail=True,
)


def _counter(name: str, about: str, attribute: str) -> Metric:
    return Metric(
        name=name,
        about=f"{about} Added up since the exporter began to look, over new logins and the edge of the kernel's 32 bits. In a "
        "single answer (sctune metrics): as the kernel has it.",
        source=f"{_SCSI}/{attribute}",
        labels=_DISK,
        kind=Kind.COUNTER,
        detail=True,
    )


REQUESTS = _counter("sctune_initiator_device_requests_total", "Commands sent to the disk.", "iorequest_cnt")
COMPLETED = _counter("sctune_initiator_device_completed_total", "Commands that have come back.", "iodone_cnt")
ERRORS = _counter(
    "sctune_initiator_device_errors_total",
    "Commands that came back with an error; that the disk was reset is one of them.",
    "ioerr_cnt",
)
TIMEOUTS = _counter(
    "sctune_initiator_device_timeouts_total",
    "Commands given up because their time was over; absent where the kernel does not count them.",
    "iotmo_cnt",
)
COUNTERS = (REQUESTS, COMPLETED, ERRORS, TIMEOUTS)
METRICS = (SESSIONS, STATE, INFO, RECOVERY, ABORT, LUN_RESET, RECEIVE, PING, DEVICE_INFO, *COUNTERS)

_COUNTS = 2**32


class DiskTotals(Accumulated):
    """What was counted for each disk of a session, by target, portal, interface and LUN."""


def collect(look: Look, samples: Samples) -> None:
    """Fills in the sessions of one look; none where the kernel has no iSCSI initiator."""
    sessions = look.inventory.sessions
    if isinstance(sessions, Unavailable):
        if sessions.reason is Reason.ABSENT:
            samples.counts(SESSIONS, STATES, ())
            return
        raise CannotCollect(str(sessions))
    samples.used("sysfs")
    samples.counts(SESSIONS, STATES, map(state_word, sessions))
    if not samples.detail:
        return
    kept = sessions[: look.options.limit_of("initiator")]
    if len(kept) < len(sessions):
        samples.skip("limit", len(sessions) - len(kept))
    worst = _worst(sessions)
    for session in kept:
        _describe(session, worst[labels_of(session)], samples)
    _count(look, sessions, kept, samples)


def state_word(session: IscsiSession) -> str:
    """The session's state as its metric has it."""
    word = session.state.lower()
    return word if word in STATES else "unknown"


def labels_of(session: IscsiSession) -> tuple[str, str, str]:
    """What a session is called for as long as its settings are the same."""
    return session.target, session.portal, session.interface


def _worst(sessions: Iterable[IscsiSession]) -> dict[tuple[str, str, str], str]:
    """The worst state by the labels of sessions: with node.session.nr_sessions above 1, several are one series."""
    found: dict[tuple[str, str, str], str] = {}
    for session in sessions:
        at = labels_of(session)
        found[at] = min(state_word(session), found.get(at, _WORST_FIRST[-1]), key=_WORST_FIRST.index)
    return found


def _describe(session: IscsiSession, state: str, samples: Samples) -> None:
    at = labels_of(session)
    samples.states(STATE, STATES, state, *at)
    samples.add(INFO, 1.0, *at, f"session{session.number}", session.initiator)
    connection = session.connections[0] if session.connections else None
    for metric, seconds in (
        (RECOVERY, session.recovery_timeout),
        (ABORT, session.abort_timeout),
        (LUN_RESET, session.lu_reset_timeout),
        (RECEIVE, connection.noop_interval if connection else None),
        (PING, connection.noop_timeout if connection else None),
    ):
        if seconds is not None and seconds >= 0:
            samples.add(metric, float(seconds), *at)


def _count(look: Look, sessions: Iterable[IscsiSession], kept: Iterable[IscsiSession], samples: Samples) -> None:
    """Adds up the counters of all disks, and tells of those of the sessions that are kept. Raises CannotCollect for a disk whose
    counters could not be read, when all others are told of."""
    counted, devices = look.inventory.scsi_io, look.inventory.devices
    for part in (counted, devices):
        if isinstance(part, Unavailable):
            raise CannotCollect(str(part))
    if isinstance(counted, Unavailable) or isinstance(devices, Unavailable):
        return
    by_number = {session.number: session for session in sessions}
    disks = {device.name: device for device in devices if device.session in by_number}
    owners = {name: (*labels_of(by_number[device.session or 0]), _lun(device)) for name, device in disks.items()}
    totals = look.memory.of(DiskTotals)
    found = {one.name: one for one in counted if isinstance(one, ScsiCounters)}
    unread = [_source(device) for name, device in disks.items() if name not in found]
    totals.add(_readings(found.values(), disks, owners), (_COUNTS,) * len(COUNTERS), past=look.options.once, unread=unread)
    totals.keep(set(owners.values()), len(COUNTERS))
    wanted = {session.number for session in kept}
    for name, device in disks.items():
        if device.session not in wanted:
            continue
        samples.add(DEVICE_INFO, 1.0, *owners[name], name)
        if name not in found:
            samples.skip("parse")
            continue
        for metric, value in zip(COUNTERS, totals.total(owners[name]) or (), strict=False):
            if metric is not TIMEOUTS or found[name].timeouts is not None:
                samples.add(metric, float(value), *owners[name])
    failed = [one for one in counted if isinstance(one, Unavailable)]
    if failed:
        raise CannotCollect(str(failed[0]))


def _source(device: BlockDevice) -> Hashable:
    """What tells one disk's counters from another's: a name is used again after a new login."""
    return device.name, device.session


def _readings(
    counted: Iterable[ScsiCounters], disks: Mapping[str, BlockDevice], owners: Mapping[str, tuple[str, ...]]
) -> Iterator[Reading]:
    for one in counted:
        if one.name in disks:
            # Newer kernels count in 64 bits and print them: then nothing wraps, and the lower half of what was added is the same.
            values = tuple(value % _COUNTS for value in (one.sent, one.completed, one.errors, one.timeouts or 0))
            yield Reading(source=_source(disks[one.name]), owner=owners[one.name], values=values)


def _lun(device: BlockDevice) -> str:
    return "" if device.target_lun is None else str(device.target_lun)


COLLECTOR = Collector(
    name="initiator", about="iSCSI sessions of this host's initiator, and their disks.", metrics=METRICS, collect=collect
)
