"""Devices that device-mapper's tables name and that are not there any more: /sys/dev/block (Documentation/ABI/stable/sysfs-dev).

The kernel keeps a disk that was pulled out alive for as long as a table holds it, but it has no name and no data any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice

_FOLDER = "/sys/dev/block"


def probe(
    host: Host, *, dm: tuple[DmDevice, ...] | Unavailable, block: tuple[BlockDevice, ...] | Unavailable
) -> frozenset[tuple[int, int]] | Unavailable:
    """The (major, minor) of those that are gone. Whole devices are known; what is read is a link for each partition."""
    if isinstance(dm, Unavailable):
        return dm
    if isinstance(block, Unavailable):
        return block
    named = {
        number for device in dm if not isinstance(device.targets, Unavailable) for t in device.targets for number in t.underlying
    }
    gone = set()
    for number in sorted(named - {device.device for device in block}):
        link = host.readlink(f"{_FOLDER}/{number[0]}:{number[1]}")
        if isinstance(link, Unavailable):
            if link.reason is not Reason.ABSENT:
                return link
            gone.add(number)
    if gone and isinstance(folder := host.list(_FOLDER), Unavailable):
        return folder  # then nothing is told by a link that is not there
    return frozenset(gone)
