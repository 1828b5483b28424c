"""A volume as a list of volumes shows it: one row of `sctune volumes`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.findings import Subject
    from sctune.unavailable import Unavailable


class VolumeState(StrEnum):
    """How a volume is, in one word. Where several are true the one that comes first here is said."""

    BROKEN = "broken"  # a link of its chain is missing or does not work: a guest's reads and writes fail, hang or go astray
    ORPHANED = "orphaned"  # its data is gone or going (no backing file, no LV), and something of it was left behind
    LEAKED = "leaked"  # attached for nobody: neither exported nor being copied, and its system keeps nothing attached at rest
    DEGRADED = "degraded"  # it works, and something about it will not for long, or makes it slow
    UNKNOWN = "unknown"  # a part of its chain could not be looked at, and nothing seen says that it is worse
    COPYING = "copying"  # a copy reads or writes it, or grows from it
    ATTACHED = "attached"  # an initiator is logged in to its target, or a guest of this host has it
    READY = "ready"  # exported and waiting, or at rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One I_T nexus of a target that serves the volume: the initiator's name and the addresses it came from."""

    initiator: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAs:
    """One LUN that serves the volume. `tid` and `control_port` are tgt's, None for LIO, which has neither."""

    target: str
    tid: int | None
    lun: int
    control_port: int | None
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskHere:
    """The volume as a disk of this host: its name in /sys/block, and the session it came through."""

    name: str
    target: str
    lun: int | None
    portal: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRow:
    """One volume of a host.

    `size` is what the volume holds in the words of its system (the LV, or its file without what LVM takes of it), `file_size` its
    backing file's length, `allocated` what is written of that file; bytes, None where there is none or it could not be read.
    `why` are the codes of the findings that make the state what it is, `unseen` what of it could not be looked at.
    `snapshots` are the COW snapshots of its LV, `copies` how many running copies read or write it. `disks` are what this host's own
    initiator made of it, `multipath` the map over them ("" for none), `guests` who has it here, as GUEST/DISK.
    """

    subject: Subject
    backend: str
    ours: bool
    state: VolumeState
    why: tuple[str, ...]
    unseen: tuple[Unavailable, ...]
    size: int | None
    file: str
    file_size: int | None
    allocated: int | None
    loops: tuple[str, ...]
    vg: str
    lv: str
    exports: tuple[ServedAs, ...]
    snapshots: tuple[str, ...]
    copies: int
    disks: tuple[DiskHere, ...] = ()
    multipath: str = ""
    guests: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The volume's name."""
        return self.subject.id

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The I_T nexuses of all its LUNs."""
        return tuple(nexus for export in self.exports for nexus in export.attachments)
