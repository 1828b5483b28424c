"""All faults of a whole host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cinder, daemons, initiators, kernel, limits, lio, lvm_hosts, portals, sessions, shown, stores, stores_network, tuning

if TYPE_CHECKING:
    from .base import HostFault

HOST_FAULTS: tuple[HostFault, ...] = (
    *daemons.FAULTS,
    *portals.FAULTS,
    *lio.FAULTS,
    *initiators.FAULTS,
    *sessions.HOST_FAULTS,
    *shown.FAULTS,
    *stores.FAULTS,
    *stores_network.FAULTS,
    *limits.FAULTS,
    *lvm_hosts.FAULTS,
    *tuning.FAULTS,
    *kernel.HOST_FAULTS,
    *cinder.FAULTS,
)
