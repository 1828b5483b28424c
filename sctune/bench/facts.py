"""What decides how fast a layer is and what answers: read when it is measured. Pure, but for the inventory's probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.model import Layer
from sctune.probes.mounts import find_mount
from sctune.storage_path import whole_disk
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.bench.model import Facts, Place
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice


def facts(place: Place, inventory: Inventory, *, file: str = "", iqn: str = "") -> Facts:
    """Of one layer. `file` is the chain's backing file, `iqn` the target."""
    return tuple(_facts(place, inventory, file, iqn))


def _facts(place: Place, inventory: Inventory, file: str, iqn: str) -> Iterator[tuple[str, str | int | bool]]:
    if place.layer is Layer.FILE:
        yield from _file(inventory, file or place.address)
    elif place.layer is Layer.TARGET:
        yield from _target(inventory, iqn)
    else:
        if place.layer is Layer.LOOP and (loop := _loop_direct_io(inventory, place.device)) is not None:
            yield "direct_io", loop
        device = next((one for one in known(inventory.queues) or () if one.name == place.device), None)
        if device is not None:
            yield from _queue(device)


def _file(inventory: Inventory, path: str) -> Iterator[tuple[str, str | int | bool]]:
    mount = find_mount(known(inventory.mounts) or (), path)
    if mount is None:
        return
    yield "filesystem", mount.filesystem
    if unsafe := next((one for one in mount.options if one in ("nobarrier", "barrier=0")), ""):
        yield "mount_option", unsafe
    devices = {one.name: one for one in known(inventory.queues) or ()}
    disk = next((one for one in devices.values() if one.device == mount.device), None)
    disk = disk or whole_disk(mount.source, mount.device, devices)
    if disk is not None:
        yield "disk", disk.name
        yield from _queue(disk)


def _queue(device: BlockDevice) -> Iterator[tuple[str, str | int | bool]]:
    if device.write_cache is not None:
        yield "write_cache", device.write_cache
    if device.scheduler is not None:
        yield "scheduler", device.scheduler


def _loop_direct_io(inventory: Inventory, name: str) -> bool | None:
    state = known(inventory.loops)
    return next((one.direct_io for one in state.devices if one.name == name), None) if state is not None else None


def _target(inventory: Inventory, iqn: str) -> Iterator[tuple[str, str | int | bool]]:
    state = known(inventory.tgt)
    found = next((one for one in state.targets if one.iqn == iqn), None) if state is not None else None
    if found is not None:
        for lun in found.disks[:1]:
            yield "backing_type", lun.backing_type
        yield "control_port", found.control_port
