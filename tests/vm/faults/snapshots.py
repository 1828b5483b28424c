"""Faults of snapshots: their COW stores and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import dm_name, snapshot

from .base import Expected, VolumeFault

if TYPE_CHECKING:
    from tests.vm.hosts.overlay import Volume

# The COW store of a snapshot that is to overflow: 16 MiB of a PV that has the size Eucalyptus gives it.
_SMALL = "-l 4"
_OVERFLOW_MIB = 24


def _overflow(volume: Volume) -> list[str]:
    write = f"dd if=/dev/urandom of={volume.lv} bs=1M count={_OVERFLOW_MIB} seek=8 oflag=direct status=none"
    return [*snapshot(volume).create(extents=_SMALL), write]


FAULTS = (
    VolumeFault(
        name="snapshot-invalid",
        breaks=_overflow,
        expects=lambda volume: (Expected(code="LVM_SNAPSHOT_INVALID", severity="critical", subject=snapshot(volume).name),),
        facts=lambda volume: [f"dmsetup status {dm_name(snapshot(volume).lv)} | grep -q ' snapshot Invalid'"],
    ),
)
