"""Uploads of snapshots to object storage, by a cloud's logs and the parts that lie in its spool. Off by default: it reads logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.cloud_service import service_started
from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.exporters.prometheus.upload_log import BEGUN, DONE, FAILED, UploadLog
from sctune.probes.cloud_log import probe as probe_log
from sctune.probes.spool import probe as probe_spool
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.cloud import Cloud
    from sctune.model.cloud_log import Spool

_LOG = "/var/log/eucalyptus/cloud-output.log and cloud-error.log"
_SPOOL = "stat(2) of snap-ID-NUMBER-PART in /var/tmp, and in that of the service (PrivateTmp)"
_SNAPSHOT = ("snapshot",)
_SINCE = "Counted since the exporter began to look; in a single answer (sctune metrics): those that the logs tell of."
_WINDOW = "Forgotten after thresholds.log_seconds."

UPLOADS = Metric(
    name="sctune_snapshot_uploads_total", about=f"Uploads that were finished. {_SINCE}", source=_LOG, kind=Kind.COUNTER
)
FAILURES = Metric(
    name="sctune_snapshot_upload_failures_total",
    about=f"Uploads that were given up; messages about one snapshot within a minute are one. {_SINCE}",
    source=_LOG,
    kind=Kind.COUNTER,
)
RUNNING = Metric(
    name="sctune_snapshot_uploads_in_progress",
    about="Uploads that have begun and not ended, since the service was started.",
    source=f"{_LOG}; the process table",
)
LAST_SUCCESS = Metric(
    name="sctune_snapshot_upload_last_success_timestamp_seconds",
    about=f"When the last upload of any snapshot was finished. {_WINDOW}",
    source=_LOG,
)
BEGUN_AT = Metric(
    name="sctune_snapshot_upload_begun_timestamp_seconds",
    about=f"When the snapshot's upload began. {_WINDOW}",
    source=_LOG,
    labels=_SNAPSHOT,
    detail=True,
)
DONE_AT = Metric(
    name="sctune_snapshot_upload_success_timestamp_seconds",
    about=f"When it was finished. {_WINDOW}",
    source=_LOG,
    labels=_SNAPSHOT,
    detail=True,
)
FAILED_AT = Metric(
    name="sctune_snapshot_upload_failure_timestamp_seconds",
    about=f"When it was given up. {_WINDOW}",
    source=_LOG,
    labels=_SNAPSHOT,
    detail=True,
)
PARTS = Metric(
    name="sctune_snapshot_transfer_parts",
    about="Compressed parts of the snapshot that lie in the spool, on their way to object storage or from it.",
    source=_SPOOL,
    labels=_SNAPSHOT,
    detail=True,
)
PARTS_BYTES = Metric(
    name="sctune_snapshot_transfer_parts_bytes", about="What they take.", source=_SPOOL, labels=_SNAPSHOT, detail=True
)
PARTS_WRITTEN = Metric(
    name="sctune_snapshot_transfer_parts_modified_timestamp_seconds",
    about="When the newest of them was last written: long ago, the transfer stands still, or left it.",
    source=_SPOOL,
    labels=_SNAPSHOT,
    detail=True,
)
METRICS = (UPLOADS, FAILURES, RUNNING, LAST_SUCCESS, BEGUN_AT, DONE_AT, FAILED_AT, PARTS, PARTS_BYTES, PARTS_WRITTEN)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the uploads of one look. Where no Eucalyptus is, there are none."""
    cloud = look.inventory.cloud
    if isinstance(cloud, Unavailable):
        if cloud.reason is Reason.ABSENT:
            return
        raise CannotCollect(str(cloud))
    unread = [*_by_log(look, cloud, samples), *_by_spool(look, cloud, samples)]
    if unread:
        raise CannotCollect(str(unread[0]))


def _by_log(look: Look, cloud: Cloud, samples: Samples) -> tuple[Unavailable, ...]:
    """Tells what the logs say; why some of them could not be read."""
    kept = look.memory.of(UploadLog)
    window = look.options.config.thresholds.log_seconds
    seconds = kept.seconds(look.now, window)
    if seconds is not None:
        log = probe_log(look.inventory.host, cloud=cloud, seconds=seconds)
        if isinstance(log, Unavailable):
            return () if log.reason is Reason.ABSENT else (log,)
        kept.add(log, look.now, window, past=look.options.once)
    samples.used("cloud_log")
    if kept.read_at is not None:
        samples.read(kept.read_at)
    samples.add(UPLOADS, float(kept.done))
    samples.add(FAILURES, float(kept.failed))
    samples.add(RUNNING, float(len(kept.running(service_started(look.inventory)))))
    last = kept.last(DONE)
    if last is not None:
        samples.add(LAST_SUCCESS, last)
    options = look.options
    moments = {(name, metric): when for kind, metric in _MOMENTS for name, when in kept.moments(kind).items()}
    names = sorted({name for name, _ in moments})
    for name in chosen(names, str, options.volumes, options.limit_of("uploads"), samples):
        for _, metric in _MOMENTS:
            if (name, metric) in moments:
                samples.add(metric, moments[name, metric], name)
    return kept.unread


_MOMENTS = ((BEGUN, BEGUN_AT), (DONE, DONE_AT), (FAILED, FAILED_AT))


def _by_spool(look: Look, cloud: Cloud, samples: Samples) -> tuple[Unavailable, ...]:
    """Tells of the parts that lie there; why some could not be seen."""
    spool: Spool | Unavailable = probe_spool(look.inventory.host, cloud=cloud)
    if isinstance(spool, Unavailable):
        return () if spool.reason is Reason.ABSENT else (spool,)
    options = look.options
    names = sorted({file.snapshot for file in spool.files})
    for name in chosen(names, str, options.volumes, options.limit_of("uploads"), samples):
        files = [file for file in spool.files if file.snapshot == name]
        samples.add(PARTS, float(len(files)), name)
        samples.add(PARTS_BYTES, float(sum(file.size for file in files)), name)
        samples.add(PARTS_WRITTEN, max(file.mtime for file in files), name)
    return spool.unread


COLLECTOR = Collector(
    name="uploads",
    about="Uploads of snapshots to object storage, by the cloud's logs and its spool.",
    metrics=METRICS,
    collect=collect,
    default=False,
)
