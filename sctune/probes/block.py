"""Block devices: /sys/block (Documentation/ABI/stable/sysfs-block).

Every attribute costs a read of some 15 us and a storage host has hundreds of devices, so only what a device of its kind
can have is read. Holders come from the other side: whoever holds a device has it among its own slaves (device-mapper, md
and bcache make both links at once, block/holder.c), and only such stacked devices have a slaves folder worth listing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sctune.model.block import BlockDevice, BlockKind
from sctune.model.units import KIB, SECTOR
from sctune.probes.attribute import unsigned
from sctune.records import replace
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from sctune.host.base import Host

_UNSTACKED = frozenset({BlockKind.DISK, BlockKind.NVME, BlockKind.VIRTIO, BlockKind.LOOP})
_LOOP_MAJOR = 7


def outline(host: Host, *, sizes: Mapping[str, int] | None = None) -> tuple[BlockDevice, ...] | Unavailable:
    """All whole block devices in /sys/block, idle loop devices (size 0) included, sorted by name. Their
    queue folders are not read: what those say is None. `sizes` are those that this look knows already, in bytes.

    A device that vanishes between the listing and its reading is not there.
    """
    names = host.list("/sys/block")
    if isinstance(names, Unavailable):
        return names
    known = frozenset(names)
    slaves = {name: _slaves(host, name, known) for name in names if kind_of(name) not in _UNSTACKED}
    holders: dict[str, list[str]] = {}
    for name, below in slaves.items():
        for slave in below:
            holders.setdefault(slave, []).append(name)
    part_shift = (unsigned(host.read("/sys/module/loop/parameters/max_part")) or 0).bit_length()
    devices = []
    for name in names:
        size = sizes.get(name) if sizes is not None else None
        if size is None and (sectors := unsigned(host.read(f"/sys/block/{name}/size"))) is not None:
            size = sectors * SECTOR
        if size is None:
            continue
        above = tuple(holders.get(name, ()))
        device = _read_device(host, name, slaves.get(name, ()), above, size=size, part_shift=part_shift)
        if device is not None:
            devices.append(device)
    return tuple(devices)


def probe(host: Host) -> tuple[BlockDevice, ...] | Unavailable:
    """All whole block devices with all that their queues say, those of loop devices too."""
    return with_queues(host, outline(host), loops=True)


def with_queues(
    host: Host, devices: tuple[BlockDevice, ...] | Unavailable, *, loops: bool = False
) -> tuple[BlockDevice, ...] | Unavailable:
    """The same devices with what their queue folders say. Hundreds of idle loop devices may exist, and their queues say
    nothing about anything. Without `loops`, of an attached one only the scheduler is read: all that a fault can be in."""
    if isinstance(devices, Unavailable):
        return devices
    idle = [device.kind is BlockKind.LOOP and device.size == 0 for device in devices]
    return tuple(device if nothing else _with_queue(host, device, loops) for device, nothing in zip(devices, idle, strict=True))


def kind_of(name: str) -> BlockKind:
    """What kind of device a name in /sys/block is (Documentation/admin-guide/devices.txt)."""
    if name.startswith("loop") and name[4:].isdecimal():
        return BlockKind.LOOP
    if name.startswith("dm-"):
        return BlockKind.DM
    if name.startswith("sd") and name[2:].isalpha():
        return BlockKind.DISK
    if name.startswith("nvme"):
        return BlockKind.NVME
    if name.startswith(("vd", "xvd")):
        return BlockKind.VIRTIO
    if name.startswith("md") and name[2:3] in tuple("_0123456789"):
        return BlockKind.MD
    return BlockKind.OTHER


def whole_disk(name: str, known: Container[str]) -> str:
    """The disk that a name in a slaves folder belongs to: itself, or for a partition (sda2, nvme0n1p2, loop3p1) its disk."""
    if name in known:
        return name
    stem = name.rstrip("0123456789")
    if stem in known:
        return stem
    if stem.endswith("p") and stem[:-1] in known:
        return stem[:-1]
    return name


def _slaves(host: Host, name: str, known: frozenset[str]) -> tuple[str, ...]:
    found = host.list(f"/sys/block/{name}/slaves")
    if isinstance(found, Unavailable):
        return ()
    return tuple(dict.fromkeys(whole_disk(slave, known) for slave in found))


def _read_device(
    host: Host, name: str, slaves: tuple[str, ...], holders: tuple[str, ...], *, size: int, part_shift: int
) -> BlockDevice | None:
    folder = f"/sys/block/{name}"
    kind = kind_of(name)
    if kind is BlockKind.LOOP:
        device: tuple[int, int] | None = (_LOOP_MAJOR, int(name[4:]) << part_shift)
    else:
        device = _device_number(host.read(f"{folder}/dev"))
    if device is None:
        return None
    session, lun = _iscsi_address(host, folder) if kind is BlockKind.DISK else (None, None)
    return BlockDevice(
        name=name,
        kind=kind,
        device=device,
        size=size,
        read_only=False,
        removable=False,
        rotational=None,
        scheduler=None,
        schedulers=(),
        read_ahead=None,
        nr_requests=None,
        write_cache=None,
        logical_block_size=None,
        slaves=slaves,
        holders=holders,
        session=session,
        target_lun=lun,
        device_state=_word(host.read(f"{folder}/device/state")) if kind is BlockKind.DISK else None,
    )


def _with_queue(host: Host, plain: BlockDevice, loops: bool) -> BlockDevice:
    folder, kind = f"/sys/block/{plain.name}", plain.kind
    queue = f"{folder}/queue"
    scheduler, schedulers = parse_scheduler(host.read(f"{queue}/scheduler"))
    if kind is BlockKind.LOOP and not loops:
        return replace(plain, scheduler=scheduler, schedulers=schedulers)
    rotational = unsigned(host.read(f"{queue}/rotational"))
    read_ahead = unsigned(host.read(f"{queue}/read_ahead_kb"))
    physical = kind in (BlockKind.DISK, BlockKind.NVME)
    return replace(
        plain,
        read_only=unsigned(host.read(f"{folder}/ro")) == 1,
        removable=kind in (BlockKind.DISK, BlockKind.OTHER) and unsigned(host.read(f"{folder}/removable")) == 1,
        rotational=None if rotational is None else rotational == 1,
        scheduler=scheduler,
        schedulers=schedulers,
        read_ahead=None if read_ahead is None else read_ahead * KIB,
        nr_requests=unsigned(host.read(f"{queue}/nr_requests")),
        write_cache=_word(host.read(f"{queue}/write_cache")),
        logical_block_size=unsigned(host.read(f"{queue}/logical_block_size")),
        model=_word(host.read(f"{folder}/device/model")) if physical else None,
    )


def parse_scheduler(text: str | Unavailable) -> tuple[str | None, tuple[str, ...]]:
    """The scheduler in brackets and all that are offered, from `[mq-deadline] none`.

    A bare `none` is how the kernel says that the device can have no elevator (block/elevator.c: elv_iosched_show), as do
    bio-based device-mapper and md devices: None and ().
    """
    return (None, ()) if isinstance(text, Unavailable) else _scheduler(text)


@lru_cache(maxsize=64)
def _scheduler(text: str) -> tuple[str | None, tuple[str, ...]]:
    """Of all loop devices it is the same text."""
    words = text.split()
    chosen = next((word[1:-1] for word in words if word.startswith("[") and word.endswith("]") and len(word) > 2), None)
    if chosen is None:
        return None, ()
    return chosen, tuple(word.strip("[]") for word in words)


def parse_iscsi_address(link: str) -> tuple[int | None, int | None]:
    """(session, LUN) from what /sys/block/sdX points to: …/session1/target0:0:0/0:0:0:1/block/sda. (None, None) for a disk
    that came through no iSCSI session."""
    parts = link.split("/")
    session = next(
        (int(part[7:]) for part in parts if part.startswith("session") and part[7:].isdecimal() and len(part) < 20), None
    )
    if session is None or len(parts) < 3:
        return None, None
    lun = parts[-3].rpartition(":")[2]
    return session, int(lun) if lun.isdecimal() and len(lun) <= 20 else None


def _iscsi_address(host: Host, folder: str) -> tuple[int | None, int | None]:
    link = host.readlink(folder)
    return (None, None) if isinstance(link, Unavailable) else parse_iscsi_address(link)


def _device_number(text: str | Unavailable) -> tuple[int, int] | None:
    if isinstance(text, Unavailable):
        return None
    major, _, minor = text.strip().partition(":")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() and len(text) < 40 else None


def _word(text: str | Unavailable) -> str | None:
    return None if isinstance(text, Unavailable) else text.strip() or None


def by_name(devices: tuple[BlockDevice, ...]) -> Mapping[str, BlockDevice]:
    """The devices by their names in /sys/block."""
    return {device.name: device for device in devices}
