"""The logs of a cloud's services on this host, as far back as the configuration wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import LogQuery
from sctune.host.redact import redact_message
from sctune.model.cloud_log import CloudFault, CloudFaults, CloudLog, LogReach
from sctune.probes.cloud_log_lines import FAULT, FAULT_PATTERN, FAULT_WORDS, NODE, STORAGE
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host, LogLines
    from sctune.model.cloud import Cloud
    from sctune.model.cloud_log import LogEvent
    from sctune.probes.cloud_log_lines import Catalogue

FOLDER = "/var/log/eucalyptus"
OUTPUT, DEBUG, ERROR = f"{FOLDER}/cloud-output.log", f"{FOLDER}/cloud-debug.log", f"{FOLDER}/cloud-error.log"
NODE_LOG = f"{FOLDER}/nc.log"
FAULT_LOGS = {"cloud": f"{FOLDER}/cloud-fault.log", "sc": f"{FOLDER}/sc-fault.log", "nc": f"{FOLDER}/nc-fault.log"}


def probe(host: Host, *, cloud: Cloud | Unavailable, seconds: float) -> CloudLog | Unavailable:
    """What the JVM's services (storage controller, Walrus, …) logged in the last `seconds`. cloud-debug.log says what
    cloud-output.log does, and is read where that is not there. Stack traces are in cloud-error.log alone."""
    return cloud if isinstance(cloud, Unavailable) else _logs(host, STORAGE, ((OUTPUT, DEBUG), (ERROR,)), seconds)


def probe_node(host: Host, *, cloud: Cloud | Unavailable, seconds: float) -> CloudLog | Unavailable:
    """What the node controller logged."""
    return cloud if isinstance(cloud, Unavailable) else _logs(host, NODE, ((NODE_LOG,),), seconds)


def probe_faults(host: Host, *, cloud: Cloud | Unavailable, seconds: float) -> CloudFaults | Unavailable:
    """The faults that the components logged: each has a file of its own, written only when there is one."""
    if isinstance(cloud, Unavailable):
        return cloud
    since = host.clock().now - seconds
    query = LogQuery(words=FAULT_WORDS, pattern=FAULT_PATTERN, since=since)
    faults: list[CloudFault] = []
    unread: list[Unavailable] = []
    files: list[str] = []
    zone = ""
    for component, path in FAULT_LOGS.items():
        found = host.log_lines(path, query)
        if isinstance(found, Unavailable):
            unread += [found] if found.reason is not Reason.ABSENT else []
            continue
        files.append(path)
        zone = found.zone
        for line in found.lines:
            match = FAULT.match(line.text)
            if match is not None and line.last >= since:
                faults.append(
                    CloudFault(
                        component=component,
                        number=match[1],
                        message=redact_message(match[2]),
                        first=line.first,
                        last=line.last,
                        count=line.count,
                        file=path,
                    )
                )
    if not files:
        return unread[0] if unread else Unavailable(reason=Reason.ABSENT, what=f"{FOLDER}/*-fault.log")
    return CloudFaults(faults=tuple(faults), since=since, files=tuple(files), zone=zone, unread=tuple(unread))


def _logs(host: Host, catalogue: Catalogue, logs: tuple[tuple[str, ...], ...], seconds: float) -> CloudLog | Unavailable:
    """These logs together, of each the first name that is there. Absent where none is; the first one's reason where none can be
    read."""
    since = host.clock().now - seconds
    query = LogQuery(words=catalogue.words, pattern=catalogue.pattern, since=since)
    events: list[LogEvent] = []
    reach: list[LogReach] = []
    unread: list[Unavailable] = []
    for names in logs:
        path, found = _first(host, names, query)
        if not isinstance(found, Unavailable) and found.begins is None and found.size:
            detail = "no line begins with a time that is understood"
            found = Unavailable(reason=Reason.MALFORMED, what=path, detail=detail)
        if isinstance(found, Unavailable):
            unread.append(found)
            continue
        reach.append(LogReach(file=path, begins=found.begins, whole=found.whole, zone=found.zone))
        for line in found.lines:
            if line.last >= since:
                events.extend(catalogue.events(line, path))
    missing = [one for one in unread if one.reason is not Reason.ABSENT]
    if not reach:
        return (missing or unread)[0]
    events.sort(key=lambda event: -event.last)
    return CloudLog(events=tuple(events), since=since, reach=tuple(reach), unread=tuple(missing))


def _first(host: Host, names: tuple[str, ...], query: LogQuery) -> tuple[str, LogLines | Unavailable]:
    """The first of these logs that is there, or what was said of the first."""
    first: LogLines | Unavailable | None = None
    for path in names:
        found = host.log_lines(path, query)
        first = found if first is None else first
        if not isinstance(found, Unavailable) or found.reason is not Reason.ABSENT:
            return path, found
    assert first is not None  # noqa: S101
    return names[0], first
