"""What the logs of a cloud's services say of storage. Times in seconds since the epoch."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable


class LogClass(StrEnum):
    """What kind of thing was said."""

    LOOP = "loop device"
    LVM = "LVM"
    SPACE = "no space left"
    FILE = "backing file"
    TARGET = "target"
    QUOTA = "quota exceeded"
    SERVICE = "service disabled"
    CREATE = "volume not created"
    SNAPSHOT = "snapshot not created"
    TRANSFER = "transfer"
    COMMAND = "command failed"
    NODE_ATTACH = "attachment on a node"
    UPLOAD_FAILED = "upload failed"
    UPLOADING = "upload begun"
    UPLOADED = "uploaded"
    DOWNLOADED = "downloaded"
    FINISHED = "snapshot finished"
    REQUESTED = "snapshot requested"
    DELETE_REQUESTED = "deletion requested"
    DELETE_BLOCKED = "deletion blocked"
    DELETE_GIVEN_UP = "deletion given up"
    CLEANING = "volume being detached"
    DETACH_BLOCKED = "loop device kept for a snapshot"
    NODE_DETACH_FAILED = "detachment failed on a node"
    NODE_DETACHED = "detached on a node"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One message that was logged `count` times in `file` from `first` to `last`. `id` is the volume or snapshot it is about,
    "" where it names none; `instance` the guest of a node's. `continued`: a line of a longer message or stack trace, which
    mostly repeats another. `text` has no secrets in it."""

    kind: LogClass
    id: str
    first: float
    last: float
    count: int
    file: str
    text: str
    instance: str = ""
    continued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReach:
    """How far back a log was looked at: to `begins`, None where its times are not understood; `whole`: nothing was ever rolled
    away before that. Local times were taken to be in `zone`."""

    file: str
    begins: float | None
    whole: bool
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLog:
    """What was logged since `since`, newest first; `reach` of each log that was read, `unread` of each that could not be."""

    events: tuple[LogEvent, ...]
    since: float
    reach: tuple[LogReach, ...]
    unread: tuple[Unavailable, ...] = ()

    @property
    def begins(self) -> float | None:
        """From when on all logs are known, None where one of them is not at all."""
        if any(one.begins is None and not one.whole for one in self.reach):
            return None
        return max((self.since if one.whole else one.begins or 0.0 for one in self.reach), default=self.since)

    @property
    def zone(self) -> str:
        """The zone of their times."""
        return next((one.zone for one in self.reach), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFault:
    """A fault that a component ("cloud", "sc", "nc") logged: its number ("2000") and what it said."""

    component: str
    number: str
    message: str
    first: float
    last: float
    count: int
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFaults:
    """The faults since `since`, and the fault logs that could not be read."""

    faults: tuple[CloudFault, ...]
    since: float
    files: tuple[str, ...]
    zone: str
    unread: tuple[Unavailable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFile:
    """A part of a snapshot on its way to or from object storage. Bytes, seconds since the epoch."""

    path: str
    snapshot: str
    size: int
    mtime: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """The parts of snapshots in the cloud's folder for them and in those that systemd keeps apart (PrivateTmp)."""

    files: tuple[SpoolFile, ...]
    folders: tuple[str, ...]
    unread: tuple[Unavailable, ...] = ()
