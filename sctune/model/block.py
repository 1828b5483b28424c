"""Block devices: /sys/block and its queue folders (Documentation/ABI/stable/sysfs-block)."""

from __future__ import annotations

from enum import StrEnum

from sctune.records import dataclass


class BlockKind(StrEnum):
    """What kind of device a name in /sys/block is."""

    DISK = "disk"  # a SCSI or ATA disk (sdX)
    NVME = "nvme"
    VIRTIO = "virtio"  # vdX, and Xen's xvdX: a paravirtual disk
    LOOP = "loop"
    DM = "dm"
    MD = "md"
    OTHER = "other"  # CD-ROM, RAM disk, zram, nbd, rbd …


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """One whole block device (no partitions).

    `scheduler` is the one in brackets in queue/scheduler; None where the device has no elevator file. `schedulers` lists all.
    `rotational` and `write_cache` ("write back", "write through") are the kernel's words; None where it does not tell.
    `read_ahead` in bytes. `slaves` and `holders` are names in /sys/block (a partition's slave is its disk's name).
    `session` is the number N of the iSCSI session (sessionN) that the disk came through; `target_lun` its LUN there.
    `device_state` is SCSI's: running, blocked, offline, transport-offline.
    """

    name: str
    kind: BlockKind
    device: tuple[int, int]
    size: int
    read_only: bool
    removable: bool
    rotational: bool | None
    scheduler: str | None
    schedulers: tuple[str, ...]
    read_ahead: int | None
    nr_requests: int | None
    write_cache: str | None
    logical_block_size: int | None
    slaves: tuple[str, ...]
    holders: tuple[str, ...]
    model: str | None = None
    session: int | None = None
    target_lun: int | None = None
    device_state: str | None = None
