"""When the disks of iSCSI sessions came: udev's record of the device, which lasts over new logins of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.probes.dm import never_slept, parse_initialized
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import Host
    from sctune.model.block import BlockDevice
    from sctune.model.initiator import IscsiSession


def probe(
    host: Host, *, sessions: tuple[IscsiSession, ...] | Unavailable, devices: tuple[BlockDevice, ...] | Unavailable
) -> Mapping[str, float] | Unavailable:
    """Kernel name (sda) -> seconds on the boot clock at which udev first saw the disk; what udev does not tell of is not in it.
    Unavailable after the host has slept: udev's clock stood still then."""
    if isinstance(sessions, Unavailable):
        return sessions
    if isinstance(devices, Unavailable):
        return devices
    disks = {disk for session in sessions for disk in session.disks}
    if not disks:
        return {}
    if not never_slept(host):
        return Unavailable(reason=Reason.FAILED, what="age of disks", detail="the host has slept since it was booted")
    found: dict[str, float] = {}
    for device in devices:
        if device.name in disks:
            seen = parse_initialized(host.read(f"/run/udev/data/b{device.device[0]}:{device.device[1]}"))
            if seen is not None:
                found[device.name] = seen
    return found
