"""Device-mapper devices: sysfs for what everybody may see, DM_TABLE_STATUS for the state of each target.

Sources: Documentation/ABI/testing/sysfs-block-dm, Documentation/admin-guide/device-mapper/{snapshot,thin-provisioning}.rst.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable


class SnapshotState(StrEnum):
    """The states a COW snapshot's status line can name."""

    ACTIVE = "active"
    INVALID = "invalid"
    OVERFLOW = "overflow"
    MERGE_FAILED = "merge_failed"


class PoolMode(StrEnum):
    """The modes of a thin pool."""

    RW = "rw"
    RO = "ro"
    OUT_OF_DATA_SPACE = "out_of_data_space"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotStatus:
    """Status of a `snapshot` or `snapshot-merge` target, in bytes. `used` includes `metadata`; all three are None unless active."""

    state: SnapshotState
    used: int | None
    total: int | None
    metadata: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinPoolStatus:
    """Status of a `thin-pool` target: blocks used and in all, of data and of metadata (4 KiB blocks); None when failed."""

    mode: PoolMode
    data_used: int | None
    data_total: int | None
    metadata_used: int | None
    metadata_total: int | None
    needs_check: bool
    queue_if_no_space: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinStatus:
    """Status of a `thin` target: bytes mapped, or failed."""

    mapped: int | None
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathPath:
    """One path of a multipath map: its (major, minor), whether the kernel uses it (`A`) or has given it up (`F`), and how often
    it did."""

    device: tuple[int, int]
    active: bool
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathStatus:
    """Status of a `multipath` target: the paths of all its groups in order, and whether I/O waits where none is left
    (queue_if_no_path) or fails."""

    paths: tuple[MultipathPath, ...]
    queues: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DmTarget:
    """One line of a device's table: `start` and `length` in bytes, `kind` the target type (linear, snapshot …).
    `status` is None for kinds that report none. `underlying` are the (major, minor) of the devices the table names."""

    start: int
    length: int
    kind: str
    status: SnapshotStatus | ThinPoolStatus | ThinStatus | MultipathStatus | None
    underlying: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DmDevice:
    """One device-mapper device. `kernel_name` is dm-N. `uuid` is "LVM-" + VG uuid + LV uuid (+ "-cow", "-real" …) for LVM.
    `suspended` is sysfs' word. `targets` needs root. `activated` is when udev first saw it, on the boot clock in seconds
    (USEC_INITIALIZED of udev's database; with an old udev the time of its link), None where udev does not say."""

    name: str
    kernel_name: str
    uuid: str
    device: tuple[int, int]
    size: int
    suspended: bool
    targets: tuple[DmTarget, ...] | Unavailable
    activated: float | None = None
