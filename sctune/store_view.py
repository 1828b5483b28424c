"""Volume stores by the file system they lie on: space is shared by all folders of one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Subject, SubjectKind
from sctune.model.store import StoreOrigin
from sctune.records import dataclass
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import FilesystemSpace
    from sctune.model.chain import Chains
    from sctune.model.loop import LoopState
    from sctune.model.store import Mount, StoreFile, VolumeStore


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFilesystem:
    """One file system and the stores on it."""

    stores: tuple[VolumeStore, ...]

    @property
    def mount(self) -> Mount | None:
        """Where it is mounted, None where the mount table does not tell."""
        return self.stores[0].mount

    @property
    def name(self) -> str:
        """Its mount point; the store's path where that is not known."""
        return self.mount.point if self.mount is not None else self.stores[0].path

    @property
    def subject(self) -> Subject:
        """The subject of findings about it."""
        return Subject(kind=SubjectKind.FILESYSTEM, id=self.name)

    @property
    def paths(self) -> tuple[str, ...]:
        """The folders."""
        return tuple(store.path for store in self.stores)

    @property
    def space(self) -> FilesystemSpace | Unavailable:
        """The first answer there is about its space; else why there is none."""
        answers = [store.space for store in self.stores]
        return next((answer for answer in answers if not isinstance(answer, Unavailable)), answers[0])


def filesystems(stores: Iterable[VolumeStore]) -> tuple[StoreFilesystem, ...]:
    """The file systems under the stores, in the stores' order."""
    groups: dict[tuple[int, int] | str, list[VolumeStore]] = {}
    for store in stores:
        groups.setdefault(store.mount.device if store.mount is not None else store.path, []).append(store)
    return tuple(StoreFilesystem(stores=tuple(group)) for group in groups.values())


def used_ratio(space: FilesystemSpace) -> float | None:
    """How full it is as df(1) says it: used of what ordinary processes can use; None for a file system without a size."""
    used = space.total - space.free
    usable = used + space.available
    return used / usable if usable > 0 else None


def volume_files(filesystem: StoreFilesystem, loops: LoopState | Unavailable) -> tuple[StoreFile, ...]:
    """The files that hold volumes, each inode once: all in a folder that is a store by purpose; in one that merely has
    loop devices' files in it, those files only (a home folder's other sparse files are not ours to count)."""
    attached = set()
    for loop in () if isinstance(loops, Unavailable) else loops.devices:
        if not loop.deleted and not isinstance(loop.backing, Unavailable) and not loop.read_only:
            attached.add((loop.backing.device, loop.backing.inode))
    found: dict[tuple[int, int], StoreFile] = {}
    for store in filesystem.stores:
        for file in () if isinstance(store.files, Unavailable) else store.files:
            identity = (file.device, file.inode)
            if store.origin is not StoreOrigin.LOOP or identity in attached:
                found.setdefault(identity, file)
    return tuple(found.values())


def carries_volumes(store: VolumeStore, chains: Chains | None) -> bool:
    """Whether a store is one by purpose, or a cloud's or exported volumes lie in it."""
    if store.origin is not StoreOrigin.LOOP:
        return True
    prefix = f"{store.path.rstrip('/')}/"
    return any(
        loop.backing_file.startswith(prefix)
        for chain in (chains.chains if chains else ())
        if chain.ours or chain.exports
        for loop in chain.loops
    )
