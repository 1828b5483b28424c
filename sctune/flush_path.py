"""Which layers under a file or device lose what was written and not flushed when the power goes. Pure.

A device is looked at down to its last disks: device-mapper and md pass the cache on that lies below them, a loop device
without direct I/O is a page cache by itself, one with direct I/O is as good as what its file lies on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.host.base import FileKind
from sctune.storage_path import whole_disk
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import FileStat
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice

_WRITE_BACK = "write back"


def volatile_layers(stat: FileStat, inventory: Inventory, path: str) -> tuple[tuple[str, ...], str]:
    """The volatile layers under a file or block device, in words; and the first layer that could not be judged ("" where all
    could)."""
    blocks = {block.name: block for block in known(inventory.block) or ()}
    by_device = {block.device: block for block in blocks.values()}
    state = known(inventory.loops)
    loops = {loop.name: loop for loop in (state.devices if state else ())}
    mounts = known(inventory.mounts) or ()
    found: dict[str, None] = {}
    unknown = ""
    seen: set[str] = set()
    first = _start(stat, path, blocks, by_device, {mount.device: mount.source for mount in mounts})
    pending: list[str] = [first] if isinstance(first, str) else []
    if not pending:
        return (), f"the disk under {path}"
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        block = blocks.get(name)
        loop = loops.get(name)
        if loop is not None:
            if not loop.direct_io:
                found[f"the page cache of {loop.backing_file or f'/dev/{name}'} (/dev/{name} without direct I/O)"] = None
                continue
            under = known(loop.backing)
            below = (
                None
                if under is None or loop.deleted
                else _start(under, loop.backing_file, blocks, by_device, {mount.device: mount.source for mount in mounts})
            )
            if below is None:
                unknown = unknown or f"the disk under /dev/{name}"
            else:
                pending.append(below)
        elif block is None:
            unknown = unknown or f"/dev/{name}"
        elif block.slaves:
            pending.extend(block.slaves)
        elif block.write_cache is None:
            unknown = unknown or f"the cache of /dev/{name}"
        elif block.write_cache == _WRITE_BACK:
            found[f"the write cache of the disk /dev/{name}"] = None
    return tuple(found), unknown


def _start(
    stat: FileStat,
    path: str,
    blocks: Mapping[str, BlockDevice],
    by_device: Mapping[tuple[int, int], BlockDevice],
    sources: Mapping[tuple[int, int], str],
) -> str | None:
    """The name of the whole device that a path is, or lies on."""
    if stat.kind is FileKind.BLOCK and stat.rdevice is not None:
        device, node = stat.rdevice, path
    else:
        device = (os.major(stat.device), os.minor(stat.device))
        node = sources.get(device, "")
    block = by_device.get(device) or whole_disk(node, device, blocks)
    return block.name if block is not None else None
