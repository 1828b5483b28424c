"""All places where a setting of open-iscsi stands on a host, as a plan wants them: read once, then only thought about."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sctune.initiator import Paths
from sctune.multipath import override
from sctune.probes.iscsid_conf import CONFIGURATION, parse, timeouts_of
from sctune.records import dataclass
from sctune.tuning.iscsi.conf_edit import current, read
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.initiator import MapOver
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice
    from sctune.model.initiator import InitiatorTimeouts, IscsiSession, NodeRecord
    from sctune.model.multipath import Multipath
    from sctune.multipath import Override
    from sctune.tuning.operations import FileState

T = TypeVar("T")
UNSET = "<empty>"
"""What iscsiadm prints where a record has nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordText:
    """A node record, and the texts of its settings that a plan asks for: (name, value), nothing for those it does not say. Never a
    secret: only names of `settings.SETTINGS` are asked for."""

    record: NodeRecord
    values: tuple[tuple[str, str], ...] | Unavailable

    def value(self, name: str) -> str | None:
        """What it says of one setting."""
        return None if isinstance(self.values, Unavailable) else dict(self.values).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`configuration` is iscsid.conf, None where there is none. `records` and `sessions` are empty where there are none at all.
    `block`, `dm` and `multipath` tell which sessions lead to paths of multipath maps."""

    configuration: FileState | Unavailable | None
    records: tuple[RecordText, ...] | Unavailable
    sessions: tuple[IscsiSession, ...] | Unavailable
    block: tuple[BlockDevice, ...] | Unavailable
    dm: tuple[DmDevice, ...] | Unavailable
    multipath: Multipath | Unavailable
    path: str = CONFIGURATION

    @property
    def timeouts(self) -> InitiatorTimeouts:
        """What iscsid.conf says of an outage; nothing where there is none or it cannot be read."""
        state = self.configuration
        content = b"" if state is None or isinstance(state, Unavailable) else state.content
        return timeouts_of(parse(content.decode("utf-8", "surrogateescape")))

    @property
    def absent(self) -> bool:
        """Whether there is nothing of open-iscsi on this host: no file, no record, no session."""
        return self.configuration is None and self.records == () and self.sessions == ()

    def maps(self, session: IscsiSession) -> tuple[MapOver, ...] | Unavailable:
        """The multipath maps over a session's disks."""
        return Paths(self.block, self.dm).multipath(session)

    def given(self, session: IscsiSession) -> Override | Unavailable | None:
        """The replacement timeout that multipathd gives a session; None where it is under no map."""
        maps = self.maps(session)
        if isinstance(maps, Unavailable):
            return maps
        if not maps:
            return None
        return self.multipath if isinstance(self.multipath, Unavailable) else override(self.multipath, maps[0].disk, maps[0].wwid)


def look(inventory: Inventory, configuration: FileState | Unavailable | None, names: Iterable[str]) -> View:
    """What is there of these settings. `configuration` is iscsid.conf with its bytes, mode and owner, as a change needs it."""
    names = tuple(names)
    records = _present(inventory.node_records)
    return View(
        configuration=configuration,
        records=records
        if isinstance(records, Unavailable)
        else tuple(record_text(record, inventory.host.read(record.path), names) for record in records),
        sessions=_present(inventory.sessions),
        block=inventory.block,
        dm=inventory.dm,
        multipath=inventory.multipath,
    )


def _present(part: tuple[T, ...] | Unavailable) -> tuple[T, ...] | Unavailable:
    return () if isinstance(part, Unavailable) and part.reason is Reason.ABSENT else part


def record_text(record: NodeRecord, text: str | Unavailable, names: Iterable[str]) -> RecordText:
    """What a record's file says of these settings."""
    if isinstance(text, Unavailable):
        return RecordText(record=record, values=text)
    lines = read(text.encode("utf-8", "surrogateescape"))
    values = tuple((name, value) for name in names if (value := current(lines, name)) is not None and value != UNSET)
    return RecordText(record=record, values=values)
