"""COW snapshots that a cloud makes for a copy: which are in use, which may wait for their turn, which are left. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.cloud_service import copies_limit, own_copies
from sctune.lvm_view import by_uuid, snapshot_view
from sctune.model.dm import SnapshotState
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.backends.base import Backend
    from sctune.inventory import Inventory
    from sctune.model.chain import Chains
    from sctune.model.lvm import LogicalVolume, LvmReport
    from sctune.model.process import Processes

HANDOVER_SECONDS = 5.0
"""The copy starts right after the snapshot is made, and the snapshot is removed right after the copy: so long it may be without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A COW snapshot that outlived its copy. `age` in seconds, None where nothing tells."""

    lv: LogicalVolume
    age: float | None


def passing(report: LvmReport, chains: Chains) -> tuple[tuple[LogicalVolume, Backend], ...]:
    """The COW snapshots that a cloud made and does not mean to keep, each with its backend."""
    found = []
    for lv in report.logical_volumes:
        backend = _backend_of(chains, lv) if lv.is_snapshot else None
        if backend is not None:
            found.append((lv, backend))
    return tuple(found)


def leftovers(
    snapshots: Iterable[tuple[LogicalVolume, Backend]], inventory: Inventory, processes: Processes
) -> tuple[Leftover, ...]:
    """Those of `passing` that nothing copies, waits for, or is at work on, and that are older than a moment. An invalid one is not
    among them."""
    devices = by_uuid(inventory.dm)
    found = []
    for lv, backend in snapshots:
        valid = snapshot_view(lv, devices, None).state in (None, SnapshotState.ACTIVE)
        if valid and not _in_use(lv, processes) and not may_wait(backend, inventory, processes):
            age = _age(lv, inventory)
            if age is None or age >= HANDOVER_SECONDS:
                found.append(Leftover(lv=lv, age=age))
    return tuple(found)


def may_wait(backend: Backend, inventory: Inventory, processes: Processes) -> bool:
    """Whether the storage controller runs as many copies as it allows itself."""
    limit = copies_limit(backend, inventory)
    return limit is not None and len(own_copies(processes)) >= limit


def _backend_of(chains: Chains, lv: LogicalVolume) -> Backend | None:
    for backend in chains.backends:
        name = backend.lv_name(lv.vg, lv.name, lv.tags)
        if name.ours and name.is_snapshot and backend.snapshots_pass:
            return backend
    return None


def _in_use(lv: LogicalVolume, processes: Processes) -> bool:
    """Whether a copy reads it, or an LVM command is at work on it or on its VG."""
    paths = {lv.path, lv.dm_path}
    if any(copy.source in paths for copy in processes.copies):
        return True
    words = {*paths, lv.full_name, lv.vg, lv.path.removeprefix("/dev/")}
    return any(word.replace("//", "/") in words for process in processes.lvm for word in process.argv[1:])


def _age(lv: LogicalVolume, inventory: Inventory) -> float | None:
    """Seconds since it was made, or since it became active where that is later."""
    device = next((device for device in known(inventory.dm) or () if device.uuid == lv.dm_uuid), None)
    ages = [inventory.clock.now - lv.created] if lv.created is not None else []
    if device is not None and device.activated is not None:
        ages.append(inventory.clock.boot - device.activated)
    return max(0.0, min(ages)) if ages else None
