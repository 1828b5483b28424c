"""Which block devices volumes pass through, from loop device to disk. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.model.block import BlockDevice
    from sctune.model.chain import Chain
    from sctune.model.store import VolumeStore

# A "disk" whose own controller, array or hypervisor has a scheduler and a cache: what rotates there is not ours to order.
_NOT_BARE = (
    "virtual",
    "qemu",
    "vbox",
    "raid",
    "perc",
    "logical",
    "mr8",
    "mr9",
    "volume",
    "symmetrix",
    "open-v",
    "iblock",
    "fileio",
)
_FIXED_MINORS = 16  # sd and virtio give each disk 16 minor numbers, partitions included


def behind_controller(device: BlockDevice) -> bool:
    """Whether a disk is a LUN of an array, a RAID controller or a hypervisor, or came through iSCSI: by its session and model."""
    model = (device.model or "").lower()
    return device.session is not None or any(word in model for word in _NOT_BARE)


def devices_in_use(
    blocks: Iterable[BlockDevice], chains: Iterable[Chain], stores: Iterable[VolumeStore]
) -> tuple[tuple[BlockDevice, ...], tuple[Unavailable, ...]]:
    """The whole devices under served volumes and their store, what they are stacked on included, sorted by name; and the
    stores whose disk could not be told. Volumes of nobody that are not exported, and network file systems, have no part in it."""
    by_name = {block.name: block for block in blocks}
    by_device = {block.device: block for block in by_name.values()}
    queue: list[str] = []
    unknown: list[Unavailable] = []
    for chain in chains:
        if chain.ours or chain.exports:
            queue.extend(_of_chain(chain, by_name, by_device))
    for store in stores:
        mount = store.mount
        if mount is None or mount.network or not (mount.device in by_device or mount.source.startswith("/dev/")):
            continue
        disk = by_device.get(mount.device) or whole_disk(mount.source, mount.device, by_name)
        if disk is None:
            unknown.append(
                Unavailable(reason=Reason.ABSENT, what=f"the disk under {store.path}", detail=f"{mount.source} is on no known disk")
            )
        else:
            queue.append(disk.name)
    found: dict[str, BlockDevice] = {}
    while queue:
        name = queue.pop()
        if name in by_name and name not in found:
            found[name] = by_name[name]
            queue.extend(by_name[name].slaves)
    return tuple(found[name] for name in sorted(found)), tuple(unknown)


def whole_disk(node: str, device: tuple[int, int], by_name: Mapping[str, BlockDevice]) -> BlockDevice | None:
    """The disk that a device node (/dev/sda1) is, or is a partition of: by its name, and where the name says nothing
    (/dev/root) by its number."""
    name = node.rpartition("/")[2]
    if name in by_name:
        return by_name[name]
    stem = name.rstrip("0123456789")
    if stem != name:
        for disk in (stem, stem[:-1] if stem.endswith("p") and stem[-2:-1].isdigit() else stem):
            if disk in by_name:
                return by_name[disk]
    if device[0] < 0:
        return None  # only a path was known
    for block in by_name.values():
        first = block.device[1]
        if (
            block.kind in (BlockKind.DISK, BlockKind.VIRTIO)
            and block.device[0] == device[0]
            and first <= device[1] < first + _FIXED_MINORS
        ):
            return block
    return None


def _of_chain(chain: Chain, by_name: Mapping[str, BlockDevice], by_device: Mapping[tuple[int, int], BlockDevice]) -> Iterator[str]:
    yield from (loop.name for loop in chain.loops)
    if chain.dm is not None:
        yield chain.dm.kernel_name
    for link in chain.snapshots:
        yield from link.cow_loops
        if link.dm is not None:
            yield link.dm.kernel_name
    nodes = [(pv.path, pv.device) for pv in chain.pvs if pv.device is not None]
    nodes += [(export.lun.backing_path, (-1, -1)) for export in chain.exports if export.lun.backing_path.startswith("/dev/")]
    for path, device in nodes:
        disk = by_device.get(device) or whole_disk(path, device, by_name)
        if disk is not None:
            yield disk.name
