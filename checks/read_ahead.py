"""Read-ahead of the devices whose contents are read through the page cache, judged by what turns or does not turn below them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.device_subject import DeviceSubjects
from sctune.findings import Code, Finding, Risk, Severity, Subject, evidence
from sctune.model.block import BlockKind
from sctune.model.units import KIB, size_words
from sctune.records import dataclass
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.storage_path import behind_controller, whole_disk
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.model.block import BlockDevice
    from sctune.model.chain import Chain
    from sctune.model.store import VolumeStore

_ADVISED = 4096 * KIB  # tuned's throughput-performance
_BUFFERED = "rdwr"  # tgt's backing store that reads and writes through the page cache

LOW = Code(
    code="BLOCK_READ_AHEAD_LOW",
    severities=(Severity.INFO, Severity.WARNING),
    title="Too little is read ahead of who reads in order",
    meaning="The page cache fetches only a small piece at a time from this device for a reader that reads on and on.",
    why="A rotating disk that serves several volumes moves its head between pieces: with 128 KiB a piece, moving takes ten times "
    "as long as reading. Copying a volume or booting a guest from it then goes at a fraction of the disk's speed. Readers that "
    "jump about lose nothing: the kernel reads ahead only for those that read in order.",
    thresholds="Below thresholds.read_ahead_rotating_bytes (1 MiB: a head's move costs as much as reading that) where rotating "
    "disks of this host's own lie below; below thresholds.read_ahead_bytes (128 KiB, the kernel's default) on all else. Judged is "
    "the device whose contents are cached: the one that a store's file system is on, where loop devices on it are buffered, and "
    "what tgt exports as rdwr. The layers between and below do not read ahead for them.",
    see=("lsblk -o NAME,TYPE,ROTA,RA,MODEL    # RA in KiB", "grep . /sys/block/*/queue/read_ahead_kb"),
    remedy="Raise it (acts at once), and keep it by a udev rule, or for an LV in LVM's metadata.",
    risk=Risk.SAFE,
    source="Linux Documentation/ABI/stable/sysfs-block (read_ahead_kb), mm/readahead.c; tuned's profile throughput-performance "
    "(readahead=>4096)",
    advice=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cached:
    """A device that the page cache reads from; whose volume it is, and what that is called in LVM, "" for a store's disk."""

    device: BlockDevice
    subject: Subject | None
    role: str
    lv: str = ""


def run(look: Look) -> Result:
    """Judges each device that volumes are read from through the page cache."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    served = [chain for chain in need(look.inventory.chains).chains if chain.ours or chain.exports]
    # Of loop devices the light look reads no read-ahead, and only those that are exported as they are matter.
    exported_loops = any(_is_buffered(chain) and chain.dm is None and chain.loops for chain in served)
    blocks = need(look.inventory.queues if exported_loops else look.inventory.block)
    by_name = {block.name: block for block in blocks}
    stores = look.inventory.stores
    unexamined = [Unexamined.of(stores)] if isinstance(stores, Unavailable) and stores.reason is not Reason.ABSENT else []
    disks = list(_store_devices(known(stores) or (), by_name))
    cached = [*_of_stores(served, disks), *_of_exports(served, by_name)]
    if not cached and not unexamined:
        return not_applicable("nothing here is read through the page cache")
    examined = 0
    findings: list[Finding] = []
    subjects: DeviceSubjects | None = None
    for item in cached:
        if item.device.read_ahead is None:
            continue
        examined += 1
        rotating = [disk for disk in _leaves(item.device, by_name, disks) if _turns(disk)]
        thresholds = look.config.thresholds
        least = thresholds.read_ahead_rotating_bytes if rotating else thresholds.read_ahead_bytes
        if item.device.read_ahead < least:
            subjects = subjects or DeviceSubjects(look.inventory)
            findings.append(_finding(look, item, rotating, item.subject or subjects.of(item.device)))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _store_devices(stores: Iterable[VolumeStore], by_name: Mapping[str, BlockDevice]) -> Iterable[BlockDevice]:
    """The devices that the stores' file systems are on: they are what reads ahead, not what lies below them."""
    by_device = {block.device: block for block in by_name.values()}
    found: dict[str, BlockDevice] = {}
    for store in stores:
        mount = store.mount
        if mount is not None and not mount.network:
            disk = by_device.get(mount.device) or whole_disk(mount.source, mount.device, by_name)
            if disk is not None:
                found[disk.name] = disk
    return found.values()


def _of_stores(served: Iterable[Chain], disks: Iterable[BlockDevice]) -> Iterable[_Cached]:
    if any(not loop.direct_io for chain in served for loop in chain.loops):
        for disk in disks:
            yield _Cached(device=disk, subject=None, role="volumes' files lie on it, and their loop devices are buffered")


def _of_exports(served: Iterable[Chain], by_name: Mapping[str, BlockDevice]) -> Iterable[_Cached]:
    for chain in served:
        if not _is_buffered(chain):
            continue
        name = chain.dm.kernel_name if chain.dm is not None else chain.loops[0].name if chain.loops else ""
        if name in by_name:
            lv = chain.lv.full_name if chain.lv is not None else ""
            yield _Cached(device=by_name[name], subject=chain.subject, role="tgt exports it through the page cache (rdwr)", lv=lv)


def _is_buffered(chain: Chain) -> bool:
    return any(export.lun.backing_type == _BUFFERED for export in chain.exports)


def _leaves(device: BlockDevice, by_name: Mapping[str, BlockDevice], disks: Iterable[BlockDevice]) -> Iterable[BlockDevice]:
    """The disks below a device; below a loop device those of the stores, where its file lies."""
    seen: set[str] = set()
    queue = [device]
    while queue:
        item = queue.pop()
        if item.name in seen:
            continue
        seen.add(item.name)
        below = list(disks) if item.kind is BlockKind.LOOP else [by_name[name] for name in item.slaves if name in by_name]
        queue += below
        if not below:
            yield item


def _turns(disk: BlockDevice) -> bool:
    return disk.kind is BlockKind.DISK and disk.rotational is True and not behind_controller(disk)


def _finding(look: Look, item: _Cached, rotating: list[BlockDevice], subject: Subject) -> Finding:
    device, now = item.device, item.device.read_ahead or 0
    advised = _ADVISED if rotating else 128 * KIB
    advised = max(
        advised, look.config.thresholds.read_ahead_rotating_bytes if rotating else look.config.thresholds.read_ahead_bytes
    )
    names = tuple(sorted(disk.name for disk in rotating))
    what = "a rotating disk" if device in rotating else f"a {device.kind} device"
    below = f" with rotating disks below it ({', '.join(names)})" if rotating and device not in rotating else ""
    return LOW.found(
        subject,
        f"{device.name} reads {size_words(now)} ahead, {size_words(advised)} suits it: it is {what}{below}; {item.role}",
        evidence(
            device=device.name,
            read_ahead_bytes=now,
            advised_bytes=advised,
            rotating_disks=names,
            source=f"/sys/block/{device.name}/queue/read_ahead_kb",
        ),
        severity=Severity.WARNING if LOW.code in look.config.wanted else Severity.INFO,
        commands=(f"echo {advised // KIB} > /sys/block/{device.name}/queue/read_ahead_kb", *_keep(item, advised)),
    )


def _keep(item: _Cached, advised: int) -> tuple[str, ...]:
    """How the setting survives a restart: in LVM's metadata, or by a udev rule for disks of the kind."""
    if item.lv:
        return (f"lvchange --readahead {advised // 512} {shlex.quote(item.lv)}",)
    if item.device.kind is not BlockKind.DISK:
        return ()
    turns = int(item.device.rotational is True)
    rule = (
        f'ACTION=="add|change", SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", KERNEL=="sd*", ATTR{{queue/rotational}}=="{turns}", '
        f'ATTR{{queue/read_ahead_kb}}="{advised // KIB}"'
    )
    return (f"printf '%s\\n' '{rule}' > /etc/udev/rules.d/61-read-ahead.rules",)


CHECKS = (
    Check(
        name="read-ahead",
        title="Read-ahead of the devices whose contents are cached",
        codes=(LOW,),
        needs=("block", "chains", "stores", "tgt", "lio", "processes", "loops", "dm", "disk_ids"),
        run=run,
    ),
)
