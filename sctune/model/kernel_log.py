"""What the kernel's log says of storage. Times in seconds on the kernel's clock since boot, which stands still in suspend."""

from __future__ import annotations

from enum import StrEnum

from sctune.records import dataclass


class FaultKind(StrEnum):
    """What kind of thing the kernel said."""

    SNAPSHOT_LOST = "snapshot invalidated"
    LOOP_WRITE = "loop write error"
    IO_ERROR = "I/O error"
    MEDIUM = "medium or hardware error"
    LOST_WRITE = "lost page write"
    FILESYSTEM = "file system error"
    SESSION_EXPIRED = "session recovery timed out"
    THIN_POOL = "thin pool in trouble"
    RAID_MEMBER = "RAID member failed"
    OFFLINED = "disk taken offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFault:
    """All lines of one kind about one thing. `device` is the name the kernel gave (sda1, dm-3, loop0), or "MAJOR:MINOR" where it
    gave the number, "" where the line names none; `session` the number of an iSCSI session. `first` and `last` are None where
    the log has no times. `text` is the first of the lines."""

    kind: FaultKind
    device: str
    session: int | None
    count: int
    first: float | None
    last: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLog:
    """`complete` is whether it reaches back to boot; `begins` is its oldest time. `suspended` is whether the machine has slept
    since, so that its times cannot be compared with other clocks. `source` is where it was read. What a device said before its
    name was given to another is not in it."""

    faults: tuple[KernelFault, ...]
    complete: bool
    begins: float | None
    suspended: bool
    source: str
