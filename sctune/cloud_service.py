"""A cloud's service on this host: its processes, the copies it runs, and how far its logs tell. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Unexamined
from sctune.model.units import moment_words
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.backends.base import Backend
    from sctune.host.base import Process
    from sctune.inventory import Inventory
    from sctune.model.cloud_log import CloudLog, LogClass, LogEvent
    from sctune.model.process import Copy, Processes

COPIES_PROPERTY = "system.exec.max_restricted_concurrent_ops"


def copies_limit(backend: Backend, inventory: Inventory) -> int | None:
    """How many copies the storage controller runs at a time: as it was told, else as it does by itself; None: any number."""
    limit = backend.copies_at_once
    if limit is None:
        return None
    told = property_of(inventory, COPIES_PROPERTY)
    return int(told) if told.isascii() and told.isdecimal() and 0 < len(told) < 6 else limit


def property_of(inventory: Inventory, name: str) -> str:
    """A recorded property of the whole cloud, "" where it was not recorded."""
    cloud = known(inventory.cloud)
    return dict(cloud.properties).get(name, "") if cloud is not None else ""


def services(processes: Processes) -> tuple[Process, ...]:
    """The processes of eucalyptus-cloud: the JVM and what starts it. The kernel cuts names after 15 characters."""
    return tuple(one for one in processes.eucalyptus if one.name.startswith("eucalyptus-clou") or one.name == "java")


def own_copies(processes: Processes) -> tuple[Copy, ...]:
    """The copies that the service started and waits for, oldest first: its children. One that it lost by a restart holds
    nobody up."""
    pids = {process.pid for process in processes.eucalyptus}
    found = (copy for copy in processes.copies if copy.process.ppid in pids)
    return tuple(sorted(found, key=lambda copy: copy.process.started))


def service_started(inventory: Inventory) -> float | None:
    """When the service was started, in seconds since the epoch. None where it does not run, or nothing tells."""
    processes = known(inventory.processes)
    starts = [process.started for process in services(processes)] if processes is not None else []
    return inventory.clock.now - inventory.clock.boot + min(starts) if starts else None


def release_of(inventory: Inventory) -> tuple[int, int] | None:
    """Eucalyptus' version as (major, minor)."""
    cloud = known(inventory.cloud)
    parts = (cloud.version if cloud is not None else "").split(".")
    if len(parts) < 2 or not all(part.isascii() and part.isdecimal() for part in parts[:2]):
        return None
    return int(parts[0]), int(parts[1])


def of_kind(log: CloudLog, *kinds: LogClass) -> tuple[LogEvent, ...]:
    """The events of these kinds, newest first."""
    return tuple(event for event in log.events if event.kind in kinds)


def last_of(events: Iterable[LogEvent]) -> float | None:
    """When the last of them was logged."""
    return max((event.last for event in events), default=None)


def times_logged(events: Iterable[LogEvent]) -> int:
    """How often it was logged: the same message stands in several files, and once more in its stack trace."""
    counts: dict[tuple[str, bool], int] = {}
    for event in events:
        counts[event.file, event.continued] = counts.get((event.file, event.continued), 0) + event.count
    own = [count for (_, continued), count in counts.items() if not continued]
    return max(own or counts.values(), default=0)


def unread_logs(log: CloudLog | Unavailable) -> tuple[Unexamined, ...]:
    """What of the logs that are wanted could not be looked at, () for logs that are not there."""
    if isinstance(log, Unavailable):
        return () if log.reason is Reason.ABSENT else (Unexamined.of(log),)
    short = [one for one in log.reach if not one.whole and (one.begins is None or one.begins > log.since)]
    return (
        *(Unexamined.of(one) for one in log.unread),
        *(
            Unexamined(
                what=one.file,
                reason=Reason.MALFORMED if one.begins is None else Reason.ABSENT,
                detail=f"it reaches back to {moment_words(one.begins)} only" if one.begins is not None else "no line has a time",
            )
            for one in short
        ),
    )


def logs_begin(log: CloudLog) -> dict[str, str]:
    """Evidence: from when on the logs are known, where that is not as far back as was wanted."""
    begins = log.begins
    return {"logs_begin": moment_words(begins)} if begins is not None and begins > log.since else {}


def find_in_logs(phrase: str, files: Iterable[str]) -> str:
    """The command that shows the lines with a phrase (quoted for a shell), oldest file first: in those that a log was rolled into
    as well, compressed or not, as many as there are."""
    return f"zgrep -hF -e {phrase} $(ls -rt {' '.join(f'{file}*' for file in files)})"
