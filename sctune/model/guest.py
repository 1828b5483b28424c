"""Guests of this host and the disks they were given: libvirt's domains, and what Eucalyptus' node controller keeps of its
instances.

Nothing of a guest is kept but what names its disks: no console, no network, no password.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable


class GuestOrigin(StrEnum):
    """What says that a guest has a disk, what proves most first."""

    RUNNING = "running"  # libvirt's status file: the guest has it now
    DEFINED = "defined"  # libvirt's persistent definition: it has it when it is started
    RECORDED = "recorded"  # a file of the node controller's: it was to have it, and may have lost it since


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestDisk:
    """One disk of a guest. `domain` is the guest's name in libvirt (of Eucalyptus: the instance's id). `source` is the path of
    the device or file on this host, of a network disk its name there, "" where there is none; `source_kind` libvirt's word:
    block, file, network, volume, dir. `device` is (major, minor) of the block device that the path leads to now, None where it
    leads to none or that is not known. `target` is the name that was asked for in the guest (vdb), `bus` virtio, scsi, ide, xen …
    ("" where it is not said), `kind` disk, cdrom, floppy or lun. `serial` is what the guest sees as its serial number; `volume`
    the volume that serial or file name tells, "" for none. `driver` is qemu, phy …, `image` raw, qcow2 …, `cache` none, writeback
    …: "" where the default was left. `file` is where all this was read."""

    domain: str
    origin: GuestOrigin
    source: str
    source_kind: str
    target: str
    bus: str
    kind: str
    serial: str
    volume: str
    driver: str
    image: str
    cache: str
    read_only: bool
    file: str
    device: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One guest as one source tells it. `state` and `reason` are libvirt's words of a running one: running, paused (ioerror: a disk
    failed under it), shutdown …; "" of others. `file` is where it was read, of an instance its folder."""

    name: str
    origin: GuestOrigin
    state: str
    reason: str
    file: str
    disks: tuple[GuestDisk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """All guests, each as often as there are sources that tell of it, and what could not be read."""

    guests: tuple[Guest, ...]
    unread: tuple[Unavailable, ...]

    @property
    def disks(self) -> tuple[GuestDisk, ...]:
        """The disks of all of them."""
        return tuple(disk for guest in self.guests for disk in guest.disks)
