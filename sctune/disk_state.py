"""Which of the host's own disks are failing: their own word and the kernel's, put together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.disk_names import whole
from sctune.findings import Severity, Subject, SubjectKind
from sctune.model.block import BlockKind
from sctune.model.disk_health import DiskHealth
from sctune.model.kernel_log import FaultKind
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.kernel_log import KernelFault

CODE = "DISK_FAILING"
_PLAIN = (None, "running")
_TEMPERATURE = 0x02
_WARNINGS = {
    0x01: "its spare blocks are nearly used up",
    0x04: "its reliability is degraded by media or internal errors",
    0x08: "it has become read-only",
    0x10: "the backup of its volatile memory has failed",
    0x20: "its persistent memory region is unreliable",
}
"""The bits of NVMe's critical warning (NVM Express Base Specification, SMART / Health Information log page)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingDisk:
    """A disk that is judged to fail, why in words, and what it was judged by."""

    device: BlockDevice
    subject: Subject
    severity: Severity
    reasons: tuple[str, ...]
    health: DiskHealth | None
    faults: tuple[KernelFault, ...]


def physical(inventory: Inventory) -> tuple[BlockDevice, ...]:
    """The disks that may be hardware of this host and answer: not what came through iSCSI, is stacked, removable, or offline."""
    return tuple(device for device in known(inventory.block) or () if is_physical(device))


def is_physical(device: BlockDevice) -> bool:
    """Whether a disk is one of those."""
    return (
        device.kind in (BlockKind.DISK, BlockKind.NVME)
        and device.session is None
        and device.size > 0
        and not device.removable
        and device.device_state in _PLAIN
        # A path of a multipath namespace (nvme0c0n1) is the same disk once more.
        and not (device.kind is BlockKind.NVME and "c" in device.name)
    )


def disk_subject(inventory: Inventory, name: str) -> Subject:
    """A disk by its lasting name."""
    ids: Mapping[str, str] = known(inventory.disk_ids) or {}
    return Subject(kind=SubjectKind.DISK, id=ids.get(name, name))


def failing_disks(inventory: Inventory) -> tuple[FailingDisk, ...]:
    """Every physical disk that something is wrong with, by whatever could be read."""
    told = {health.device: health for health in known(inventory.disk_health) or () if isinstance(health, DiskHealth)}
    log = known(inventory.kernel_log)
    found = []
    for device in physical(inventory):
        health = told.get(device.name)
        faults = tuple(
            fault for fault in (log.faults if log else ()) if fault.kind is FaultKind.MEDIUM and whole(fault.device) == device.name
        )
        severity, reasons = _judge(health, faults)
        if severity is not None:
            found.append(
                FailingDisk(
                    device=device,
                    subject=disk_subject(inventory, device.name),
                    severity=severity,
                    reasons=reasons,
                    health=health,
                    faults=faults,
                )
            )
    return tuple(found)


def _judge(health: DiskHealth | None, faults: tuple[KernelFault, ...]) -> tuple[Severity | None, tuple[str, ...]]:
    critical = list(_verdict(health)) if health is not None else []
    if faults:
        critical.append(f"the kernel met {sum(fault.count for fault in faults)} medium or hardware errors on it")
    counted = list(_counted(health)) if health is not None else []
    if critical:
        return Severity.CRITICAL, (*critical, *counted)
    return (Severity.WARNING, tuple(counted)) if counted else (None, ())


def _verdict(health: DiskHealth) -> list[str]:
    warning = health.critical_warning or 0
    reasons = [words for bit, words in _WARNINGS.items() if warning & bit]
    # NVMe's verdict is this byte alone, and a disk that is merely hot is not failing.
    if health.passed is False and not reasons and not warning & _TEMPERATURE:
        reasons.append("its own verdict is that it fails")
    if health.failing:
        reasons.append(f"{', '.join(health.failing)} below the threshold that announces a failure")
    return reasons


def _counted(health: DiskHealth) -> list[str]:
    counts = (
        (health.pending, "sectors that cannot be read at present"),
        (health.uncorrectable, "sectors that its own test could not read"),
        (health.media_errors, "errors of data that could not be read back"),
        (health.uncorrected, "errors that could not be corrected"),
    )
    return [f"{count} {words}" for count, words in counts if count]
