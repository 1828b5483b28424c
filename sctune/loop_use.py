"""What uses a loop device (stacked devices, mounts and targets), and how large it should be. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.units import SECTOR
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.chain import Chains
    from sctune.model.loop import LoopDevice
    from sctune.model.store import Mount


def mount_points(loop: LoopDevice, mounts: Iterable[Mount]) -> tuple[str, ...]:
    """Where the loop device or a partition of it is mounted. btrfs mounts have numbers of their own: their source tells."""
    node = f"/dev/{loop.name}"
    return tuple(
        mount.point for mount in mounts if mount.device == loop.device or mount.source == node or _is_partition(mount.source, node)
    )


def _is_partition(source: str, node: str) -> bool:
    return source.startswith(node + "p") and source[len(node) + 1 :].isdecimal()


def users(loop: LoopDevice, *, block: Iterable[BlockDevice], mounts: Iterable[Mount], chains: Chains | None) -> tuple[str, ...]:
    """In words, what is known to hold the loop device. () is no proof that nothing does: a process may have it open."""
    found = [holder for device in block if device.name == loop.name for holder in device.holders]
    found += [f"mounted on {point}" for point in mount_points(loop, mounts)]
    chain = chains.by_loop.get(loop.name) if chains else None
    for export in chain.exports if chain else ():
        if export.lun.backing_path in (f"/dev/{loop.name}", loop.backing_file):
            found.append(f"exported by {export.target.iqn}")
    return tuple(found)


def expected_size(file_size: int, offset: int, sizelimit: int) -> int:
    """The size in bytes that the kernel gives a loop device over a file: whole sectors only (lo_calculate_size)."""
    size = max(file_size - offset, 0)
    if 0 < sizelimit < size:
        size = sizelimit
    return size // SECTOR * SECTOR


def all_could_be_seen(inventory: Inventory) -> bool:
    """Whether everything that shows a use was looked at. Where not, `users` may know none of a loop device that is in use, and
    nobody may be told to detach it."""
    parts = (inventory.block, inventory.mounts, inventory.chains)
    if any(isinstance(part, Unavailable) for part in parts):
        return False
    tgt = inventory.tgt
    if not isinstance(tgt, Unavailable):
        return not tgt.unanswered
    processes = known(inventory.processes)
    return tgt.reason is Reason.ABSENT and not (processes and processes.tgtd)


def need_carried(inventory: Inventory) -> None:
    """Raises CannotLook where it is not known what lies on loop devices: they are not told, or writable ones are there and LVM,
    which would tell what is on them, is not."""
    state, lvm = need(inventory.loops), inventory.lvm
    if isinstance(lvm, Unavailable) and lvm.reason is not Reason.ABSENT and any(not loop.read_only for loop in state.devices):
        need(lvm)
