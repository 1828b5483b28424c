"""Faults of loop devices and their backing files."""

from __future__ import annotations

from .base import Expected, VolumeFault

FAULTS = (
    VolumeFault(
        name="backing-deleted",
        breaks=lambda volume: [f"rm {volume.file}"],
        expects=lambda volume: (Expected(code="LOOP_BACKING_DELETED", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"grep -qx '{volume.file} (deleted)' /sys/block/loop*/loop/backing_file"],
    ),
    VolumeFault(
        name="two-loops",
        breaks=lambda volume: [f"losetup -f {volume.file}"],
        expects=lambda volume: (Expected(code="LOOP_DUPLICATE_BACKING", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"test $(losetup -nO NAME -j {volume.file} | wc -l) = 2"],
    ),
)
