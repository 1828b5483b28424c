"""What has failed at the cloud's services, by their logs: one finding a kind of failure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result
from sctune.cloud_service import find_in_logs, last_of, logs_begin, of_kind, own_copies, times_logged, unread_logs
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.host.masking import MASK
from sctune.model.cloud_log import LogClass
from sctune.model.units import moment_words
from sctune.unavailable import CannotLook, Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.inventory import Inventory
    from sctune.model.cloud_log import CloudLog, LogEvent

_SHOWN = 3
_PHRASE = 60
_NAMED = 20
_SAME_THREAD_SECONDS = 5.0
_FAILURES = (
    LogClass.LOOP,
    LogClass.LVM,
    LogClass.SPACE,
    LogClass.FILE,
    LogClass.TARGET,
    LogClass.QUOTA,
    LogClass.SERVICE,
    LogClass.CREATE,
    LogClass.SNAPSHOT,
    LogClass.COMMAND,
    LogClass.NODE_ATTACH,
)
_ENDED = (LogClass.FINISHED, LogClass.UPLOADED, LogClass.UPLOAD_FAILED, LogClass.SNAPSHOT)
_HINTS = {
    LogClass.LOOP: "Compare with LOOP_LIMIT_NEAR and LOOP_LEAKED: loop devices that are not given back are what runs out.",
    LogClass.LVM: "Compare with the findings about LVM. On RHEL 7 a first attempt fails beside lvmetad (LVM_LVMETAD_RACE).",
    LogClass.SPACE: "Make room (STORE_NEARLY_FULL). Eucalyptus does not look at how its dd ends: volumes and snapshots that "
    "were being "
    "copied then are called available and are not whole. Make them anew.",
    LogClass.FILE: "Look whether the volumes folder is mounted and may be written (STORE_NOT_MOUNTED, STORE_READ_ONLY).",
    LogClass.TARGET: "Compare with the findings about tgtd (TGT_DOWN, TGT_UNRESPONSIVE, TARGET_BACKING_MISSING).",
    LogClass.QUOTA: "Users are refused volumes or snapshots, instances that boot from volumes just end. Compare with the QUOTA "
    "findings, "
    "and raise <zone>.storage.maxtotalvolumesizeingb or storage.global_total_snapshot_size_limit_gb if the store has the room.",
    LogClass.SERVICE: "The storage controller refuses work until what it names is mended: a block storage manager, object storage.",
    LogClass.TRANSFER: "Look whether object storage answers, and whether its quota has room.",
    LogClass.NODE_ATTACH: "Look at the way from this node to the storage controller: sessions, the portal, the target.",
    LogClass.DETACH_BLOCKED: "A snapshot that failed half way stays pending in the cloud's database, and every later "
    "detachment of its "
    "volume leaves the loop device (LOOP_LEAKED). Find it with euca-describe-snapshots and delete it.",
}

LOGGED = Code(
    code="CLOUD_ERRORS_LOGGED",
    severities=(Severity.WARNING,),
    title="The cloud's services have logged failures of storage",
    meaning="The logs of eucalyptus-cloud, or of the node controller, tell of volumes or snapshots that could not be made, "
    "exported, "
    "attached or copied: for want of a loop device, of LVM, of space, of a target, of quota, or because a service is disabled.",
    why="Users see only that a volume stays in creating or disappears. The storage controller often goes on as if nothing had "
    "happened: "
    "what is called available may not be whole.",
    thresholds="Any such message since thresholds.log_seconds ago (1 day; --since), one finding a kind. Not: attempts that "
    "were repeated "
    "with success, uploads of snapshots (SNAPSHOT_UPLOAD_FAILED), deletions (VOLUME_STUCK_DELETING). 'Snapshot in progress. Not "
    "detaching loop device.' only where no snapshot has ended since and none is being copied. The same message in several files "
    "counts once. Times are the host's local ones; where the logs do not reach back as far, the report says so.",
    see=(
        "grep -n ' ERROR ' /var/log/eucalyptus/cloud-error.log | tail",
        "grep -nE 'Unable to|Failed to|Could not' /var/log/eucalyptus/cloud-output.log | tail",
    ),
    remedy="Find out what failed and when, and mend the cause; then look at every volume and snapshot that is named. Mute the "
    "finding "
    "until the lines are older than the doctor reads.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java, DASManager.java, TGTWrapper.java, BlockStorageController.java, "
    "SystemUtil.java, "
    "node/handlers_default.c",
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    logs = (("eucalyptus-cloud", inventory.cloud_log), ("eucalyptus-nc", inventory.node_log))
    if all(isinstance(log, Unavailable) for _, log in logs):
        unavailable = [log for _, log in logs if isinstance(log, Unavailable)]
        raise CannotLook(next((one for one in unavailable if one.reason is not Reason.ABSENT), unavailable[0]))
    findings: list[Finding] = []
    examined = 0
    for component, log in logs:
        if isinstance(log, Unavailable):
            continue
        examined += len(log.reach)
        for kind, events in _failures(log, inventory).items():
            findings.append(_finding(component, kind, events, log))
    return Result(
        examined=examined,
        findings=tuple(findings),
        unexamined=tuple(one for _, log in logs for one in unread_logs(log)),
    )


def _failures(log: CloudLog, inventory: Inventory) -> dict[LogClass, list[LogEvent]]:
    found: dict[LogClass, list[LogEvent]] = {}
    uploads = {event.id for event in of_kind(log, LogClass.UPLOAD_FAILED)}
    for event in of_kind(log, *_FAILURES):
        # A snapshot that was not uploaded "could not be created" either: that has a code of its own.
        if not (event.kind is LogClass.SNAPSHOT and event.id in uploads):
            found.setdefault(event.kind, []).append(event)
    transfers = of_kind(log, LogClass.TRANSFER)
    if transfers and transfers[0].last > (last_of(of_kind(log, LogClass.UPLOADED)) or 0.0):
        found[LogClass.TRANSFER] = list(transfers)
    blocked = _blocked(log, inventory)
    if blocked:
        found[LogClass.DETACH_BLOCKED] = blocked
    return found


def _blocked(log: CloudLog, inventory: Inventory) -> list[LogEvent]:
    """Detachments that waited for a snapshot of which nothing is seen: with the volumes whose detachment it was, told by the line
    before, whose thread says which volume it cleans up."""
    events = of_kind(log, LogClass.DETACH_BLOCKED)
    processes = known(inventory.processes)
    if not events or (processes is not None and own_copies(processes)):
        return []
    last = events[0].last
    if (last_of(of_kind(log, *_ENDED)) or 0.0) >= last or (last_of(of_kind(log, LogClass.UPLOADING)) or 0.0) >= last:
        return []
    cleaned = [one for one in of_kind(log, LogClass.CLEANING) if last - _SAME_THREAD_SECONDS <= one.last <= last]
    return [*events, *cleaned]


def _finding(component: str, kind: LogClass, events: Sequence[LogEvent], log: CloudLog) -> Finding:
    names = tuple(dict.fromkeys(event.id for event in events if event.id))
    own = [event for event in events if event.kind is kind]
    count = times_logged(own)
    texts = tuple(dict.fromkeys(event.text for event in own if not event.continued)) or tuple(event.text for event in own)
    about = f"; {', '.join(names[:_SHOWN])}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "") if names else ""
    files = dict.fromkeys(event.file for event in own)
    phrase = quote((texts[0].rpartition(MASK)[2].strip() or texts[0])[:_PHRASE])
    return LOGGED.found(
        Subject(kind=SubjectKind.PROCESS, id=f"{component}/{kind.value}"),
        f"{texts[0]} (logged {'once' if count == 1 else f'{count} times'}{about})",
        evidence(
            volumes=names[:_NAMED],
            count=count,
            first=moment_words(min(event.first for event in own)),
            last=moment_words(max(event.last for event in own)),
            said=texts[:_SHOWN],
            local_time=log.zone,
            **logs_begin(log),
            source=", ".join(dict.fromkeys(event.file for event in own)),
        ),
        remedy=_HINTS.get(kind),
        commands=(find_in_logs(phrase, files),),
    )


CHECKS = (
    Check(
        name="cloud-errors",
        title="Failures in the logs of the cloud's services",
        codes=(LOGGED,),
        needs=("cloud_log", "node_log", "processes"),
        run=_run,
    ),
)
