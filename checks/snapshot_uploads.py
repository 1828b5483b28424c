"""Whether snapshots have reached object storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.check import Check, Look, Result, Unexamined
from sctune.cloud_files import backends_of, cloud_files, in_the_making, written_by_copy
from sctune.cloud_service import find_in_logs, last_of, of_kind, release_of, service_started, times_logged, unread_logs
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.cloud_log import LogClass
from sctune.model.units import duration_words, moment_words
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.cloud_files import CloudFile
    from sctune.inventory import Inventory
    from sctune.model.cloud_log import CloudLog

# What is said at INFO: that one of them is there proves that the log holds such lines.
_SAID_AT_INFO = (
    LogClass.REQUESTED,
    LogClass.UPLOADING,
    LogClass.UPLOADED,
    LogClass.FINISHED,
    LogClass.DOWNLOADED,
    LogClass.DELETE_REQUESTED,
    LogClass.CLEANING,
)
_SENT = (LogClass.UPLOADING, LogClass.UPLOADED, LogClass.UPLOAD_FAILED)
_BEGUN = (LogClass.UPLOADING, LogClass.FINISHED)
_SOURCE = "eucalyptus/eucalyptus S3SnapshotTransfer.java, SnapshotCreator.java (4.x), BlockStorage.java, WalrusManager.java (3.x)"

FAILED = Code(
    code="SNAPSHOT_UPLOAD_FAILED",
    severities=(Severity.CRITICAL,),
    title="A snapshot could not be uploaded to object storage",
    meaning="The storage controller gave up sending this snapshot to object storage, and has not done it since.",
    why="The cloud calls the snapshot failed and takes its file away: the backup that somebody made does not exist. What "
    "stopped one "
    "upload stops the next ones too.",
    thresholds="A message about a failed upload since thresholds.log_seconds ago (1 day; --since), with no later one that the "
    "snapshot was "
    "uploaded, and no later request to delete it.",
    see=(
        "grep -n 'Failed to upload' /var/log/eucalyptus/cloud-output.log",
        "grep -n -A 20 SNAP-ID /var/log/eucalyptus/cloud-error.log",
    ),
    remedy="Find out why: object storage that does not answer, a quota of buckets or of snapshots, no room in /var/tmp for the "
    "parts "
    "(SPOOL_LEFTOVER). Then take the snapshot again, and tell whoever relies on it.",
    risk=Risk.SAFE,
    source=_SOURCE,
)
NOT_UPLOADED = Code(
    code="SNAPSHOT_NOT_UPLOADED",
    severities=(Severity.WARNING,),
    title="A snapshot was made and nothing says that it was uploaded",
    meaning="The file of the snapshot is complete on this host, snapshots are to be uploaded, and the logs, which reach back "
    "to when it was "
    "made, do not say that it was.",
    why="It exists on this host alone. An upload that was cut off by a restart of the storage controller is not taken up "
    "again: the "
    "snapshot stays pending or becomes failed.",
    thresholds="Only a snapshot whose file was finished within thresholds.log_seconds (1 day; --since): older ones are not judged. "
    "Nothing was seen of its upload for thresholds.upload_stalled_seconds (1 h), no line and no part in /var/tmp, or the storage "
    "controller was started again since. Not where shouldtransfersnapshots was recorded as false; not for a snapshot that was "
    "downloaded; before 4.0 only where Walrus logs its transfers on this host. Where neither recorded properties nor the logs tell "
    "that snapshots are uploaded at all, it is unknown.",
    see=("grep -n SNAP-ID /var/log/eucalyptus/cloud-output.log", "ls -l /var/tmp/snap-*", "euca-describe-snapshots SNAP-ID"),
    remedy="Look what the cloud says of the snapshot. If it is not completed, delete it and take it again.",
    risk=Risk.SAFE,
    source=_SOURCE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What a snapshot's judgement needs: the log, when the service was started, and when each snapshot's parts were written."""

    log: CloudLog
    started: float | None
    parts: dict[str, float]
    walrus: bool


def _run(look: Look) -> Result:
    inventory = look.inventory
    log = need(inventory.cloud_log)
    findings = list(_failed(log))
    judged, unexamined = _not_uploaded(inventory, log, findings)
    ids = {event.id for event in of_kind(log, LogClass.UPLOAD_FAILED, LogClass.UPLOADED)}
    return Result(examined=len(ids) + judged, findings=tuple(findings), unexamined=(*unread_logs(log), *unexamined))


def _failed(log: CloudLog) -> list[Finding]:
    found = []
    for snapshot in dict.fromkeys(event.id for event in of_kind(log, LogClass.UPLOAD_FAILED) if event.id):
        events = [event for event in of_kind(log, LogClass.UPLOAD_FAILED) if event.id == snapshot]
        last = max(event.last for event in events)
        if (_last(log, snapshot, LogClass.UPLOADED) or 0.0) >= last or (
            _last(log, snapshot, LogClass.DELETE_REQUESTED) or 0.0
        ) >= last:
            continue
        told = [event for event in events if not event.continued] or events
        found.append(
            FAILED.found(
                Subject(kind=SubjectKind.SNAPSHOT, id=snapshot),
                f"Upload of {snapshot} failed: {told[0].text}",
                evidence(
                    count=times_logged(events),
                    last=moment_words(last),
                    said=tuple(dict.fromkeys(event.text for event in told))[:3],
                    local_time=log.zone,
                    source=", ".join(dict.fromkeys(event.file for event in events)),
                ),
                commands=(find_in_logs(snapshot, (told[0].file,)),),
            )
        )
    return found


def _last(log: CloudLog, snapshot: str, *kinds: LogClass) -> float | None:
    return last_of(event for event in of_kind(log, *kinds) if event.id == snapshot)


def _not_uploaded(inventory: Inventory, log: CloudLog, findings: list[Finding]) -> tuple[int, list[Unexamined]]:
    """Adds to `findings`. How many snapshots were judged, and what could not be."""
    release = release_of(inventory)
    uploads = of_kind(log, LogClass.UPLOADED)
    wanted = _wanted(inventory)
    if release is None or wanted is False or (release < (4, 0) and not uploads):
        return 0, []
    found = cloud_files(inventory, backends_of(inventory))
    unexamined = [Unexamined.of(one) for one in found.unread]
    files = [one for one in found.of(FileRole.SNAPSHOT) if one.file.mtime >= log.since and _is_whole(one, inventory)]
    if not files:
        return 0, unexamined
    copies = written_by_copy(need(inventory.processes).copies)
    view = _View(log=log, started=service_started(inventory), parts=_parts(inventory), walrus=release < (4, 0))
    judged = 0
    at_info = bool(of_kind(log, *_SAID_AT_INFO))
    for one in files:
        if one.file.name in copies:
            continue
        begins = log.begins
        if begins is None or one.file.mtime < begins or not at_info:
            why = "the logs do not reach back to when it was made" if at_info else "the logs hold nothing of level INFO"
            unexamined.append(Unexamined(what=f"upload of {one.id}", reason=Reason.NOT_COLLECTED, detail=why))
            continue
        finished, begun = (_last(log, one.id, kind) for kind in (LogClass.FINISHED, LogClass.UPLOADING))
        if wanted is None and finished is not None and begun is None:
            continue  # 4.2 and later begin an upload before they say that: it was never to be uploaded
        if wanted is None and begun is None and not of_kind(log, *_SENT):
            why = "nothing says whether snapshots are to be uploaded: record the cloud's properties"
            unexamined.append(Unexamined(what=f"upload of {one.id}", reason=Reason.NOT_COLLECTED, detail=why))
            continue
        judged += 1
        finding = _judge(one, view, inventory)
        findings += [finding] if finding is not None else []
    return judged, unexamined


def _wanted(inventory: Inventory) -> bool | None:
    """Whether snapshots are to be uploaded, in any of the zones that were recorded; None where nothing was. They are by default."""
    cloud = known(inventory.cloud)
    told = [v for k, v in (cloud.properties if cloud else ()) if k.endswith(".storage.shouldtransfersnapshots")]
    return any(value.lower() != "false" for value in told) if told else None


def _is_whole(one: CloudFile, inventory: Inventory) -> bool:
    sizes = one.backend.file_sizes
    return (sizes is None or sizes.fits_snapshot(one.file.apparent)) and not in_the_making(one.file, inventory)


def _parts(inventory: Inventory) -> dict[str, float]:
    spool = inventory.spool
    newest: dict[str, float] = {}
    for file in () if isinstance(spool, Unavailable) else spool.files:
        newest[file.snapshot] = max(file.mtime, newest.get(file.snapshot, 0.0))
    return newest


def _judge(one: CloudFile, view: _View, inventory: Inventory) -> Finding | None:
    log, name = view.log, one.id
    done = (LogClass.UPLOADED, LogClass.DOWNLOADED, LogClass.UPLOAD_FAILED, LogClass.SNAPSHOT, LogClass.DELETE_REQUESTED)
    if _last(log, name, *done) is not None:
        return None
    begun = _last(log, name, *_BEGUN)
    # 4.0 does not say that a snapshot was downloaded.
    asked = release_of(inventory) != (4, 0) and any(event.first <= one.file.mtime for event in of_kind(log, LogClass.REQUESTED))
    if begun is None and not asked and not view.walrus:
        return None  # nothing says that it was made here: it may have been fetched from another zone
    seen = max(one.file.mtime, begun or 0.0, view.parts.get(name, 0.0))
    restarted = view.started is not None and view.started > seen
    silent = inventory.clock.now - seen
    if not restarted and silent < inventory.config.thresholds.upload_stalled_seconds:
        return None
    return NOT_UPLOADED.found(
        Subject(kind=SubjectKind.SNAPSHOT, id=name),
        f"{name} was made {duration_words(inventory.clock.now - one.file.mtime)} ago, and nothing says that it was uploaded"
        + (": eucalyptus-cloud was started again since" if restarted else ""),
        evidence(
            file=one.file.path,
            made=moment_words(one.file.mtime),
            upload_begun=None if begun is None else moment_words(begun),
            silent_seconds=round(silent),
            service_started=None if view.started is None else moment_words(view.started),
            local_time=log.zone,
            source=", ".join(reach.file for reach in log.reach),
        ),
        commands=(find_in_logs(name, (log.reach[0].file,)),),
    )


CHECKS = (
    Check(
        name="snapshot-uploads",
        title="Uploads of snapshots",
        codes=(FAILED, NOT_UPLOADED),
        needs=("cloud_log", "cloud", "stores", "processes", "chains", "lvm", "spool"),
        run=_run,
    ),
)
