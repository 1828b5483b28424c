"""What uses the disks of an iSCSI session: devices stacked on them, mounts, targets, copies and guests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.disk_names import whole
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.initiator import IscsiSession

PARTS = ("block", "dm", "mounts", "tgt", "backings", "processes", "guest_disks")
"""What the uses are told from."""


def session_users(inventory: Inventory, session: IscsiSession) -> tuple[str, ...] | Unavailable:
    """In words, what is known to use a session's disks; () where nothing does. Unavailable where no use was seen and not
    everything that shows one could be looked at."""
    blocks = {device.name: device for device in known(inventory.block) or ()}
    names, stacked = _with_maps(inventory, blocks, session.disks)
    found = (
        *stacked,
        *_mounted(inventory, blocks, names),
        *_served(inventory, blocks, names),
        *_worked_on(inventory, session, names),
    )
    if found:
        return tuple(dict.fromkeys(found))
    return _unseen(inventory) or ()


def maps_over(inventory: Inventory, session: IscsiSession) -> tuple[str, ...]:
    """The multipath maps over a session's disks, by name."""
    blocks = {device.name: device for device in known(inventory.block) or ()}
    names, _ = _with_maps(inventory, blocks, session.disks)
    return tuple(device.name for device in known(inventory.dm) or () if device.kernel_name in names)


def _with_maps(
    inventory: Inventory, blocks: dict[str, BlockDevice], disks: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The disks and the multipath maps over them, which use nothing by themselves; and, in words, what else is stacked on them."""
    maps = {device.kernel_name for device in known(inventory.dm) or () if device.uuid.startswith("mpath-")}
    names = dict.fromkeys(disks)
    stacked: list[str] = []
    pending = list(disks)
    while pending:
        device = blocks.get(pending.pop())
        for holder in device.holders if device is not None else ():
            if holder not in maps:
                stacked.append(f"under {holder}")
            elif holder not in names:
                names[holder] = None
                pending.append(holder)
    return tuple(names), tuple(stacked)


def _mounted(inventory: Inventory, blocks: dict[str, BlockDevice], names: tuple[str, ...]) -> Iterator[str]:
    numbers = {blocks[name].device for name in names if name in blocks}
    for mount in known(inventory.mounts) or ():
        node = mount.source.startswith("/dev/") and whole(mount.source.rpartition("/")[2]) in names
        if node or mount.device in numbers:
            yield f"mounted on {mount.point}"


def _served(inventory: Inventory, blocks: dict[str, BlockDevice], names: tuple[str, ...]) -> Iterator[str]:
    """Exports of the disk by this host's tgtd."""
    numbers = {blocks[name].device for name in names if name in blocks}
    paths = {f"/dev/{name}" for name in names}
    for backing in known(inventory.backings) or ():
        if not isinstance(backing.stat, Unavailable) and backing.stat.rdevice in numbers:
            paths.add(backing.path)
    tgt = known(inventory.tgt)
    for target in tgt.targets if tgt else ():
        if any(lun.backing_path in paths for lun in target.luns):
            yield f"exported by {target.iqn}"


def _worked_on(inventory: Inventory, session: IscsiSession, names: tuple[str, ...]) -> Iterator[str]:
    """Copies and guests. A guest's argument may name the disk by a link that is gone: its name says the target, too."""
    processes = known(inventory.processes)
    for copy in processes.copies if processes else ():
        if {copy.source.rpartition("/")[2], copy.destination.rpartition("/")[2]} & {*names}:
            yield f"{copy.tool} {copy.process.pid}"
    maps = {device.name for device in known(inventory.dm) or () if device.kernel_name in names}
    mark = f"-iscsi-{session.target}-lun-"
    for guest in known(inventory.guest_disks) or ():
        has = {*guest.disks, *(known(guest.opened) or ())}
        if has & {*names, *maps} or any(mark in path for path in guest.named):
            yield f"guest of {guest.process.name} {guest.process.pid}"


def _unseen(inventory: Inventory) -> Unavailable | None:
    """What could not be looked at of all that may show a use."""
    for part in (inventory.block, inventory.dm, inventory.mounts, inventory.tgt, inventory.processes, inventory.guest_disks):
        if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT:
            return part
    tgt, guests = known(inventory.tgt), known(inventory.guest_disks)
    if tgt is not None and tgt.unanswered:
        return tgt.unanswered[0]
    return next((guest.opened for guest in guests or () if isinstance(guest.opened, Unavailable)), None)
