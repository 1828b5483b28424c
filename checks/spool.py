"""Parts of snapshots that transfers left in /var/tmp."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined
from sctune.cloud_service import last_of, of_kind, property_of, service_started, services
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.cloud_log import LogClass
from sctune.model.units import duration_words, size_words
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.cloud_log import SpoolFile

_SHOWN = 5
_HOURS = 48
"""StorageProperties.java: snapshottransfertimeoutinhours."""
_TIMEOUTS = (".storage.snapshottransfertimeoutinhours", ".storage.snapshotuploadtimeoutinhours")
_OVER = (LogClass.UPLOADED, LogClass.UPLOAD_FAILED, LogClass.DOWNLOADED, LogClass.SNAPSHOT)

LEFTOVER = Code(
    code="SPOOL_LEFTOVER",
    severities=(Severity.WARNING,),
    title="Parts of snapshots are left in the folder for transfers",
    meaning="The storage controller cuts a snapshot into compressed parts in /var/tmp to send it to object storage, or fetches "
    "it in such "
    "parts, and removes each when it is done with it. These belong to no transfer that can still be running.",
    why="They are removed by nobody. Each failed transfer leaves up to a gigabyte, until /var/tmp is full and no snapshot can be "
    "uploaded any more.",
    thresholds="Files named snap-ID-NUMBER-PART in /var/tmp, and in the folder that systemd gives to eucalyptus-cloud there, "
    "that were not "
    "written for thresholds.spool_seconds (1 h) and that are older than the start of eucalyptus-cloud, or than the end of "
    "their snapshot's transfer by the logs, or than transfers may take (48 h, or snapshottransfertimeoutinhours).",
    see=("ls -l /var/tmp/snap-* /var/tmp/systemd-private-*-eucalyptus-cloud.service-*/tmp", "fuser -v FILE"),
    remedy="Make sure that no process has them open (fuser), then remove them. See why transfers fail: SNAPSHOT_UPLOAD_FAILED.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus S3SnapshotTransfer.java (createTempFile); EUCA-13109",
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    spool = need(inventory.spool)
    left: dict[str, list[SpoolFile]] = {}
    for file in spool.files:
        if _is_left(file, inventory):
            left.setdefault(file.path.rpartition("/")[0], []).append(file)
    return Result(
        examined=len(spool.files),
        findings=tuple(_finding(folder, files, inventory) for folder, files in left.items()),
        unexamined=tuple(Unexamined.of(one) for one in spool.unread),
    )


def _is_left(file: SpoolFile, inventory: Inventory) -> bool:
    age = inventory.clock.now - file.mtime
    if age < inventory.config.thresholds.spool_seconds:
        return False
    if age > _longest(inventory):
        return True
    processes = known(inventory.processes)
    if processes is not None and not processes.contained and not services(processes):
        return True  # nobody is there to send it
    started = service_started(inventory)
    if started is not None and started > file.mtime:
        return True
    log = known(inventory.cloud_log)
    ended = last_of(event for event in of_kind(log, *_OVER) if event.id == file.snapshot) if log is not None else None
    return ended is not None and ended >= file.mtime


def _longest(inventory: Inventory) -> float:
    """How long a transfer may take, in seconds: the longest that any zone was told."""
    cloud = known(inventory.cloud)
    names = [name for name, _ in (cloud.properties if cloud is not None else ()) if name.endswith(_TIMEOUTS)]
    hours = [int(text) for name in names if (text := property_of(inventory, name)).isascii() and text.isdecimal() and len(text) < 6]
    return 3600.0 * max(hours, default=_HOURS)


def _finding(folder: str, files: list[SpoolFile], inventory: Inventory) -> Finding:
    size = sum(file.size for file in files)
    oldest = max(inventory.clock.now - file.mtime for file in files)
    snapshots = tuple(dict.fromkeys(file.snapshot for file in files))
    number = f"{len(files)} part{'' if len(files) == 1 else 's'}"
    return LEFTOVER.found(
        Subject(kind=SubjectKind.FILESYSTEM, id=folder),
        f"{number} of snapshots, {size_words(size)}, up to {duration_words(oldest)} old, belong to no transfer",
        evidence(
            files=tuple(file.path for file in files[:_SHOWN]),
            count=len(files),
            size=size,
            oldest_seconds=round(oldest),
            snapshots=snapshots[:_SHOWN],
            source=f"{folder}, the process table, the logs of eucalyptus-cloud",
        ),
        commands=(
            f"fuser -v {' '.join(quote(file.path) for file in files[:_SHOWN])}",
            *(f"rm {folder}/{snapshot}-[0-9]*-[0-9]*" for snapshot in snapshots[:_SHOWN]),
        ),
    )


CHECKS = (
    Check(
        name="spool",
        title="Leftovers of transfers",
        codes=(LEFTOVER,),
        needs=("spool", "processes", "cloud_log", "cloud"),
        run=_run,
    ),
)
