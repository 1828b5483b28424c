"""How far running copies of snapshots are, in bytes. Pure.

A copy to a snapshot's file is as far as that file is long: a storage controller's dd writes it from its beginning, without holes.
What is written to a volume is told by the kernel's account of the process.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.cloud_files import backends_of, cloud_files
from sctune.quota import logical_size
from sctune.records import dataclass
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.backends.base import Backend
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Chains
    from sctune.model.process import Copy
    from sctune.model.store import StoreFile


class Direction(StrEnum):
    """What a copy is for: the snapshot is made, or a volume is made from it, or it is read for something else."""

    SAVE = "save"
    RESTORE = "restore"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProgress:
    """A running copy from or to a snapshot. `volume` is the volume's id, "" where it is not known. `size` is how many bytes it will
    be, None where that is not known; `done` how many of them are written. `started` in seconds since the epoch."""

    copy: Copy
    direction: Direction
    snapshot: str
    volume: str
    size: int | None
    done: int | Unavailable | None
    started: float


def copies_in_progress(inventory: Inventory, chains: Chains) -> Iterator[CopyProgress]:
    """All running copies of which the snapshot is known: by the name of its file, or by the LV that is read. Raises CannotLook
    where it is not known whether this host is a cloud's."""
    processes = known(inventory.processes)
    if processes is None or not processes.copies:
        return
    of_volume = {copy.process.pid: chain for chain in chains.chains for copy in chain.copies}
    backends = backends_of(inventory)
    files = {one.file.name: one.file for one in cloud_files(inventory, backends).of(FileRole.SNAPSHOT)}
    written = inventory.copy_io
    booted = inventory.clock.now - inventory.clock.boot
    for copy in processes.copies:
        chain = of_volume.get(copy.process.pid)
        at = _snapshot_of(copy, chain, backends)
        if at is None:
            continue
        snapshot, direction = at
        yield CopyProgress(
            copy=copy,
            direction=direction,
            snapshot=snapshot,
            volume=chain.id if chain is not None else "",
            size=_size(copy, direction, chain, files),
            done=_done(copy, direction, files, written),
            started=booted + copy.process.started,
        )


def _snapshot_of(copy: Copy, chain: Chain | None, backends: tuple[Backend, ...]) -> tuple[str, Direction] | None:
    reading = Direction.READ if chain is None else Direction.RESTORE
    for path, direction in ((copy.destination, Direction.SAVE), (copy.source, reading)):
        for backend in backends:
            name = backend.file_name(_last(path))
            if name.role is FileRole.SNAPSHOT:
                return name.id, direction
    for snapshot in chain.snapshots if chain is not None else ():
        if copy.source in (snapshot.lv.path, snapshot.lv.dm_path):
            return snapshot.subject.id, Direction.SAVE
    return None


def _size(copy: Copy, direction: Direction, chain: Chain | None, files: Mapping[str, StoreFile]) -> int | None:
    """What is read: all of the volume, or of the snapshot's file."""
    if direction is not Direction.SAVE:
        file = files.get(_last(copy.source))
        return file.apparent if file is not None else None
    return logical_size(chain) if chain is not None else None


def _done(
    copy: Copy, direction: Direction, files: Mapping[str, StoreFile], written: Mapping[int, int | Unavailable] | Unavailable
) -> int | Unavailable | None:
    file = files.get(_last(copy.destination)) if direction is Direction.SAVE else None
    if file is not None:
        return file.apparent
    return written if isinstance(written, Unavailable) else written.get(copy.process.pid)


def _last(path: str) -> str:
    return path.rpartition("/")[2]
