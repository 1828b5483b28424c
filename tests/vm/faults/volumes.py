"""All faults of one volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import kernel, loops, lvm, sessions, snapshots, targets, thin

if TYPE_CHECKING:
    from .base import VolumeFault

VOLUME_FAULTS: tuple[VolumeFault, ...] = (
    *loops.FAULTS,
    *lvm.FAULTS,
    *thin.FAULTS,
    *snapshots.FAULTS,
    *targets.FAULTS,
    *sessions.FAULTS,
    *kernel.FAULTS,
)
