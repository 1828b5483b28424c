"""Faults of the volume store, of limits and of quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import HostFault

FAULTS: tuple[HostFault, ...] = ()
