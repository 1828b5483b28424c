"""Linux software RAID: /sys/block/mdN/md (Linux Documentation/admin-guide/md.rst)."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MdMember:
    """A device of an array, by its name in /sys/block (or a partition's), and the kernel's words for its state (in_sync, faulty,
    spare …)."""

    device: str
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MdArray:
    """One array. `state` is array_state (clean, active, inactive, broken …). `degraded` is how many of its `disks` it lacks, None
    for a level without redundancy. `action` is sync_action (idle, recover, resync, check …), None where there is none; `progress`
    0..1 of it. `external` arrays are containers of a controller's metadata, never started themselves."""

    name: str
    level: str
    state: str
    disks: int | None
    degraded: int | None
    action: str | None
    progress: float | None
    external: bool
    members: tuple[MdMember, ...]
