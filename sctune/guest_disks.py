"""Which guests have a disk. Pure.

Joined by device number, which is what the path in a guest's definition leads to whatever link it is (by-id, by-path, a multipath
map); by the path's text only where a host does not tell numbers (a file tree).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.guest import GuestOrigin
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.guest import GuestDisk, Guests

_ORDER = tuple(GuestOrigin)


class GuestIndex:
    """The guest disks of one look by what they are on: made once, asked for each of a thousand disks."""

    def __init__(self, blocks: Iterable[BlockDevice], guests: Guests | None) -> None:
        self._blocks = {block.name: block for block in blocks}
        self._by_device: dict[tuple[int, int], list[tuple[int, GuestDisk]]] = {}
        self._by_path: dict[str, list[tuple[int, GuestDisk]]] = {}
        disks = sorted(guests.disks, key=lambda disk: _ORDER.index(disk.origin)) if guests is not None else ()
        for rank, disk in enumerate(disks):
            if disk.device is not None:
                self._by_device.setdefault(disk.device, []).append((rank, disk))
            else:
                self._by_path.setdefault(disk.source, []).append((rank, disk))

    def stacked_on(self, disk: BlockDevice) -> tuple[BlockDevice, ...]:
        """The disk and every device that stands on it, however high, the lowest first: its multipath map, LVs of a VG on it."""
        found = {disk.name: disk}
        pending = [disk]
        while pending:
            for name in pending.pop(0).holders:
                above = self._blocks.get(name)
                if above is not None and name not in found:
                    found[name] = above
                    pending.append(above)
        return tuple(found.values())

    def on(self, devices: Iterable[BlockDevice]) -> tuple[GuestDisk, ...]:
        """The guest disks on any of these devices, or with one of their paths where their own device is not known. A disk that
        several sources tell of stands here once, as the source that proves most has it: first what guests have now."""
        same: dict[int, GuestDisk] = {}
        for device in devices:
            same |= dict(self._by_device.get(device.device, ()))
            same |= dict(self._by_path.get(f"/dev/{device.name}", ()))
        found: dict[tuple[str, str], GuestDisk] = {}
        for _, disk in sorted(same.items()):
            # One source says vdb, another sdb; the volume is the same in both.
            found.setdefault((disk.domain, disk.volume or disk.source), disk)
        return tuple(found.values())

    def above(self, disk: str) -> tuple[GuestDisk, ...]:
        """The guest disks on one disk of this host, by its name, or on what is stacked on it."""
        device = self._blocks.get(disk)
        return () if device is None else self.on(self.stacked_on(device))


def guest_index(inventory: Inventory) -> GuestIndex:
    """The index of one look."""
    return GuestIndex(known(inventory.block) or (), known(inventory.guests))
