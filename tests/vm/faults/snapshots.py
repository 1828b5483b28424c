"""Faults of snapshots: their COW stores, their files, and the files of volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import COPY_GROUP, GIB, dm_name, snapshot

from .base import Expected, VolumeFault

if TYPE_CHECKING:
    from tests.vm.hosts.overlay import Snapshot, Volume

# The COW store of a snapshot that is to fill: 16 MiB (4096 chunks) of a PV that has the size Eucalyptus gives it.
_SMALL = "-l 4"
_SLOW_BYTES_PER_SECOND = 64 << 10


def _fill(volume: Volume, kib: int) -> list[str]:
    """Writes so much to the origin, which takes as much of its snapshot's COW store, and 1/256 more for the store's own tables."""
    return [f"dd if=/dev/urandom of={volume.lv} bs=32K count={kib // 32} seek=256 oflag=direct status=none"]


def _filling(volume: Volume, kib: int) -> list[str]:
    """A snapshot whose COW store fills while it is being copied."""
    one = snapshot(volume)
    return [*one.create(extents=_SMALL), *_fill(volume, kib), *_copied(one)]


def _copied(one: Snapshot) -> list[str]:
    """Its copy, running, and slower than usual: a crowd has several."""
    slow = f'echo "$(lsblk -dnro MAJ:MIN {one.lv}) rbps={_SLOW_BYTES_PER_SECOND}" > {COPY_GROUP}/io.max'
    return [*one.copy(), slow]


def _several(volume: Volume, count: int) -> list[str]:
    """So many snapshots at once, each with its copy."""
    first = snapshot(volume)
    # Each has an id and a COW file of its own.
    others = [
        replace(
            first,
            name=f"snap-{0x63A10000 + (number << 8) + volume.number:08X}",
            suffix=first.suffix[number:] + first.suffix[:number],
        )
        for number in range(1, count)
    ]
    return [line for one in (first, *others) for line in (*one.create(), *_copied(one))]


def _count(volume: Volume) -> str:
    """How many COW stores the volume's VG has."""
    return f"$(dmsetup ls | grep -c '^{dm_name(volume.lv).rpartition('-euca')[0]}.*-cow')"


def _expect(code: str, severity: str, subject: str) -> tuple[Expected, ...]:
    return (Expected(code=code, severity=severity, subject=subject),)


def _status(volume: Volume, pattern: str) -> str:
    return f"dmsetup status {dm_name(snapshot(volume).lv)} | grep -Eq ' snapshot {pattern}'"


def _long_ago(file: str) -> str:
    """The file as it is when it has been left for an hour: what was written just now may still be in the making."""
    return f"touch -d '1 hour ago' {file}"


def _no_copy(volume: Volume) -> str:
    return f"! pgrep -f '^dd if=.*{snapshot(volume).name}'"


FAULTS = (
    VolumeFault(
        name="snapshot-filling",
        breaks=lambda volume: _filling(volume, 13_920),
        expects=lambda volume: _expect("LVM_SNAPSHOT_FILLING", "warning", snapshot(volume).name),
        facts=lambda volume: [_status(volume, "(279|28[0-9])[0-9]{2}/32768 ")],
    ),
    VolumeFault(
        name="snapshot-nearly-full",
        breaks=lambda volume: _filling(volume, 15_840),
        expects=lambda volume: _expect("LVM_SNAPSHOT_FILLING", "critical", snapshot(volume).name),
        facts=lambda volume: [_status(volume, "(31[2-9]|32[0-6])[0-9]{2}/32768 ")],
    ),
    VolumeFault(
        name="snapshot-invalid",
        breaks=lambda volume: [*snapshot(volume).create(extents=_SMALL), *_fill(volume, 24 << 10)],
        expects=lambda volume: _expect("LVM_SNAPSHOT_INVALID", "critical", snapshot(volume).name),
        facts=lambda volume: [_status(volume, "Invalid"), _no_copy(volume)],
    ),
    VolumeFault(
        name="snapshots-two",
        breaks=lambda volume: _several(volume, 2),
        expects=lambda volume: _expect("LVM_SNAPSHOTS_MULTIPLE", "warning", volume.name),
        facts=lambda volume: [f"test {_count(volume)} = 2"],
    ),
    VolumeFault(
        name="snapshots-four",
        breaks=lambda volume: _several(volume, 4),
        expects=lambda volume: _expect("LVM_SNAPSHOTS_MULTIPLE", "critical", volume.name),
        facts=lambda volume: [f"test {_count(volume)} = 4"],
    ),
    VolumeFault(
        name="snapshot-leftover",
        # For a moment every snapshot is without its copy.
        breaks=lambda volume: [*snapshot(volume).create(), "sleep 5"],
        expects=lambda volume: _expect("LVM_SNAPSHOT_LEFTOVER", "warning", snapshot(volume).name),
        facts=lambda volume: [_status(volume, "[0-9]+/"), _no_copy(volume)],
    ),
    VolumeFault(
        name="cow-deleted",
        # The volume's own file is whole: what goes with the loop device is the snapshot, whose copy still runs.
        breaks=lambda volume: [*snapshot(volume).create(), *_copied(snapshot(volume)), f"rm {snapshot(volume).cow_file}"],
        expects=lambda volume: _expect("LOOP_BACKING_DELETED", "critical", volume.name),
        facts=lambda volume: [f"grep -qx '{snapshot(volume).cow_file} (deleted)' /sys/block/loop*/loop/backing_file"],
    ),
    VolumeFault(
        name="cow-orphaned",
        breaks=lambda volume: [
            f"truncate -s {volume.gib * GIB // 2} {snapshot(volume).cow_file}",
            _long_ago(snapshot(volume).cow_file),
        ],
        expects=lambda volume: _expect("SNAPSHOT_COW_ORPHANED", "warning", volume.name),
        facts=lambda volume: [f"test -f {snapshot(volume).cow_file}", f'test -z "$(losetup -nj {snapshot(volume).cow_file})"'],
    ),
    VolumeFault(
        name="cow-orphaned-attached",
        # The snapshot itself was removed, and the next step failed: its store is still a PV of the volume's VG.
        breaks=lambda volume: [
            *snapshot(volume).create(),
            f"lvremove -qy {snapshot(volume).lv} >/dev/null",
            "sync",
            _long_ago(snapshot(volume).cow_file),
        ],
        expects=lambda volume: _expect("SNAPSHOT_COW_ORPHANED", "warning", volume.name),
        facts=lambda volume: [
            f'test -n "$(losetup -nj {snapshot(volume).cow_file})"',
            f"test $(vgs --noheadings -o pv_count {volume.vg}) = 2",
            f"! test -b {snapshot(volume).lv}",
        ],
    ),
    VolumeFault(
        name="copy-named-as-cow",
        # Somebody's copy of the volume's file, under a name of the form that COW stores have.
        breaks=lambda volume: [
            f"truncate -s {volume.file_bytes} {volume.file}-old_bak",
            _long_ago(f"{volume.file}-old_bak"),
        ],
        expects=lambda volume: _expect("SNAPSHOT_COW_ORPHANED", "warning", volume.name),
        facts=lambda volume: [f"test $(stat -c %s {volume.file}-old_bak) = {volume.file_bytes}"],
    ),
    VolumeFault(
        name="snapshot-copy-killed",
        # What a copy leaves that was killed: nothing behind it is cleaned up.
        breaks=lambda volume: [
            *snapshot(volume).create(),
            *_copied(snapshot(volume)),
            f"until test -s {snapshot(volume).file}; do sleep 0.2; done",
            f"pkill -f '^dd if={snapshot(volume).lv} '; sleep 5",
            _long_ago(snapshot(volume).file),
        ],
        expects=lambda volume: (
            *_expect("LVM_SNAPSHOT_LEFTOVER", "warning", snapshot(volume).name),
            *_expect("SNAPSHOT_TRUNCATED", "critical", snapshot(volume).name),
            *_expect("SNAPSHOT_COW_ORPHANED", "warning", volume.name),
        ),
        facts=lambda volume: [_status(volume, "[0-9]+/"), _no_copy(volume), f"test -s {snapshot(volume).file}"],
    ),
    VolumeFault(
        name="snapshot-at-rest",
        # A volume at rest that is snapshotted: attached for the copy, exported by none, and no fault.
        attached=False,
        breaks=lambda volume: [*snapshot(volume).create(), *_copied(snapshot(volume))],
        expects=lambda _volume: (),
        facts=lambda volume: [_status(volume, "[0-9]+/"), f"pgrep -f '^dd if={snapshot(volume).lv} '"],
    ),
    VolumeFault(
        name="snapshot-truncated",
        # A copy that was killed: the file stays as far as it came.
        breaks=lambda volume: [
            f"dd if={volume.lv} of={snapshot(volume).file} bs=1M count=48 iflag=direct conv=sparse status=none",
            _long_ago(snapshot(volume).file),
        ],
        expects=lambda volume: _expect("SNAPSHOT_TRUNCATED", "critical", snapshot(volume).name),
        facts=lambda volume: [f"test $(stat -c %s {snapshot(volume).file}) -lt {volume.gib * GIB}", _no_copy(volume)],
    ),
    VolumeFault(
        name="volume-size-invalid",
        # At rest, and without the 4 MiB that LVM's label and metadata take.
        attached=False,
        breaks=lambda volume: [*volume.rest(), f"truncate -s {volume.gib * GIB} {volume.file}", _long_ago(volume.file)],
        expects=lambda volume: _expect("VOLUME_SIZE_INVALID", "warning", volume.name),
        facts=lambda volume: [f"test $(stat -c %s {volume.file}) = {volume.gib * GIB}", f'test -z "$(losetup -nj {volume.file})"'],
    ),
)
