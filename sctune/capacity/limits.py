"""The largest limits of a cloud that its disks can honour, with the reasoning line by line. Pure.

Eucalyptus compares its limits with the sum of logical sizes and never with a disk (StorageInfo.java), so that somebody has to.
Worst case throughout: every volume full; every volume as small as one can be, 1 GiB, since each file is 4 MiB longer than its
volume; one snapshot being made, of the largest volume that is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.eucalyptus import LVM_HEADER_LENGTH
from sctune.model.capacity import GroupKind, Role, SafeLimit, SafeLimits, Step, Verdict
from sctune.model.units import GIB
from sctune.quota import SNAPSHOTS, TOTAL, VOLUME, WALRUS_SNAPSHOTS, tools_of, version_numbers
from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.model.capacity import GroupCapacity, StoreCapacity
    from sctune.quota import Limit, Limits

NO_PARTITION = "<PARTITION>"
"""Stands in commands for the name that nothing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the host does not tell: `snapshots` full copies are kept of each volume; the version of the cloud ("": unknown) and its
    partition (None: unknown)."""

    snapshots: float
    version: str
    partition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """Whole GiB, and the lines that lead there."""

    gib: int
    steps: tuple[Step, ...]


def overlay_limits(store: StoreCapacity, in_force: Limits, assumed: Assumptions) -> SafeLimits:
    """Volumes and snapshots are files in one folder."""
    base, room = _store_room(store)
    kept = assumed.snapshots
    # The copy that is being made needs its room however few are kept; where none is ever made, neither it nor a COW store.
    copies = max(kept, 1.0) if kept > 0 else 0.0
    cow = 0.5 if kept > 0 else 0.0
    largest = max(0, int((room - LVM_HEADER_LENGTH) / ((1 + copies + cow) * GIB)))
    words = f", {_gib(copies)} GiB of snapshots a GiB, and half of it for a COW store" if kept > 0 else ""
    volume = _Answer(
        gib=largest,
        steps=(
            *base,
            Step(text=f"one volume of {largest} GiB: its file with 4 MiB more{words}", size=-_volume_needs(largest, copies, cow)),
        ),
    )
    allowed = _allowed(in_force.volume, largest)
    store_of = int(allowed * GIB * cow)
    total = _overlay_total(base, room, store_of, allowed, kept)
    return _limits("eucalyptus-overlay", total, volume, in_force, assumed, allowed)


def _overlay_total(base: list[Step], room: int, store_of: int, allowed: int, kept: float) -> _Answer:
    """All volumes, beside the snapshots kept of them, or beside the one that is being made where that is more."""
    left = room - store_of
    cow = _cow_step(store_of, allowed, room)
    unit = GIB + LVM_HEADER_LENGTH + int(kept * GIB)
    each = f"each GiB of volumes takes 1 GiB, at most 4 MiB more, and {_gib(kept)} GiB of snapshots"
    by_kept = _Answer(gib=max(0, left // unit), steps=(*base, *cow, Step(text=each, size=unit)))
    if not 0 < kept < 1:  # of each volume one is kept at least: that is the one that is being made
        return by_kept
    left -= allowed * GIB
    alone = GIB + LVM_HEADER_LENGTH
    by_copy = _Answer(
        gib=max(0, left // alone),
        steps=(
            *base,
            *cow,
            Step(text=f"the copy of the largest volume, more than the {_gib(kept)} kept of each come to", size=-allowed * GIB),
            Step(text="for volumes", size=left, result=True),
            Step(text="each GiB of volumes takes 1 GiB and at most 4 MiB more", size=alone),
        ),
    )
    return min(by_kept, by_copy, key=lambda answer: answer.gib)


def das_limits(vg: GroupCapacity, store: StoreCapacity | None, in_force: Limits, assumed: Assumptions) -> SafeLimits:
    """Volumes are LVs; a snapshot takes its origin's size in the VG while it is copied, and then a file in the cloud's folder."""
    kept = assumed.snapshots
    copies = max(kept, 1.0) if kept > 0 else 0.0
    others = sum(share.allocated for share in vg.shares if share.role in (Role.OTHER_LVS, Role.OVERHEAD))
    room = vg.size - others
    base = [
        Step(text=f"size of VG {vg.name}", size=vg.size),
        Step(text="LVs that are no volumes", size=-others),
        Step(text="for volumes and a snapshot that is being made", size=room, result=True),
    ]
    beside: list[Step] = []
    files = None
    if kept > 0 and store is not None:
        beside, files = _store_room(store)
    largest = room // (2 * GIB if kept > 0 else GIB)
    if files is not None:
        largest = min(largest, int(files / (copies * GIB)))
    largest = max(0, largest)
    in_vg = "its LV, and as much for the COW snapshot it is copied from" if kept > 0 else "its LV"
    volume_steps = [*base, Step(text=f"one volume of {largest} GiB: {in_vg}", size=-largest * GIB * (2 if kept > 0 else 1))]
    allowed = _allowed(in_force.volume, largest)
    snapshot = allowed * GIB if kept > 0 else 0
    total = max(0, (room - snapshot) // GIB)
    total_steps = [*base]
    if snapshot:
        total_steps.append(Step(text=f"a COW snapshot of the largest volume, {allowed} GiB", size=-snapshot))
        total_steps.append(Step(text="for volumes", size=room - snapshot, result=True))
    if files is not None:
        fit = max(0, int(files / (kept * GIB)))
        volume_steps += [
            *beside,
            Step(text=f"the files of its snapshots, {_gib(copies)} GiB a GiB", size=-int(copies * largest * GIB)),
        ]
        total_steps += [*beside, Step(text=f"the volumes whose snapshots fit there, {_gib(kept)} of each", size=fit * GIB)]
        total = min(total, fit)
    return _limits(
        "eucalyptus-das",
        _Answer(gib=total, steps=tuple(total_steps)),
        _Answer(gib=largest, steps=tuple(volume_steps)),
        in_force,
        assumed,
        allowed,
    )


def _store_room(store: StoreCapacity) -> tuple[list[Step], int]:
    """What a file system leaves for volumes and snapshots."""
    kept_free = store.usable - int(store.nearly_full * store.usable)
    other, elsewhere = store.allocated(Role.OTHER_FILES), store.allocated(Role.ELSEWHERE)
    room = store.usable - kept_free - other - elsewhere
    steps = [
        Step(text=f"{store.name}: what others than root can use", size=store.usable),
        Step(text=f"kept free: STORE_NEARLY_FULL warns from {store.nearly_full:.0%} on", size=-kept_free),
        Step(text="files in the folder that are no volume or snapshot", size=-other),
        Step(text="used elsewhere on the file system", size=-elsewhere),
        Step(text="for volumes and snapshots", size=room, result=True),
    ]
    return steps, room


def _cow_step(size: int, allowed: int, room: int) -> tuple[Step, ...]:
    if not size:
        return ()
    return (
        Step(text=f"the COW store of one snapshot at a time, half of the largest volume ({allowed} GiB)", size=-size),
        Step(text="for volumes and the snapshots kept of them", size=room - size, result=True),
    )


def _volume_needs(gib: int, copies: float, cow: float) -> int:
    return int(gib * GIB * (1 + copies + cow)) + (LVM_HEADER_LENGTH if gib else 0)


def _allowed(current: Limit | None, largest: int) -> int:
    """The largest volume that is made, in GiB: as the limit in force allows, where that can be honoured."""
    return largest if current is None else min(largest, current.size // GIB)


def _limits(  # noqa: PLR0917
    backend: str, total: _Answer, volume: _Answer, in_force: Limits, assumed: Assumptions, allowed: int
) -> SafeLimits:
    """`allowed` is the largest volume that is made, in GiB: where any snapshots are kept, one of it may be."""
    snapshots = int(total.gib * assumed.snapshots)
    largest = min(allowed, total.gib)
    prefix = f"{assumed.partition or NO_PARTITION}.storage."
    old = version_numbers(assumed.version)
    key = WALRUS_SNAPSHOTS if old and old < (4, 0) else SNAPSHOTS
    text = f"{_gib(assumed.snapshots)} kept of each volume, of {total.gib} GiB of volumes"
    if assumed.snapshots > 0 and snapshots < largest:
        snapshots, text = largest, f"one of the largest volume, more than {text}"
    return SafeLimits(
        backend=backend,
        version=assumed.version,
        partition=assumed.partition,
        snapshots_per_volume=assumed.snapshots,
        total=_limit("total", prefix + TOTAL, total, in_force.total, assumed),
        # A single volume larger than all of them together may be is never made.
        volume=_limit("volume", prefix + VOLUME, _capped(volume, total), in_force.volume, assumed),
        snapshots=_limit(
            "snapshots",
            key,
            _Answer(gib=snapshots, steps=(Step(text=text, size=snapshots * GIB),)),
            in_force.snapshots,
            assumed,
        ),
    )


def _capped(volume: _Answer, total: _Answer) -> _Answer:
    return volume if volume.gib <= total.gib else _Answer(gib=total.gib, steps=volume.steps)


def _limit(name: str, key: str, answer: _Answer, current: Limit | None, assumed: Assumptions) -> SafeLimit:
    verdict = Verdict.UNKNOWN
    if current is not None:
        verdict = Verdict.LOWER if current.size > answer.gib * GIB else Verdict.KEEP
    return SafeLimit(
        limit=name,
        key=key,
        gib=answer.gib,
        current=current,
        verdict=verdict,
        steps=answer.steps,
        commands=tuple(tool.setting(key, answer.gib) for tool in tools_of(assumed.version)) if answer.gib > 0 else (),
    )


def volumes_vg(groups: tuple[GroupCapacity, ...]) -> GroupCapacity | None:
    """The VG that volumes are cut from, the largest where there are several."""
    vgs = [group for group in groups if group.kind is GroupKind.VG]
    return max(vgs, key=lambda group: (group.size, group.name), default=None)


def _gib(number: float) -> str:
    return f"{number:g}"
