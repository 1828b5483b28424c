"""The lasting names of disks: /dev/disk/by-id, made of model, serial number and WWN.

Source: udev's 60-persistent-storage.rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import Host

FOLDER = "/dev/disk/by-id"
# What names model and serial number comes before what is a bare number; what names no disk is not looked at.
_RANKS = ("ata-", "nvme-", "scsi-", "virtio-", "usb-", "mmc-", "wwn-")
_BARE = ("nvme-eui.", "nvme-uuid.", "nvme-nguid.", "scsi-3", "scsi-1")
_OTHERS = ("dm-", "lvm-pv-", "md-", "lvm-")


def probe(host: Host) -> Mapping[str, str] | Unavailable:
    """Kernel name (sda) -> by-id name, for whole disks that have one. Absent where no udev runs."""
    names = host.list(FOLDER)
    if isinstance(names, Unavailable):
        return names
    best: dict[str, str] = {}
    for name in sorted(names, key=_rank):
        stem, dash, part = name.rpartition("-part")
        if name.startswith(_OTHERS) or (dash and stem and part.isdecimal()):
            continue
        link = host.readlink(f"{FOLDER}/{name}")
        if not isinstance(link, Unavailable):
            best.setdefault(link.rpartition("/")[2], name)
    return best


def _rank(name: str) -> tuple[bool, int, str]:
    rank = next((position for position, prefix in enumerate(_RANKS) if name.startswith(prefix)), len(_RANKS))
    return (name.startswith(_BARE), rank, name)
