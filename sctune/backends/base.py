"""What a backend can say. Names are parsed here; nothing here looks at a host."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from sctune.records import dataclass


class FileRole(StrEnum):
    """What a file in the volume store is for."""

    VOLUME = "volume"
    SNAPSHOT = "snapshot"  # a finished or growing copy
    COW_STORE = "cow_store"  # holds a COW snapshot's exceptions while a copy runs
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A file name, read: its role, and the volume's or snapshot's id ("" for other)."""

    role: FileRole
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LvName:
    """A VG/LV name, read. `volume` is "" where the name does not carry an id (Eucalyptus before 3.3: random names).
    `snapshot` is the snapshot's id, or "" where it is none or its name carries no id. `ours`: the backend made it. `system` is what
    another system is called that names its LVs so, and of which nothing more is known."""

    ours: bool
    volume: str = ""
    snapshot: str = ""
    is_snapshot: bool = False
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSizes:
    """How long a system's files are, in bytes. A volume's and a finished snapshot's size is a multiple of `unit`. A volume's file
    has `volume_extra` more than the volume; None where volumes are no files. A COW store's file is half the volume."""

    unit: int
    volume_extra: int | None

    def fits_volume(self, length: int) -> bool:
        """Whether the file of a volume can have that length; True where nothing is known of it."""
        if self.volume_extra is None:
            return True
        size = length - self.volume_extra
        return size > 0 and size % self.unit == 0

    def fits_snapshot(self, length: int) -> bool:
        """Whether the file of a finished snapshot can have that length."""
        return length > 0 and length % self.unit == 0

    def fits_cow_store(self, length: int, volume: int | None) -> bool:
        """Whether the file of a COW store can have that length; `volume` is the size of the volume, None where it is not known."""
        return length > 0 and (2 * length % self.unit == 0 if volume is None else 2 * length == volume)


class Backend(Protocol):
    """How one system builds its volumes."""

    @property
    def name(self) -> str:
        """eucalyptus-overlay, eucalyptus-das, cinder-lvm, generic."""
        ...

    @property
    def era(self) -> str:
        """The versions this rule set is for, e.g. "3.3+"; "" where it makes no difference."""
        ...

    @property
    def loop_policy_limit(self) -> int | None:
        """The most loop devices the system itself will use, whatever the kernel allows."""
        ...

    @property
    def loops_at_rest(self) -> bool:
        """Whether a volume that is neither exported nor being copied normally keeps its loop device."""
        ...

    @property
    def shared_group(self) -> bool:
        """Whether its volumes are LVs of one VG, active exported or not: what lies under the VG is no single volume's."""
        ...

    @property
    def always_attached(self) -> bool:
        """Whether each of its volumes has a loop device from its making to its deletion, so that one without is out of order."""
        ...

    @property
    def persists_targets(self) -> bool:
        """Whether its targets survive a restart of the target daemon by themselves."""
        ...

    @property
    def file_sizes(self) -> FileSizes | None:
        """How long its files are; None where any length is normal."""
        ...

    @property
    def snapshots_pass(self) -> bool:
        """Whether a COW snapshot normally exists only while it is being copied to a file."""
        ...

    @property
    def copies_at_once(self) -> int | None:
        """How many copies (dd, gunzip, tar) the system runs at a time, unless it was told otherwise; None: any number."""
        ...

    @property
    def demands_chap(self) -> bool:
        """Whether it binds a CHAP account to every target that anybody may log in to."""
        ...

    def file_name(self, name: str) -> FileName:
        """Reads the name of a file in the volume store."""
        ...

    def lv_name(self, vg: str, lv: str, tags: tuple[str, ...]) -> LvName:
        """Reads the name of an LV."""
        ...

    def is_target(self, iqn: str) -> bool:
        """Whether it named this target."""
        ...

    def target_volume(self, iqn: str) -> str:
        """The volume that it named this target for; "" where the name does not tell."""
        ...
