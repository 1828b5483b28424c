"""The processes that matter to a storage host."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.host.base import Process
    from sctune.unavailable import Unavailable


class CopyTool(StrEnum):
    """The tools a cloud copies volumes and snapshots with."""

    DD = "dd"
    GUNZIP = "gunzip"
    TAR = "tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A running copy: what it reads and writes (normalised paths, "" where its arguments do not say)."""

    process: Process
    tool: CopyTool
    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """tgtd, iscsid and tuned daemons (main processes, no threads), cloud components, copies, tgtadm calls in flight, and the QEMU
    processes of guests. `databases` are the PostgreSQL servers of a Cloud Controller. `tuners` are daemons beside tuned that
    change the kernel's settings by themselves. `contained`: the table is that of a container with a process namespace of its own,
    in which the host's daemons are not seen; that one is not there proves nothing then."""

    tgtd: tuple[Process, ...]
    iscsid: tuple[Process, ...]
    tuned: tuple[Process, ...]
    eucalyptus: tuple[Process, ...]
    copies: tuple[Copy, ...]
    tgtadm: tuple[Process, ...]
    lvm: tuple[Process, ...]
    tuners: tuple[Process, ...] = ()
    guests: tuple[Process, ...] = ()
    databases: tuple[Process, ...] = ()
    contained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestDisks:
    """What a guest's QEMU has of the host's devices. `named` are the paths below /dev in its arguments, `disks` the names of the
    devices they lead to (sdb, dm-3). `opened` are names of what it has open below /dev: that alone knows disks which were
    attached while it ran."""

    process: Process
    named: tuple[str, ...]
    disks: tuple[str, ...]
    opened: tuple[str, ...] | Unavailable
