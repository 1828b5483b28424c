"""Which guests have a disk. Pure.

Joined by device number, which is what the path in a guest's definition leads to whatever link it is (by-id, by-path, a multipath
map); by the volume's id in the disk's serial number; by the path's text only where a host does not tell numbers (a file tree).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.guest import GuestOrigin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sctune.model.block import BlockDevice
    from sctune.model.guest import GuestDisk, Guests

_ORDER = tuple(GuestOrigin)


def guest_disks_of(
    guests: Guests, devices: Collection[tuple[int, int]], *, volume: str = "", paths: Collection[str] = ()
) -> tuple[GuestDisk, ...]:
    """The guest disks on any of these devices ((major, minor): a disk and what is stacked on it, see `stacked_on`), or of this
    volume, or with one of these paths where their device is not known. A disk that several sources tell of stands here once, as
    the source that proves most has it: first what guests have now."""
    found: dict[tuple[str, str], GuestDisk] = {}
    for disk in sorted(guests.disks, key=lambda disk: _ORDER.index(disk.origin)):
        same = disk.device in devices if disk.device is not None else disk.source in paths
        if same or (volume and disk.volume == volume):
            # One source says vdb, another sdb; the volume is the same in both.
            found.setdefault((disk.domain, disk.volume or disk.source), disk)
    return tuple(found.values())


def stacked_on(disk: BlockDevice, blocks: Iterable[BlockDevice]) -> tuple[BlockDevice, ...]:
    """The disk and every device that stands on it, however high, the lowest first: its multipath map, LVs of a VG on it."""
    by_name = {block.name: block for block in blocks}
    found = {disk.name: disk}
    pending = [disk]
    while pending:
        for name in pending.pop(0).holders:
            above = by_name.get(name)
            if above is not None and name not in found:
                found[name] = above
                pending.append(above)
    return tuple(found.values())
