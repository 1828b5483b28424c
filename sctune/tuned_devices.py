"""Which disks a profile of tuned is for. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sctune.model.block import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.model.block import BlockDevice
    from sctune.model.tuned import TunedProfile, TunedUnit

_DISKS = (BlockKind.DISK, BlockKind.NVME, BlockKind.VIRTIO)
_SEPARATORS = re.compile(r"[\s,;]+")


def judged_disks(devices: Iterable[BlockDevice]) -> Iterator[BlockDevice]:
    """The disks whose settings are compared. tuned also sets those of loop and device-mapper devices, once, when it first sees
    them; whoever attaches a file or activates an LV afterwards sets them anew, and that is no drift. What came through iSCSI
    comes and goes in the same way."""
    for device in devices:
        if device.kind in _DISKS and not device.removable and device.size > 0 and device.session is None:
            yield device


def owner(device: BlockDevice, profile: TunedProfile) -> TunedUnit | None:
    """The disk section that tuned gives a device to: the first that matches. None where there is none, or where a section
    before it is for some machines or devices by a rule that is not judged here."""
    for unit in profile.units:
        if unit.type == "disk":
            if unit.conditional:
                return None
            if matches(unit.devices, device.name):
                return unit
    return None


def matches(devices: str, name: str) -> bool:
    """Whether a list of patterns means a device (tuned's hardware/device_matcher.py): `!` takes out again, and a list of such
    alone means all others."""
    rules = [rule for rule in _SEPARATORS.split(devices) if rule]
    refused = [rule[1:] for rule in rules if rule.startswith("!")]
    meant = [rule for rule in rules if not rule.startswith("!")] or ["*"]
    return any(fnmatchcase(name, rule) for rule in meant) and not any(fnmatchcase(name, rule) for rule in refused)
