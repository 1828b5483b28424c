"""Which messages of Eucalyptus' logs tell of storage, and what each means. Pure.

Texts are those of the sources of 3.1.2, 3.2.2, 3.4.2, 4.0.2 to 4.4.2: OverlayManager, DASManager, ISCSIManager, TGTWrapper,
LVMWrapper, S3SnapshotTransfer, SnapshotCreator, VolumeCreator, BlockStorage(Controller), WalrusManager (Java), node/handlers.c and
node/handlers_default.c (C).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.host.redact import redact_message
from sctune.model.cloud_log import LogClass, LogEvent

if TYPE_CHECKING:
    from sctune.host.base import LogLine

_C = LogClass
_SNAP, _VOL = "snap-[0-9A-Fa-f]+", "vol-[0-9A-Fa-f]+"
_ID = re.compile(r"\b(?:vol|snap)-(?:[0-9A-Fa-f]{17}|[0-9A-Fa-f]{8})(?![0-9A-Fa-f])")
_INSTANCE = re.compile(r"\[(i-[0-9A-Fa-f]{8,17})\]")
_NODE_ID = re.compile(r"\[(?:i-[0-9A-Fa-f]{8,17})\]\[(vol-[0-9A-Fa-f]{8,17})\]")
# handlers.c puts a volume and its state into 16 bytes, the comma of all but the first too: their df is cut to d, as is a detaching.
_DETACH_FAILED = re.compile(r"[=,](vol-[0-9A-Fa-f]{8}):df")

_STORAGE: tuple[tuple[LogClass, str, str], ...] = (
    (_C.LOOP, "Could not create loopback device", "Could not create loopback device for "),
    (_C.LOOP, "Unable to create loop", "Unable to create loop back device for "),
    (_C.LOOP, "All attempts to ", "All attempts to remove loop device [^ ]+ failed"),
    (_C.LVM, "Unable to ", "Unable to (create|extend|reduce|remove) (snapshot logical|logical|physical) volume "),
    (_C.LVM, "Unable to ", "Unable to (create|extend|reduce|remove) volume group "),
    (_C.LVM, "Unable to get volume group", "Unable to get volume group for physical volume"),
    (_C.LVM, "Not a volume group: ", "Not a volume group: "),
    (_C.LVM, "Failed to enable logical", "Failed to enable logical volume [^ ]+, all retries exhausted"),
    (_C.LVM, "Logical volume not found", "Logical volume not found: "),
    (_C.SPACE, "No space left on device", "No space left on device"),
    (_C.FILE, "Unable to ", "Unable to create file /"),
    (_C.FILE, "volume root directory", "(Unable to make|Cannot write to) volume root directory"),
    (_C.FILE, "Backing volume", "Backing volume(:| not found:) .*"),
    (_C.FILE, "Unable to ", "Unable to remove temporary snapshot file"),
    (_C.FILE, "Unable to ", "Unable to delete: /"),
    (_C.TARGET, "Failed creating target", "Failed creating target [0-9]+ for "),
    (_C.TARGET, ", all retries exhausted", f"Failed to export volume {_VOL}, all retries exhausted"),
    (_C.TARGET, "Failed to allocate target", "Failed to allocate target for volume "),
    (_C.TARGET, "Unable to ", f"Unable to export volume {_VOL}"),
    (_C.TARGET, "Failed to attach volume ", f"Failed to attach volume {_VOL}"),
    (_C.TARGET, "Unable to ", "Unable to unbind tid: "),
    (_C.TARGET, "Gave up deleting the ", "Gave up deleting the (lun for|target): "),
    (_C.TARGET, "still exists after forcible", "still exists after forcible deletion"),
    (_C.TARGET, "Failed to delete iscsi target", "Failed to delete iscsi target "),
    (_C.TARGET, "Error unexporting ", "Error unexporting (target for volume|vol-)"),
    (_C.TARGET, "Error cleaning up volume iscsi", "Error cleaning up volume iscsi state "),
    (_C.TARGET, "timed out. Cancelling", "timed out. Cancelling the process, logging a fault"),
    (_C.TARGET, "Unable to ", f"Unable to reload volume: {_VOL}"),
    (_C.TARGET, "Unable to ", "Unable to run ('tgtadm --help'|tgtadm) command "),
    (_C.QUOTA, "Volume Size Limit Exceeded", "(Total|Max) Volume Size Limit Exceeded"),
    (_C.QUOTA, "snapshot size limit of", "exceeds (global )?total snapshot size limit of "),
    (_C.SERVICE, "have been disabled", "Snapshots have been disabled"),
    (_C.SERVICE, "BlockStorage has been", "BlockStorage has been disabled"),
    (_C.SERVICE, "Snapshot functionality", "Snapshot functionality disabled"),
    (_C.SERVICE, "blockstoragemanager not", "blockstoragemanager not configured"),
    (_C.CREATE, "Failed to create volume ", f"Failed to create volume {_VOL}"),
    (_C.SNAPSHOT, "Failed to create snapshot ", f"Failed to create snapshot {_SNAP}"),
    (_C.UPLOAD_FAILED, "Failed to upload ", f"Failed to upload (snapshot |a part for )?{_SNAP}"),
    (_C.UPLOAD_FAILED, "Failed to upload ", f"Failed to upload snapshot to objectstorage: snapshotId={_SNAP}"),
    (_C.UPLOAD_FAILED, "Failed to add async task", f"Failed to add async task for uploading {_SNAP}"),
    (_C.TRANSFER, "Transfer ", "Transfer failed. Retrying"),
    (_C.TRANSFER, "Snapshot transfer failed", "Snapshot transfer failed"),
    (_C.TRANSFER, "Failed to initialize ", "Failed to initialize (account|S3 client) for snapshot transfers"),
    (_C.TRANSFER, "Failed to download ", "Failed to download snapshot "),
    (_C.TRANSFER, "unable to transfer pending", "unable to transfer pending snapshots"),
    (_C.UPLOADED, "Uploaded ", f"Uploaded (snapshot )?{_SNAP} to object"),
    (_C.UPLOADED, "Transfer ", f"Transfer complete: snapset-[^ ]*{_SNAP}"),
    (_C.DOWNLOADED, "Downloaded snapshot ", f"Downloaded snapshot {_SNAP} to storage backend"),
    (_C.UPLOADING, "Uploading snapshot ", f"Uploading snapshot {_SNAP} to objectstorage"),
    (_C.UPLOADING, "Upload entire content", f"Upload entire content of snapshot {_SNAP}"),
    (_C.FINISHED, "Finished creating ", f"Finished creating {_SNAP} on block storage backend"),
    (_C.REQUESTED, "Processing CreateStorageSnapshot", f"Processing CreateStorageSnapshot request for volume {_VOL}"),
    (_C.DELETE_REQUESTED, "Processing DeleteStorage", f"Processing DeleteStorageSnapshot request for snapshot {_SNAP}"),
    (_C.DELETE_REQUESTED, "Processing DeleteStorage", f"Processing DeleteStorageVolume request for volume {_VOL}"),
    (_C.DELETE_BLOCKED, "Cannot delete volume ", "Cannot delete volume [^ ]+ because it is currently exported"),
    (_C.DELETE_GIVEN_UP, "All attempts to ", "All attempts to cleanup volume [^ ]+ failed"),
    (_C.CLEANING, "Cleaning up volume: ", f"Cleaning up volume: {_VOL}"),
    (_C.DETACH_BLOCKED, "Snapshot in progress.", "Snapshot in progress. Not detaching loop device"),
    # Last: what it says behind the colon is more telling, where it is one of the others.
    (_C.COMMAND, "Unable to ", "Unable to run command: "),
)
_NODE: tuple[tuple[LogClass, str, str], ...] = (
    (_C.NODE_DETACH_FAILED, "failed to detach EBS", f"{_VOL}. failed to detach EBS guest device"),
    (_C.NODE_DETACH_FAILED, ":df", f"vols=[^ ]*{_VOL}:df"),
    (_C.NODE_DETACHED, "detached EBS guest", f"{_VOL}. detached EBS guest device"),
    (_C.NODE_ATTACH, "failed to connect to EBS", f"{_VOL}. failed to connect to EBS target"),
    (_C.NODE_ATTACH, "failed to attach EBS", f"{_VOL}. failed to attach EBS guest device after"),
    (_C.NODE_ATTACH, "Failed to lookup enabled", f"{_VOL}. Failed to lookup enabled Storage Controller"),
    (_C.NODE_ATTACH, "failed to read volume XML", f"{_VOL}. failed to read volume XML from"),
)


class Catalogue:
    """Messages that are known: `words` of which each holds one, `pattern` that each matches, in the common language of
    Python's re and awk."""

    def __init__(self, entries: tuple[tuple[LogClass, str, str], ...]) -> None:
        self.entries = entries
        self.words = tuple(dict.fromkeys(word for _, word, _ in entries))
        self.pattern = "|".join(pattern for _, _, pattern in entries)
        self._named = re.compile("|".join(f"(?P<g{place}>{pattern})" for place, (_, _, pattern) in enumerate(entries)))

    def events(self, line: LogLine, file: str) -> tuple[LogEvent, ...]:
        """What a line tells, () where it is none of them."""
        found = self._named.search(line.text)
        if found is None:
            return ()
        kind = self._kind(found)
        if kind is LogClass.COMMAND and (cause := self._named.search(line.text, found.end())) is not None:
            kind, found = self._kind(cause), cause
        return tuple(
            LogEvent(
                kind=kind,
                id=name,
                first=line.first,
                last=line.last,
                count=line.count,
                file=file,
                text=redact_message(line.text),
                instance=instance[1] if (instance := _INSTANCE.match(line.text)) else "",
                continued=line.continued,
            )
            for name in _ids(line.text, found.start())
        )

    def _kind(self, found: re.Match[str]) -> LogClass:
        return self.entries[int((found.lastgroup or "g0")[1:])][0]


def _ids(text: str, start: int) -> tuple[str, ...]:
    """The volumes or snapshots that a message is about; ("",) where it names none."""
    if "vols=" in text:
        return tuple(dict.fromkeys(_DETACH_FAILED.findall(text))) or ("",)
    node = _NODE_ID.match(text)
    if node is not None:
        return (node[1],)
    found = _ID.search(text, start) or _ID.search(text)
    return (found[0] if found else "",)


STORAGE = Catalogue(_STORAGE)
"""Of the JVM's logs: cloud-output.log, cloud-debug.log, cloud-error.log."""
NODE = Catalogue(_NODE)
"""Of nc.log."""
FAULT_WORDS = ("ERR-",)
FAULT_PATTERN = "ERR-[0-9]+ "
FAULT = re.compile(r"ERR-([0-9]{4,6}) (.*)")
"""Of the fault logs: the first line of a block that has a time."""
