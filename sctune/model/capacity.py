"""What fits on a host. Sizes in bytes, times in seconds since the epoch, ratios 0..1.

A volume's *logical* size is what its user asked for (N GiB); the *length* of its file may be more; what is *allocated* is what was
written so far.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.quota import Limit
    from sctune.unavailable import Unavailable


class Role(StrEnum):
    """What space is used for."""

    VOLUMES = "volumes"
    SNAPSHOTS = "snapshots"
    COW_STORES = "cow_stores"
    OTHER_FILES = "other_files"  # in the folders of the store, and nobody's volume
    ELSEWHERE = "elsewhere"  # on the same file system, outside the folders; the file system's own
    OTHER_LVS = "other_lvs"
    OVERHEAD = "overhead"  # hidden LVs: a thin pool's metadata and their spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of what is used: `length` is what its files or LVs may grow to, `count` how many there are; None where they are not
    counted one by one."""

    role: Role
    count: int | None
    length: int | None
    allocated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSnapshot:
    """What one more snapshot of the largest volume here needs in this place: `copy` for the full copy, and up to `cow` for its COW
    store while the copy runs. `left` is what is free after both (negative: it does not fit)."""

    volume: str
    size: int
    copy: int
    cow: int
    left: int

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.left >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many more volumes of a logical `size` fit, each of which takes `each` when it is full.

    `full`: all volumes written in full, and the place below the threshold at which it is called nearly full. `with_snapshot`: and
    one snapshot of the largest of them at a time; None where snapshots do not lie here.
    """

    size: int
    each: int
    full: int
    with_snapshot: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When a store is full if it goes on growing as it did. `slope` is the median of the slopes between all pairs of points, in
    bytes a second; `slope_low` and `slope_high` are their quartiles. `nearly_full_seconds` and `full_seconds` count from the look,
    None where it does not grow. `until` is the last point's time."""

    points: int
    since: float
    until: float
    slope: float
    slope_low: float
    slope_high: float
    nearly_full_seconds: float | None
    full_seconds: float | None

    @property
    def growing(self) -> bool:
        """Whether more is used as time goes by."""
        return self.slope > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCapacity:
    """One file system that holds volumes or snapshots. `free` is what root may still use, `available` what others may.

    `growth` is what sparse files here may still be filled with; `promised` the length of all volumes' files and `logical` their
    size as users asked for it. `nearly_full` is the ratio of used to usable space from which it is called nearly full.
    """

    name: str
    folders: tuple[str, ...]
    filesystem: str
    mounted_from: str
    total: int
    free: int
    available: int
    nearly_full: float
    shares: tuple[Share, ...]
    promised: int
    logical: int
    growth: int
    snapshot: NextSnapshot | None
    room: Room | None
    forecast: Forecast | Unavailable | None

    @property
    def used(self) -> int:
        """As df(1) says it."""
        return self.total - self.free

    @property
    def usable(self) -> int:
        """What others than root can use in all."""
        return self.used + self.available

    @property
    def takes_snapshots(self) -> bool:
        """Whether a cloud copies its snapshots here."""
        return self.snapshot is not None or (self.room is not None and self.room.with_snapshot is not None)

    @property
    def left_at_worst(self) -> int:
        """What is left for others once every sparse file is full; negative: guests' writes fail before."""
        return self.available - self.growth

    def allocated(self, *roles: Role) -> int:
        """What is written of these kinds."""
        return sum(share.allocated for share in self.shares if share.role in roles)


class GroupKind(StrEnum):
    """Where LVs get their space."""

    VG = "vg"
    THIN_POOL = "thin-pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCapacity:
    """A VG or thin pool that volumes lie in. `used` of `size` bytes are allocated; None where nobody tells how full a pool is.
    `metadata_used` is the ratio of a pool's metadata in use. `promised` is the size of all its LVs. `room` is None for a
    VG whose volumes all lie in thin pools."""

    kind: GroupKind
    name: str
    vg_uuid: str
    size: int
    used: int | None
    extent_size: int
    nearly_full: float | None
    metadata_used: float | None
    shares: tuple[Share, ...]
    promised: int
    snapshot: NextSnapshot | None
    room: Room | None

    @property
    def free(self) -> int | None:
        """What is not allocated yet."""
        return None if self.used is None else self.size - self.used

    @property
    def left_at_worst(self) -> int:
        """What is left once every LV is full; negative: a thin pool fails writes before."""
        return self.size - self.promised


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopCapacity:
    """Loop devices by number. `limit` is None where nothing bounds them. `at_rest` is whether each volume keeps one for ever."""

    attached: int
    limit: int | None
    source: str
    at_rest: bool

    @property
    def left(self) -> int | None:
        """How many more can be attached."""
        return None if self.limit is None else max(0, self.limit - self.attached)


class Verdict(StrEnum):
    """A limit in force against the one that can be honoured."""

    LOWER = "lower"  # it promises more than fits
    KEEP = "keep"  # it is honoured
    UNKNOWN = "unknown"  # no limit in force is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line of reasoning: what it is, and its bytes (negative: taken off); `result` is a sum of those before."""

    text: str
    size: int
    result: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeLimit:
    """The largest value of one limit that the host can honour. `limit` is total, volume or snapshots; `key` is the property."""

    limit: str
    key: str
    gib: int
    current: Limit | None
    verdict: Verdict
    steps: tuple[Step, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What the limits in force still allow: `used` of the limit's bytes are used by all volumes of the zone that are here, and
    `volumes` more of the size asked about may be made. `too_large`: not even one, since each may have less."""

    limit: Limit
    used: int
    volumes: int
    too_large: Limit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAllowance:
    """The same of all snapshots: `used` is what those on this host have, and the cloud counts those of all zones. `snapshots` more
    of the largest volume here (`size`) may be made at most."""

    limit: Limit
    used: int
    size: int
    snapshots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeLimits:
    """The limits of a cloud's backend, with what was assumed: `snapshots_per_volume` full copies are kept of each volume.
    `partition` is None where nothing tells it."""

    backend: str
    version: str
    partition: str | None
    snapshots_per_volume: float
    total: SafeLimit
    volume: SafeLimit
    snapshots: SafeLimit

    @property
    def all(self) -> tuple[SafeLimit, ...]:
        """All three."""
        return (self.total, self.volume, self.snapshots)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountQuota:
    """Quotas of one account (user, or account of the cloud) as a policy document. `accounts` is how many share the host; None where
    the numbers were given."""

    accounts: int | None
    volumes: int
    gib: int
    snapshots: int
    document: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """All of it. `unknown` is what applies to the host and could not be had; `notes` are what an operator has to know besides.
    `volume_size` is the size asked about."""

    volume_size: int
    stores: tuple[StoreCapacity, ...]
    groups: tuple[GroupCapacity, ...]
    loops: LoopCapacity | None
    allowance: Allowance | None
    snapshot_allowance: SnapshotAllowance | None
    limits: SafeLimits | None
    quota: AccountQuota | None
    notes: tuple[str, ...]
    unknown: tuple[Unavailable, ...]
