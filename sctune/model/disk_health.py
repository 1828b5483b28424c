"""What a disk says of its own health: SMART (ATA, SCSI) or NVMe's health log."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskHealth:
    """One disk as `smartctl` or `nvme` tells it. `device` is its name in /sys/block; every number is None where the disk counts no
    such thing.

    `passed` is the disk's verdict on itself. `failing` are ATA attributes below their threshold now that announce a failure
    (prefail). `critical_warning` is NVMe's byte of that name. `media_errors` counts data that NVMe could not read back,
    `uncorrected` what SCSI could not correct, over the disk's life. `pending` and `uncorrectable` are ATA's attributes 197 and
    198: sectors that cannot be read at present. `asleep`: it was not asked, which would have woken it. Not `supported`: it has no
    such thing (a virtual disk).
    """

    device: str
    tool: str
    supported: bool = True
    asleep: bool = False
    passed: bool | None = None
    failing: tuple[str, ...] = ()
    critical_warning: int | None = None
    media_errors: int | None = None
    uncorrected: int | None = None
    pending: int | None = None
    uncorrectable: int | None = None
    reallocated: int | None = None
    used_ratio: float | None = None
