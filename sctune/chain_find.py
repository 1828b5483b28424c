"""Which chains a name means: a volume, snapshot, backing file, device, VG/LV, target or LUN, however it is written. Pure, but for
the question which device a node in /dev is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.chain_index import device_behind, normal
from sctune.remote import names as names_of_remote
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Chains
    from sctune.remote import RemoteVolume

_SUGGESTED = 5


def find(name: str, inventory: Inventory, chains: Chains) -> tuple[Chain, ...]:
    """The chains of that name: those whose very id it is; else those of which any part is so called; else the one on the device
    that a node of that name in /dev leads to. () where there is none, several where the name is of something that several share
    (a target with several LUNs)."""
    wanted = _folded(name)
    for told in (_ids, names):
        if found := tuple(chain for chain in chains.chains if wanted in map(_folded, told(chain))):
            return found
    device = device_behind(normal(name), inventory.host)
    if device is None:
        return ()
    return tuple(chain for chain in chains.chains if device in _devices(chain)) or _partition_of(name, inventory, chains)


def find_remote(name: str, inventory: Inventory, volumes: Iterable[RemoteVolume]) -> tuple[RemoteVolume, ...]:
    """The same among the volumes that other hosts serve."""
    wanted = _folded(name)
    found = tuple(volume for volume in volumes if wanted == _folded(volume.subject.id))
    found = found or tuple(volume for volume in volumes if wanted in map(_folded, names_of_remote(volume)))
    if found or (device := device_behind(normal(name), inventory.host)) is None:
        return found
    return tuple(
        volume
        for volume in volumes
        if any(local.disk.device == device for local in volume.disks)
        or (volume.multipath is not None and volume.multipath.device == device)
    )


def _folded(name: str) -> str:
    """Ids of one volume are written in either case, paths with doubled slashes."""
    return normal(name).casefold()


def _ids(chain: Chain) -> Iterator[str]:
    yield chain.id


def names(chain: Chain) -> Iterator[str]:
    """Everything that the chain or a part of it is called."""
    for path in (chain.file.path if chain.file else "", *(loop.backing_file for loop in chain.loops)):
        if path:
            yield from (path, path.rpartition("/")[2])
    for loop in chain.loops:
        yield from (loop.name, f"/dev/{loop.name}")
    lvs = [chain.lv] if chain.lv else []
    for lv in (*lvs, *(snapshot.lv for snapshot in chain.snapshots)):
        yield from (lv.name, lv.full_name, lv.path, lv.dm_path, lv.uuid)
    if chain.lv:
        yield chain.lv.vg
    for dm in (chain.dm, *(snapshot.dm for snapshot in chain.snapshots)):
        if dm is not None:
            yield from (dm.name, dm.kernel_name, f"/dev/{dm.kernel_name}", f"/dev/mapper/{dm.name}")
    for snapshot in chain.snapshots:
        yield snapshot.subject.id
        yield from snapshot.cow_loops
        yield from (f"/dev/{loop}" for loop in snapshot.cow_loops)
    for export in chain.exports:
        yield from (export.target.iqn, f"{export.target.iqn}/{export.lun.number}", export.lun.backing_path)
    for local in chain.disks:
        yield from (local.disk.name, f"/dev/{local.disk.name}", f"session{local.session.number}", local.session.identity)


def _devices(chain: Chain) -> Iterator[tuple[int, int]]:
    for loop in chain.loops:
        yield loop.device
    for dm in (chain.dm, *(snapshot.dm for snapshot in chain.snapshots)):
        if dm is not None:
            yield dm.device
    for local in chain.disks:
        yield local.disk.device


def _partition_of(name: str, inventory: Inventory, chains: Chains) -> tuple[Chain, ...]:
    """The chain of the disk that /dev/sdb2 or /dev/loop3p1 is a partition of."""
    from sctune.probes.block import whole_disk

    blocks = {device.name: device for device in known(inventory.block) or ()}
    disk = blocks.get(whole_disk(name.rpartition("/")[2], blocks))
    return () if disk is None else tuple(chain for chain in chains.chains if disk.device in _devices(chain))


def suggestions(name: str, chains: Chains) -> tuple[str, ...]:
    """What might have been meant: the ids and file names most like it."""
    from difflib import get_close_matches

    known_names = {chain.id.casefold(): chain.id for chain in chains.chains}
    close = get_close_matches(name.casefold(), known_names, n=_SUGGESTED, cutoff=0.85)
    return tuple(known_names[one] for one in close)
