"""The file systems under the volume stores: what fills them, what they promise, what still fits. Pure.

Sizes of files: OverlayManager.java of eucalyptus/eucalyptus (createVolume: N GiB + 4 MiB; createSnapshot: a full copy of N, and
a COW file of N / 2 while it is made).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.backends.choose import GENERIC, candidates
from sctune.backends.eucalyptus import LVM_HEADER_LENGTH
from sctune.cloud_files import backends_of, cloud_files
from sctune.model.capacity import NextSnapshot, Role, Room, Share, StoreCapacity
from sctune.quota import logical_size
from sctune.records import dataclass
from sctune.store_view import carries_volumes, filesystems, volume_files
from sctune.unavailable import CannotLook, Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.host.base import FilesystemSpace
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Chains
    from sctune.model.store import StoreFile
    from sctune.store_view import StoreFilesystem

_ROLES = {FileRole.VOLUME: Role.VOLUMES, FileRole.SNAPSHOT: Role.SNAPSHOTS, FileRole.COW_STORE: Role.COW_STORES}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file in a store: what it is for, the volume it is part of, and what it may still grow by."""

    file: StoreFile
    role: Role
    chain: Chain | None
    growth: int


def store_capacities(
    inventory: Inventory, size: int, *, overlay: bool
) -> tuple[tuple[StoreCapacity, ...], tuple[Unavailable, ...]]:
    """Each file system that holds a cloud's volumes or snapshots or exported files, and what could not be looked at. `size` is
    the logical size of the volumes asked about; `overlay` is whether a store without any volume will hold those of Eucalyptus'
    overlay."""
    stores = inventory.stores
    if isinstance(stores, Unavailable):
        return (), (stores,) if stores.reason is not Reason.ABSENT else ()
    chains = known(inventory.chains)
    found: list[StoreCapacity] = []
    unknown: list[Unavailable] = []
    roles: dict[tuple[int, int], Role] = {}
    try:
        roles = _cloud_roles(inventory)
    except CannotLook as error:
        unknown.append(error.unavailable)
    for group in filesystems(stores):
        if not any(carries_volumes(store, chains) for store in group.stores):
            continue
        unread = [store.files for store in group.stores if isinstance(store.files, Unavailable)]
        space = group.space
        problems = [*([space] if isinstance(space, Unavailable) else []), *unread]
        unknown.extend(dict.fromkeys(problem for problem in problems if problem.reason is not Reason.ABSENT))
        unknown.extend(_unlooked(store.path, store.unlooked) for store in group.stores if store.unlooked)
        if not isinstance(space, Unavailable) and len(unread) < len(group.stores):
            found.append(_store(inventory, group, space, chains, roles, size, overlay))
    return tuple(found), tuple(unknown)


def _unlooked(path: str, number: int) -> Unavailable:
    return Unavailable(reason=Reason.FAILED, what=f"{number} entries of {path}", detail="stat(2) failed")


def _cloud_roles(inventory: Inventory) -> dict[tuple[int, int], Role]:
    try:
        backends = backends_of(inventory)
    except CannotLook:
        # Whether a cloud's is here is not known, and told (survey): until then names count.
        report = known(inventory.lvm)
        named = candidates(configured=None, cloud=None, lvs=report.logical_volumes if report else ())
        backends = tuple(backend for backend in named if backend is not GENERIC)
    return {(one.file.device, one.file.inode): _ROLES[one.role] for one in cloud_files(inventory, backends).files}


def _store(  # noqa: PLR0917
    inventory: Inventory,
    group: StoreFilesystem,
    space: FilesystemSpace,
    chains: Chains | None,
    roles: dict[tuple[int, int], Role],
    size: int,
    overlay: bool,
) -> StoreCapacity:
    files = _files(inventory, group, chains, roles)
    used = space.total - space.free
    shares = [_share(role, files) for role in (Role.VOLUMES, Role.SNAPSHOTS, Role.COW_STORES, Role.OTHER_FILES)]
    elsewhere = max(0, used - sum(share.allocated for share in shares))
    shares.append(Share(role=Role.ELSEWHERE, count=None, length=None, allocated=elsewhere))
    volumes = [one for one in files if one.role is Role.VOLUMES]
    level = inventory.config.thresholds.store_used.warning
    growth = sum(one.growth for one in files)
    snapshot, kind = _next_snapshot(inventory, group, volumes, chains, space.available, overlay)
    return StoreCapacity(
        name=group.name,
        folders=group.paths,
        filesystem=group.mount.filesystem if group.mount else "",
        mounted_from=group.mount.source if group.mount else "",
        total=space.total,
        free=space.free,
        available=space.available,
        nearly_full=level,
        shares=tuple(shares),
        promised=sum(one.file.apparent for one in volumes),
        logical=sum(_logical(one) for one in volumes),
        growth=growth,
        snapshot=snapshot,
        room=_room(kind, size, snapshot, int(level * (used + space.available)) - used - growth),
        forecast=None,
    )


def _files(
    inventory: Inventory, group: StoreFilesystem, chains: Chains | None, roles: dict[tuple[int, int], Role]
) -> tuple[_File, ...]:
    by_file = {(c.file.device, c.file.inode): c for c in (chains.chains if chains else ()) if c.file is not None}
    copied = {copy.destination.rpartition("/")[2]: chain for chain in (chains.chains if chains else ()) for copy in chain.copies}
    attached = {(file.device, file.inode) for file in volume_files(group, inventory.loops)}
    found: dict[tuple[int, int], _File] = {}
    for store in group.stores:
        for file in () if isinstance(store.files, Unavailable) else store.files:
            identity = (file.device, file.inode)
            chain = by_file.get(identity)
            exported = chain is not None and identity in attached and bool(chain.loops)
            role = roles.get(identity) or (Role.VOLUMES if exported else Role.OTHER_FILES)
            found.setdefault(identity, _File(file=file, role=role, chain=chain, growth=_growth(file, role, copied)))
    return tuple(found.values())


def _growth(file: StoreFile, role: Role, copied: dict[str, Chain]) -> int:
    """What may still be written into a file: the holes of one that is a device, the rest of a copy that runs."""
    if role is Role.SNAPSHOTS:
        chain = copied.get(file.name)
        return max(0, (logical_size(chain) or 0) - file.allocated) if chain is not None else 0
    return max(0, file.apparent - file.allocated) if role in (Role.VOLUMES, Role.COW_STORES) else 0


def _share(role: Role, files: tuple[_File, ...]) -> Share:
    mine = [one.file for one in files if one.role is role]
    return Share(
        role=role, count=len(mine), length=sum(file.apparent for file in mine), allocated=sum(file.allocated for file in mine)
    )


def _logical(one: _File) -> int:
    return (logical_size(one.chain) if one.chain is not None else None) or one.file.apparent


class _Kind:
    """What a backend puts into a store: how much longer than a volume its file is (None: volumes are no files), and whether
    snapshots are copied here."""

    __slots__ = ("copies", "extra")

    def __init__(self, extra: int | None, *, copies: bool) -> None:
        self.extra = extra
        self.copies = copies


def _next_snapshot(  # noqa: PLR0917
    inventory: Inventory,
    group: StoreFilesystem,
    volumes: list[_File],
    chains: Chains | None,
    available: int,
    overlay: bool,
) -> tuple[NextSnapshot | None, _Kind]:
    """What one more snapshot of the largest volume needs on this file system."""
    here = [(_logical(one), one.chain) for one in volumes if one.chain is not None and one.chain.ours]
    cloud = known(inventory.cloud)
    if not volumes and cloud is not None and cloud.volumes_folder in group.paths:
        # DAS: volumes are LVs, and their snapshots are copied into the cloud's folder.
        das = [c for c in (chains.chains if chains else ()) if c.ours and c.lv is not None and c.backend.name == "eucalyptus-das"]
        here = [(logical_size(c) or 0, c) for c in das]
    if not here:
        if volumes:  # files that somebody exports, and no cloud's
            return None, _Kind(0, copies=False)
        return None, _Kind(LVM_HEADER_LENGTH if overlay else None, copies=overlay)
    size, chain = max(here, key=lambda pair: (pair[0], pair[1].id))
    sizes = chain.backend.file_sizes
    extra = sizes.volume_extra if sizes is not None else 0
    cow = 0 if extra is None else size // 2
    need = NextSnapshot(volume=chain.id, size=size, copy=size, cow=cow, left=available - size - cow)
    return (need if sizes is not None else None), _Kind(extra, copies=sizes is not None)


def _room(kind: _Kind, size: int, snapshot: NextSnapshot | None, spare: int) -> Room | None:
    """`spare` is what can be written before the store is nearly full, with all that is promised already taken off."""
    if kind.extra is None:
        return None
    each = size + kind.extra
    largest = max(size, snapshot.size if snapshot is not None else 0)
    return Room(
        size=size,
        each=each,
        full=max(0, spare // each),
        with_snapshot=max(0, (spare - largest - largest // 2) // each) if kind.copies else None,
    )
