"""The files that a cloud keeps in its stores, each with what it is for. Pure.

A name alone proves nothing: `snap-0a1b2c3d` may be anybody's file. Names are read as a cloud's only on a host that is one by more
than file names, and only in folders that are stores by purpose or carry volumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.backends.choose import candidates
from sctune.records import dataclass
from sctune.store_view import carries_volumes
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.backends.base import Backend
    from sctune.inventory import Inventory
    from sctune.model.loop import LoopDevice
    from sctune.model.process import Copy
    from sctune.model.store import StoreFile


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFile:
    """A file of a backend: what it is for, and the id of the volume or snapshot in its name."""

    file: StoreFile
    backend: Backend
    role: FileRole
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFiles:
    """All of them, and the stores that could not be read."""

    files: tuple[CloudFile, ...]
    unread: tuple[Unavailable, ...]

    def of(self, role: FileRole) -> tuple[CloudFile, ...]:
        """Those of one kind."""
        return tuple(one for one in self.files if one.role is role)


def backends_of(inventory: Inventory) -> tuple[Backend, ...]:
    """The backends whose files may lie on this host, () where it is no cloud's that keeps files: it has neither a version file or a
    configuration of one, nor an LV or a target that one made, nor does our configuration name one.

    Raises CannotLook where nothing else tells and the version file could not be read.
    """
    configured, cloud, chains = inventory.config.backend, known(inventory.cloud), known(inventory.chains)
    told = configured is not None or (cloud is not None and (bool(cloud.version) or cloud.installed))
    of_cloud = (c for c in (chains.chains if chains else ()) if c.ours and c.backend.file_sizes is not None)
    if not told and not any(c.lv is not None or c.exports for c in of_cloud):
        answer = inventory.cloud
        if isinstance(answer, Unavailable) and answer.reason is not Reason.ABSENT:
            need(answer)
        return ()
    report = known(inventory.lvm)
    found = candidates(configured=configured, cloud=cloud, lvs=report.logical_volumes if report else ())
    return tuple(backend for backend in found if backend.file_sizes is not None)


def cloud_files(inventory: Inventory, backends: Iterable[Backend]) -> CloudFiles:
    """The files of these backends in the volume stores."""
    stores = inventory.stores
    if isinstance(stores, Unavailable):
        return CloudFiles(files=(), unread=(stores,))
    chains = known(inventory.chains)
    found = []
    unread = []
    for store in stores:
        if not carries_volumes(store, chains):
            continue
        if isinstance(store.files, Unavailable):
            unread.append(store.files)
            continue
        for file in store.files:
            for backend in backends:
                name = backend.file_name(file.name)
                if name.role is not FileRole.OTHER:
                    found.append(CloudFile(file=file, backend=backend, role=name.role, id=name.id))
                    break
    return CloudFiles(files=tuple(found), unread=tuple(unread))


def written_by_copy(copies: Iterable[Copy]) -> dict[str, Copy]:
    """The running copies by the name, without folder, of what they write: ids are unique, and a copy may have been told another
    path to the same folder."""
    return {copy.destination.rpartition("/")[2]: copy for copy in copies if copy.destination}


def loops_by_file(loops: Iterable[LoopDevice]) -> dict[tuple[int, int], LoopDevice]:
    """The attached loop devices by the (device, inode) of the file they stand on."""
    return {
        (loop.backing.device, loop.backing.inode): loop
        for loop in loops
        if not loop.deleted and not isinstance(loop.backing, Unavailable)
    }


def in_the_making(file: StoreFile, inventory: Inventory) -> bool:
    """Whether the file was written so lately that somebody may be at it whom nobody sees: a storage controller that fetches a
    snapshot from object storage, an operator's cp. The clock of a network store may be ahead of ours."""
    return abs(inventory.clock.now - file.mtime) < inventory.config.thresholds.file_settled_seconds
