"""Faults of the initiator as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import HostFault

FAULTS: tuple[HostFault, ...] = ()
