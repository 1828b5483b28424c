"""What follows from the initiator's settings: open-iscsi's defaults, and how a session meets an outage. Pure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.findings import Subject, SubjectKind
from sctune.model.dm import MultipathStatus
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.check import Look
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice
    from sctune.model.initiator import InitiatorConfiguration, InitiatorTimeouts, IscsiSession, NodeRecord

REPLACEMENT = "node.session.timeo.replacement_timeout"
INTERVAL = "node.conn[0].timeo.noop_out_interval"
TIMEOUT = "node.conn[0].timeo.noop_out_timeout"
SETTINGS = (REPLACEMENT, INTERVAL, TIMEOUT)

DEFAULT_REPLACEMENT = 120
DEFAULT_NOOP = 5
"""Compiled into open-iscsi (usr/iscsi_settings.h: DEF_REPLACEMENT_TIMEO, DEF_NOOP_OUT_INTERVAL, DEF_NOOP_OUT_TIMEO).
The README's 10 and 15 for the NOP-Outs are from older versions."""

_MOST_COMMANDS = 8
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What decides how long an outage is survived, in seconds. `replacement` below 0: I/O waits for ever. NOP-Outs are sent
    when `noop_interval` is not 0."""

    replacement: int
    noop_interval: int
    noop_timeout: int

    def setting(self, name: str) -> int:
        """The value of one of SETTINGS. All negative replacement timeouts are one: for ever."""
        if name == REPLACEMENT:
            return max(self.replacement, -1)
        return self.noop_interval if name == INTERVAL else self.noop_timeout

    @property
    def survived(self) -> float:
        """How long the network may be away before I/O fails: until a NOP-Out is sent, until it counts as lost, and then the
        replacement timeout. Infinite where I/O waits for ever. Without NOP-Outs the loss is noticed later still (TCP, the SCSI
        command timer): then this is a lower bound. A portal that refuses or resets connections is noticed at once, so that
        only the replacement timeout is left."""
        if self.replacement < 0:
            return float("inf")
        return float(self.noop_interval + self.noop_timeout + self.replacement)


def half_off(interval: int, timeout: int) -> bool:
    """Exactly one of the pair is 0."""
    return (interval == 0) != (timeout == 0)


def effective(timeouts: InitiatorTimeouts) -> Outage:
    """What iscsid makes of settings: defaults where they are silent, and 5 s for the half of a NOP-Out pair that is 0
    (usr/initiator.c)."""
    interval = DEFAULT_NOOP if timeouts.noop_interval is None else timeouts.noop_interval
    timeout = DEFAULT_NOOP if timeouts.noop_timeout is None else timeouts.noop_timeout
    if half_off(interval, timeout):
        interval, timeout = interval or DEFAULT_NOOP, timeout or DEFAULT_NOOP
    replacement = DEFAULT_REPLACEMENT if timeouts.replacement_timeout is None else timeouts.replacement_timeout
    return Outage(replacement=replacement, noop_interval=interval, noop_timeout=timeout)


def live(session: IscsiSession) -> Outage | None:
    """What a session runs with. None where there is nothing to judge: an adapter that sends its own NOP-Outs shows no settings, and
    a session without a connection is on its way out."""
    if session.recovery_timeout is None or not session.connections:
        return None
    connection = session.connections[0]
    if connection.noop_interval is None or connection.noop_timeout is None:
        return None
    return Outage(
        replacement=session.recovery_timeout, noop_interval=connection.noop_interval, noop_timeout=connection.noop_timeout
    )


def records_of(session: IscsiSession, records: tuple[NodeRecord, ...]) -> tuple[NodeRecord, ...]:
    """The node records a session may have come from: same target, portal and interface."""
    return tuple(
        record
        for record in records
        if record.target == session.target
        and record.portal == session.portal
        and (not session.interface or record.interface == session.interface)
    )


def session_subject(session: IscsiSession) -> Subject:
    """A session by IQN, portal and initiator."""
    return Subject(kind=SubjectKind.SESSION, id=session.identity)


def words(seconds: int) -> str:
    """A timeout in words."""
    return "for ever" if seconds < 0 else f"{seconds} s"


def initiator_parts(
    look: Look,
) -> tuple[tuple[IscsiSession, ...] | Unavailable, tuple[NodeRecord, ...] | Unavailable, InitiatorConfiguration | Unavailable]:
    """Sessions, records and iscsid.conf; what is absent of the first two is empty. All refused: the look cannot be made."""
    inventory = look.inventory
    sessions, records = inventory.sessions, inventory.node_records
    sessions = () if isinstance(sessions, Unavailable) and sessions.reason is Reason.ABSENT else sessions
    records = () if isinstance(records, Unavailable) and records.reason is Reason.ABSENT else records
    if not sessions and isinstance(records, Unavailable):
        # Without a session, only the records can say whether this host is an initiator.
        need(records)
    return sessions, records, inventory.initiator_configuration


def unknown_parts(*parts: object) -> tuple[Unavailable, ...]:
    """The parts that could not be read. Without iscsid.conf, open-iscsi has its defaults: an absent one hides nothing."""
    return tuple(part for part in parts if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT)


def node(item: IscsiSession | NodeRecord) -> str:
    """The iscsiadm call that names a session's or record's node record, quoted."""
    interface = f" -I {quote(item.interface)}" if item.interface not in ("", "default") else ""
    return f"iscsiadm -m node -T {quote(item.target)} -p {quote(item.portal)}{interface}"


def update_commands(records: Sequence[NodeRecord], name: str, value: int) -> tuple[str, ...]:
    """One command a record; a pattern where there are too many to print."""
    if len(records) > _MOST_COMMANDS:
        paths = ", ".join(sorted({record.path.rsplit("/", 1)[0].split("/nodes/")[0] + "/nodes" for record in records}))
        return (f"iscsiadm -m node -o update -n {quote(name)} -v {value}  # every record in {paths}",)
    return tuple(f"{node(record)} -o update -n {quote(name)} -v {value}" for record in records)


def some(paths: Sequence[str]) -> tuple[str, ...]:
    """The first few of many, and how many more."""
    shown = tuple(paths[:_MOST_SHOWN])
    return (*shown, f"and {len(paths) - len(shown)} more") if len(paths) > len(shown) else shown


def count(number: int, thing: str) -> str:
    """1 thing, 2 things."""
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOver:
    """A multipath map over a disk of a session: its name, WWID and kernel name, and how many paths it has now, of which `active`
    are in use. `queues`: whether the kernel lets I/O wait where no path is left. `active` and `queues` are None where the kernel's
    table was not to be had (an ordinary user)."""

    name: str
    wwid: str
    kernel_name: str
    disk: str
    paths: int
    active: int | None
    queues: bool | None


class Paths:
    """Which disks lie under multipath: a holder in device-mapper whose uuid begins with "mpath-" (multipath-tools,
    libmultipath/devmapper.h UUID_PREFIX)."""

    def __init__(self, block: tuple[BlockDevice, ...] | Unavailable, dm: tuple[DmDevice, ...] | Unavailable) -> None:
        self.block = block
        self.dm = dm
        self._disks = {} if isinstance(block, Unavailable) else {device.name: device for device in block}
        self._maps = {} if isinstance(dm, Unavailable) else {device.kernel_name: device for device in dm}

    @property
    def any(self) -> bool:
        """Whether this host has a multipath map at all."""
        return any(device.uuid.startswith("mpath-") for device in self._maps.values())

    def multipath(self, session: IscsiSession) -> tuple[MapOver, ...] | Unavailable:
        """The multipath maps over a session's disks, () where there is none; Unavailable where that cannot be told."""
        if isinstance(self.block, Unavailable):
            return self.block
        maps: dict[str, MapOver] = {}
        for disk in session.disks:
            device = self._disks.get(disk)
            for holder in () if device is None else device.holders:
                if not holder.startswith("dm-"):
                    continue
                map_ = self._maps.get(holder)
                if map_ is not None and map_.uuid.startswith("mpath-"):
                    maps.setdefault(map_.name, self._map(map_, disk))
                elif map_ is None and isinstance(self.dm, Unavailable) and self.dm.reason is not Reason.ABSENT:
                    return self.dm
        return tuple(maps.values())

    def _map(self, device: DmDevice, disk: str) -> MapOver:
        targets = () if isinstance(device.targets, Unavailable) else device.targets
        told = [target.status for target in targets if isinstance(target.status, MultipathStatus)]
        every = [path for status in told for path in status.paths]
        below = self._disks.get(device.kernel_name)
        return MapOver(
            name=device.name,
            wwid=device.uuid.removeprefix("mpath-"),
            kernel_name=device.kernel_name,
            disk=disk,
            paths=len(every) if told else len(below.slaves) if below is not None else 1,
            active=sum(path.active for path in every) if told else None,
            queues=any(status.queues for status in told) if told else None,
        )
