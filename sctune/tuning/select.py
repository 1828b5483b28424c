"""Which hosts and devices a setting is for, told from the host's answers and, in the same terms, by udev's rules. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.model.units import size_words
from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.model.block import BlockDevice
    from sctune.model.report import Role
    from sctune.tuning.facts import Facts
    from sctune.tuning.schema import Setting, When

TRANSPORTS: dict[str, str] = {
    "iscsi": "*/session[0-9]*/*",
    "fc": "*/rport-*",
    "sas": "*/end_device-*",
    "usb": "*/usb[0-9]*/*",
    "ata": "*/ata[0-9]*/*",
    "nvme": "*/nvme[0-9]*",
    "virtio": "*/virtio[0-9]*/*",
}
"""How a disk is attached, by a pattern on its device path: what /sys/block/X points to, and udev's DEVPATH."""
KERNEL_NAMES: dict[BlockKind, str] = {
    BlockKind.DISK: "sd*",
    BlockKind.NVME: "nvme*",
    BlockKind.VIRTIO: "vd*|xvd*",
    BlockKind.LOOP: "loop*",
    BlockKind.DM: "dm-*",
    BlockKind.MD: "md*",
}
"""udev's KERNEL patterns of the kinds of `sctune.probes.block.kind_of`."""
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Where a device hangs: its path below /sys, and the drivers of all that it hangs on (none where no profile asks)."""

    path: str = ""
    drivers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What of a host settings may depend on. `memory` in bytes, None where unread; `kernel` as uname(2) has its release."""

    roles: tuple[Role, ...]
    memory: int | None
    kernel: str


def refuses(setting: Setting, facts: Facts) -> str:
    """Why a setting is not for this host, or not unless it is asked for; "" where it is."""
    if setting.opt_in:
        return f"only where it is asked for: --set {setting.key}={setting.value.choices[0]}"
    return host_refuses(setting.when, facts.traits)


def host_refuses(when: When, traits: Traits) -> str:
    """Why a setting is not for this host, "" where it is."""
    if when.roles and not set(when.roles) & set(traits.roles):
        return f"it is for {' or '.join(when.roles)}, and this host is {', '.join(traits.roles)}"
    if when.memory_from is not None or when.memory_below is not None:
        if traits.memory is None:
            return "how much memory the host has could not be read"
        has = f"of memory, and this one has {size_words(traits.memory)}"
        if when.memory_from is not None and traits.memory < when.memory_from:
            return f"it is for hosts with {size_words(when.memory_from)} or more {has}"
        if when.memory_below is not None and traits.memory >= when.memory_below:
            return f"it is for hosts with less than {size_words(when.memory_below)} {has}"
    if when.kernel_from is not None or when.kernel_before is not None:
        release = _RELEASE.match(traits.kernel)
        if release is None:
            return f"the kernel's release {traits.kernel!r} does not tell its age"
        now = (int(release[1]), int(release[2]))
        if when.kernel_from is not None and now < when.kernel_from:
            return f"it is for Linux {when.kernel_from[0]}.{when.kernel_from[1]} and later"
        if when.kernel_before is not None and now >= when.kernel_before:
            return f"it is for Linux before {when.kernel_before[0]}.{when.kernel_before[1]}"
    return ""


def device_chosen(when: When, device: BlockDevice, attachment: Attachment) -> bool:
    """Whether a setting is for this device."""
    if device.kind is BlockKind.OTHER or (when.kinds and device.kind not in when.kinds):
        return False
    if when.rotational is not None and device.rotational is not when.rotational:
        return False
    if when.transports and not any(fnmatchcase(attachment.path, TRANSPORTS[name]) for name in when.transports):
        return False
    return not when.drivers or bool(attachment.drivers & set(when.drivers))


def udev_matches(when: When) -> tuple[tuple[str, str], ...]:
    """The same as (key, value) of udev's rules. In one rule, of alternatives of one key any may match."""
    kinds = when.kinds or tuple(KERNEL_NAMES)
    found = [("KERNEL", "|".join(KERNEL_NAMES[kind] for kind in kinds))]
    if when.rotational is not None:
        found.append(("ATTR{queue/rotational}", str(int(when.rotational))))
    if when.transports:
        found.append(("DEVPATH", "|".join(TRANSPORTS[name] for name in when.transports)))
    if when.drivers:
        found.append(("DRIVERS", "|".join(when.drivers)))
    return tuple(found)
