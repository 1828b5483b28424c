"""Snapshots that are files in the volume store: how many, how long, and what of them is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.cloud_files import backends_of, cloud_files
from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Metric
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.store import StoreFile

_STAT = "stat(2) of the files in the folders of the store, by the names that the cloud gives them"
_WHOLE = "Absent while a folder of the store cannot be looked at."

FILES = Metric(name="sctune_snapshot_files", about=f"Snapshots that are files in the store. {_WHOLE}", source=_STAT)
ALL_SIZE = Metric(name="sctune_snapshot_files_size_bytes", about=f"How long they are together. {_WHOLE}", source=_STAT)
ALL_ALLOCATED = Metric(name="sctune_snapshot_files_allocated_bytes", about=f"What of them is written. {_WHOLE}", source=_STAT)
SIZE = Metric(
    name="sctune_snapshot_file_size_bytes",
    about="How long a snapshot's file is; of one that is being copied, how far the copy is.",
    source=_STAT,
    labels=("snapshot",),
    detail=True,
)
ALLOCATED = Metric(
    name="sctune_snapshot_file_allocated_bytes",
    about="What of a snapshot's file is written.",
    source=_STAT,
    labels=("snapshot",),
    detail=True,
)
WRITTEN = Metric(
    name="sctune_snapshot_file_modified_timestamp_seconds",
    about="When a snapshot's file was last written: of a finished one, when it was made.",
    source=_STAT,
    labels=("snapshot",),
    detail=True,
)
METRICS = (FILES, ALL_SIZE, ALL_ALLOCATED, SIZE, ALLOCATED, WRITTEN)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the snapshots' files of one look, each inode once. A host without a store has none, and no samples."""
    inventory = look.inventory
    stores = inventory.stores
    if isinstance(stores, Unavailable) and stores.reason is Reason.ABSENT:
        return
    if isinstance(inventory.chains, Unavailable):
        raise CannotCollect(str(inventory.chains))
    found = cloud_files(inventory, backends_of(inventory))
    unread = [one for one in found.unread if one.reason is not Reason.ABSENT]
    files: dict[tuple[int, int], tuple[str, StoreFile]] = {}
    for one in found.of(FileRole.SNAPSHOT):
        files.setdefault((one.file.device, one.file.inode), (one.id, one.file))
    if not unread:
        samples.add(FILES, float(len(files)))
        samples.add(ALL_SIZE, float(sum(file.apparent for _, file in files.values())))
        samples.add(ALL_ALLOCATED, float(sum(file.allocated for _, file in files.values())))
    if samples.detail:
        options = look.options
        limit = options.limit_of("snapshot_files")
        for name, file in chosen(files.values(), lambda one: one[0], options.volumes, limit, samples):
            samples.add(SIZE, float(file.apparent), name)
            samples.add(ALLOCATED, float(file.allocated), name)
            samples.add(WRITTEN, file.mtime, name)
    if unread:
        raise CannotCollect(str(unread[0]))


COLLECTOR = Collector(
    name="snapshot_files", about="Snapshots that a cloud keeps as files in its store.", metrics=METRICS, collect=collect
)
