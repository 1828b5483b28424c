"""Parts of snapshots that a storage controller keeps in /var/tmp while it sends or fetches them (S3SnapshotTransfer.java)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.host.base import FileKind
from sctune.model.cloud_log import Spool, SpoolFile
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.cloud import Cloud

FOLDER = "/var/tmp"  # noqa: S108 -- where the storage controller puts them
# Files.createTempFile(…, KEY + "-", "-" + PART): a random number between the two.
_PART = re.compile(r"(snap-(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{17}))-[0-9]+-[0-9]+\Z")
# systemd.exec(5), PrivateTmp=: one for each start of the service.
_PRIVATE = re.compile(r"systemd-private-[0-9a-f]+-eucalyptus-cloud\.service-[A-Za-z0-9]+\Z")

_PRIVATE_FOLDER = "/tmp"  # noqa: S108 -- the service's own


def probe(host: Host, *, cloud: Cloud | Unavailable) -> Spool | Unavailable:
    """The parts that lie there."""
    if isinstance(cloud, Unavailable):
        return cloud
    files: list[SpoolFile] = []
    folders: list[str] = []
    unread: list[Unavailable] = []
    pending = [FOLDER]
    while pending:
        folder = pending.pop()
        entries = host.list_files(folder)
        if isinstance(entries, Unavailable):
            if entries.reason is not Reason.ABSENT:
                unread.append(entries)
            elif folder == FOLDER:
                return entries
            continue
        folders.append(folder)
        for entry in entries:
            part = _PART.match(entry.name)
            if folder == FOLDER and _PRIVATE.match(entry.name):
                pending.append(f"{folder}/{entry.name}{_PRIVATE_FOLDER}")
            elif part is None:
                continue
            elif isinstance(entry.stat, Unavailable):
                if entry.stat.reason is not Reason.ABSENT:
                    unread.append(entry.stat)
            elif entry.stat.kind is FileKind.FILE:
                path = f"{folder}/{entry.name}"
                files.append(SpoolFile(path=path, snapshot=part[1], size=entry.stat.allocated, mtime=entry.stat.mtime))
    return Spool(files=tuple(files), folders=tuple(folders), unread=tuple(unread)) if folders else unread[0]
