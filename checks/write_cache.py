"""Disks under volumes that say "written" before it is."""

from __future__ import annotations

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.device_subject import DeviceSubjects
from sctune.findings import Code, Finding, Risk, Severity, evidence
from sctune.model.block import BlockDevice, BlockKind
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.storage_path import behind_controller, devices_in_use
from sctune.unavailable import Reason, Unavailable, known, need

_DISKS = (BlockKind.DISK, BlockKind.NVME, BlockKind.VIRTIO)

VOLATILE = Code(
    code="DISK_WRITE_CACHE_VOLATILE",
    severities=(Severity.INFO,),
    title="A disk keeps writes in a cache that a power cut empties",
    meaning="A disk that volumes are stored on reports a write-back cache.",
    why="This is how most disks come, and it is safe as long as every layer above passes flushes on: then what a guest was told is "
    "safe has left the cache. Where one does not (STORE_BARRIERS_OFF, TGT_AIO_UNSAFE_FLUSH), a power cut loses it.",
    thresholds='queue/write_cache is "write back" on a disk under volumes. Disks that came through iSCSI are their own host\'s. A '
    "controller or hypervisor that keeps its cache over a power cut says write through, unless it is set up otherwise.",
    see=("grep . /sys/block/*/queue/write_cache", "hdparm -W /dev/sdX    # SATA", "sdparm --get=WCE /dev/sdX    # SAS"),
    remedy="Nothing, where no layer loses flushes. Otherwise mend that layer, or switch the disk's cache off, which costs write "
    "speed: `hdparm -W 0` (SATA), `sdparm --clear=WCE --save` (SAS), `nvme set-feature --feature-id 6 --value 0` (NVMe). Writing "
    "to queue/write_cache changes only what the kernel believes, and stops the flushes.",
    risk=Risk.SAFE,
    source="Linux Documentation/block/writeback_cache_control.rst, Documentation/ABI/stable/sysfs-block (write_cache)",
)


def run(look: Look) -> Result:
    """Judges each disk that volumes lie on."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    blocks = need(look.inventory.block)
    stores = look.inventory.stores
    unexamined = [Unexamined.of(stores)] if isinstance(stores, Unavailable) and stores.reason is not Reason.ABSENT else []
    devices, unknown = devices_in_use(blocks, need(look.inventory.chains).chains, known(stores) or ())
    unexamined += [Unexamined.of(item) for item in unknown]
    subjects = DeviceSubjects(look.inventory)
    examined = untold = 0
    findings: list[Finding] = []
    for device in devices:
        if device.kind not in _DISKS or device.session is not None or device.slaves:
            continue
        if device.write_cache is None:
            untold += 1
            continue
        examined += 1
        if device.write_cache == "write back":
            findings.append(
                VOLATILE.found(
                    subjects.of(device),
                    f"{device.name} acknowledges writes from a cache: {_why(device)}",
                    evidence(
                        device=device.name,
                        write_cache=device.write_cache,
                        model=device.model,
                        source=f"/sys/block/{device.name}/queue/write_cache",
                    ),
                )
            )
    if untold and not examined:
        return not_applicable("this kernel does not tell what caches disks have (before Linux 4.7)")
    if not examined and not unexamined:
        return not_applicable("no disk of this host's own lies under its volumes")
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _why(device: BlockDevice) -> str:
    if device.kind is BlockKind.VIRTIO or behind_controller(device):
        return "what holds this virtual disk or LUN may lose it, and has to be asked whether it does"
    return "without power, what was not flushed is gone"


CHECKS = (
    Check(
        name="disk-write-cache",
        title="Write caches of the disks under volumes",
        codes=(VOLATILE,),
        needs=("block", "chains", "stores", "tgt", "lio", "processes", "loops", "dm", "disk_ids"),
        run=run,
    ),
)
