"""The volume store: room in the file systems that hold volumes' files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Metric
from sctune.store_view import carries_volumes, filesystems, volume_files
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples

_STATVFS = "statvfs(3); the same as node_filesystem_* of node_exporter, for the file systems of volumes alone"
_FILES = "stat(2) of the files in the folders of the store"
_POINT = ("mountpoint",)

SIZE = Metric(
    name="sctune_filesystem_size_bytes", about="Size of a file system that holds volumes.", source=_STATVFS, labels=_POINT
)
AVAILABLE = Metric(
    name="sctune_filesystem_avail_bytes", about="What of it ordinary processes may still use.", source=_STATVFS, labels=_POINT
)
FILES = Metric(name="sctune_filesystem_volume_files", about="Files of volumes and snapshots on it.", source=_FILES, labels=_POINT)
PROMISED = Metric(
    name="sctune_filesystem_volume_files_size_bytes",
    about="How long these files are together: what is promised of the file system, as they are sparse.",
    source=_FILES,
    labels=_POINT,
)
WRITTEN = Metric(
    name="sctune_filesystem_volume_files_allocated_bytes", about="What of them is written.", source=_FILES, labels=_POINT
)
METRICS = (SIZE, AVAILABLE, FILES, PROMISED, WRITTEN)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the file systems of the stores of one look."""
    inventory = look.inventory
    stores = inventory.stores
    if isinstance(stores, Unavailable):
        if stores.reason is Reason.ABSENT:
            return
        raise CannotCollect(str(stores))
    samples.used("statvfs")
    chains = known(inventory.chains)
    unread: list[Unavailable] = []
    for filesystem in filesystems(store for store in stores if carries_volumes(store, chains)):
        space = filesystem.space
        if isinstance(space, Unavailable):
            if space.reason is not Reason.ABSENT:
                unread.append(space)
            continue
        samples.add(SIZE, float(space.total), filesystem.name)
        samples.add(AVAILABLE, float(space.available), filesystem.name)
        lost = [store.files for store in filesystem.stores if isinstance(store.files, Unavailable)]
        if lost:
            unread += lost
            continue
        files = volume_files(filesystem, inventory.loops)
        samples.add(FILES, float(len(files)), filesystem.name)
        samples.add(PROMISED, float(sum(file.apparent for file in files)), filesystem.name)
        samples.add(WRITTEN, float(sum(file.allocated for file in files)), filesystem.name)
    if unread:
        raise CannotCollect(str(unread[0]))


COLLECTOR = Collector(name="store", about="Room in the file systems that hold volumes' files.", metrics=METRICS, collect=collect)
