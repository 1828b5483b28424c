"""Walrus' buckets: a folder each (eucalyptus, WalrusProperties.java: bucketRootDirectory; WalrusFSManager.java)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import FileKind
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.cloud import Cloud
    from sctune.model.process import Processes

BUCKETS = "/var/lib/eucalyptus/bukkits"


def probe(host: Host, *, cloud: Cloud | Unavailable, processes: Processes | Unavailable) -> int | Unavailable:
    """How many buckets lie on this host. Absent where no eucalyptus-cloud runs that could serve them, and where the folder is not:
    packages make it everywhere, empty. In a disposable child: the folder may be a dead mount."""
    from sctune.components import Component, component_of

    if isinstance(processes, Unavailable):
        return processes
    if not any(component_of(process) is Component.CLOUD for process in processes.eucalyptus):
        return Unavailable(reason=Reason.ABSENT, what="Walrus", detail="eucalyptus-cloud does not run")
    found = host.list_files(folder_of(known(cloud)))
    if isinstance(found, Unavailable):
        return found
    return sum(not isinstance(entry.stat, Unavailable) and entry.stat.kind is FileKind.DIRECTORY for entry in found)


def folder_of(cloud: Cloud | None) -> str:
    """Where buckets lie: the recorded property walrusbackend.storagedir (walrus.storagedir before 4.0), else the default."""
    for name, value in cloud.properties if cloud is not None else ():
        if name in ("walrusbackend.storagedir", "walrus.storagedir") and value.startswith("/"):
            return value
    return BUCKETS
