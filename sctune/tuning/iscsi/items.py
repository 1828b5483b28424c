"""What a plan says of one setting in one place."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.findings import Risk
from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.tuning.operations import Operation


class Place(StrEnum):
    """Where a setting stands."""

    FILE = "file"  # iscsid.conf: records made from now on
    RECORD = "record"  # a node record: the next login
    SESSION = "session"  # what runs now


class Decision(StrEnum):
    """What is done about it."""

    CHANGE = "change"
    ALREADY = "already so"
    NOT_NOW = "not now"  # the session's state does not allow it
    NEXT_LOGIN = "at the next login"  # no live session can be given it
    MULTIPATH = "multipathd's"  # multipathd sets it: multipath.conf is the place
    ABSENT = "not present"
    READ_ONLY = "read-only"  # the file system of that place takes no writes
    UNKNOWN = "unknown"  # could not be looked at; nothing is changed


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiItem:
    """One setting in one place. `where` names the place by what lasts (a record: IQN, portal, interface; a session: IQN, portal,
    initiator; a file: its path), `path` is the file that shows it. `current` is what counts there, None where that is not known
    or not shown; `wanted` is in the same unit. `operation` is what changes it alone; iscsid.conf is changed as a whole, by an
    operation of the plan."""

    place: Place
    where: str
    path: str
    key: str
    current: int | None
    wanted: int
    decision: Decision
    why: str
    risk: Risk = Risk.SAFE
    operation: Operation | None = None
