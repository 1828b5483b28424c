"""All faults of a whole host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import daemons, initiators, stores

if TYPE_CHECKING:
    from .base import HostFault

HOST_FAULTS: tuple[HostFault, ...] = (*daemons.FAULTS, *initiators.FAULTS, *stores.FAULTS)
