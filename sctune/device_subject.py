"""The lasting names of block devices, for findings about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Subject, SubjectKind
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice

PARTS = ("chains", "loops", "dm", "disk_ids")
"""What the names are made of."""


class DeviceSubjects:
    """The volume or file on a loop, a disk's by-id name, a map's name."""

    def __init__(self, inventory: Inventory) -> None:
        self.chains = need(inventory.chains)
        loops = known(inventory.loops)
        self.loops = {loop.name: loop for loop in loops.devices} if loops is not None else {}
        self.maps = {device.kernel_name: device.name for device in known(inventory.dm) or ()}
        self.ids: Mapping[str, str] = known(inventory.disk_ids) or {}

    def of(self, device: BlockDevice) -> Subject:
        """What a finding about this device is about."""
        if device.name in self.loops:
            return self.chains.subject_of_loop(self.loops[device.name])
        name = self.maps.get(device.name) or self.ids.get(device.name) or device.name
        return Subject(kind=SubjectKind.DISK, id=name)
