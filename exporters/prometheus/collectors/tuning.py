"""How the host is tuned: writeback limits, queues of the disks under volumes, huge pages, and what an applied profile set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Metric
from sctune.model.block import BlockKind
from sctune.probes.block import with_queues
from sctune.storage_path import devices_in_use
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.applied import Applied
    from sctune.model.system import Writeback

_VM = "/proc/sys/vm"
_DEVICE = ("device",)
_QUEUE = "/sys/block/DEVICE/queue"
_PER_VOLUME = frozenset({BlockKind.LOOP, BlockKind.DM})

LIMIT_RATIO = Metric(
    name="sctune_vm_dirty_limit_ratio",
    about="Share of available memory (0 to 1) that may be dirty before writers are made to wait; absent where it is set in bytes.",
    source=f"{_VM}/dirty_ratio",
)
BACKGROUND_RATIO = Metric(
    name="sctune_vm_dirty_background_limit_ratio",
    about="Share of available memory (0 to 1) from which on dirty data is written; absent where a number of bytes is set.",
    source=f"{_VM}/dirty_background_ratio",
)
LIMIT_BYTES = Metric(
    name="sctune_vm_dirty_limit_bytes",
    about="How much may be dirty before writers are made to wait, as it is in force now.",
    source=f"{_VM}/dirty_bytes, else nr_dirty_threshold of /proc/vmstat",
)
BACKGROUND_BYTES = Metric(
    name="sctune_vm_dirty_background_limit_bytes",
    about="From how much on dirty data is written, as it is in force now.",
    source=f"{_VM}/dirty_background_bytes, else nr_dirty_background_threshold of /proc/vmstat",
)
EXPIRE = Metric(
    name="sctune_vm_dirty_expire_seconds",
    about="After how long dirty data is old enough to be written.",
    source=f"{_VM}/dirty_expire_centisecs",
)
INTERVAL = Metric(
    name="sctune_vm_dirty_writeback_interval_seconds",
    about="How often the kernel looks for old dirty data; 0: never.",
    source=f"{_VM}/dirty_writeback_centisecs",
)
QUEUE = Metric(
    name="sctune_block_queue_info",
    about="Always 1; how a disk under volumes or their store is set (empty: the kernel does not say). Loop devices and logical "
    "volumes, of which each volume has its own, are not told.",
    source=f"{_QUEUE}/{{scheduler,rotational,write_cache}}",
    labels=("device", "scheduler", "rotational", "write_cache"),
    detail=True,
)
REQUESTS = Metric(
    name="sctune_block_queue_requests_limit",
    about="How many requests the disk's queue holds.",
    source=f"{_QUEUE}/nr_requests",
    labels=_DEVICE,
    detail=True,
)
READ_AHEAD = Metric(
    name="sctune_block_read_ahead_bytes",
    about="How far the kernel reads ahead on the disk.",
    source=f"{_QUEUE}/read_ahead_kb",
    labels=_DEVICE,
    detail=True,
)
HUGE_PAGES = Metric(
    name="sctune_transparent_hugepage_info",
    about="Always 1; the chosen modes of transparent huge pages.",
    source="/sys/kernel/mm/transparent_hugepage",
    labels=("enabled", "defrag"),
)
_RECORD = "/var/lib/sctune/applied.json, and each setting in it as it is now"
STATUSES = ("conforming", "drifted", "gone", "unread")
PROFILE = Metric(
    name="sctune_tuning_profile_info",
    about="Always 1; a profile that sctune applied here and nobody rolled back, and the sctune that did it.",
    source=_RECORD,
    labels=("profile", "version"),
)
APPLIED_AT = Metric(
    name="sctune_tuning_profile_applied_timestamp_seconds",
    about="When the profile was applied last.",
    source=_RECORD,
    labels=("profile",),
)
SETTINGS = Metric(
    name="sctune_tuning_settings",
    about="Settings of applied profiles: as they were left, changed since, set on devices or sessions that are gone, not readable. "
    "Absent where nothing is applied.",
    source=_RECORD,
    labels=("status",),
)
DRIFTED = Metric(
    name="sctune_tuning_setting_drifted",
    about="Whether a setting of an applied profile has been changed since (1), by the kernel or in a file that keeps it.",
    source=_RECORD,
    labels=("setting",),
    detail=True,
)
DRIFT = Metric(
    name="sctune_tuning_setting_drift_info",
    about="Always 1, for a setting that has been changed since alone; what it was set to and what it is, in words without a file's "
    "contents.",
    source=_RECORD,
    labels=("setting", "path", "expected", "actual"),
    detail=True,
)
METRICS = (
    LIMIT_RATIO,
    BACKGROUND_RATIO,
    LIMIT_BYTES,
    BACKGROUND_BYTES,
    EXPIRE,
    INTERVAL,
    HUGE_PAGES,
    QUEUE,
    REQUESTS,
    READ_AHEAD,
    PROFILE,
    APPLIED_AT,
    SETTINGS,
    DRIFTED,
    DRIFT,
)


def collect(look: Look, samples: Samples) -> None:
    """Fills in what the kernel says of itself, then what the profile that was applied wanted of it."""
    inventory = look.inventory
    samples.used("procfs")
    samples.used("sysfs")
    failures = [_queues(look, samples)] if samples.detail else []
    huge = inventory.huge_pages
    if isinstance(huge, Unavailable):
        failures.append(None if huge.reason is Reason.ABSENT else huge)
    else:
        samples.add(HUGE_PAGES, 1.0, huge.enabled, huge.defrag or "")
    writeback = inventory.writeback
    if isinstance(writeback, Unavailable):
        failures.append(writeback)
    else:
        _writeback(writeback, samples)
    applied = inventory.applied
    if isinstance(applied, Unavailable):
        failures.append(None if applied.reason in (Reason.ABSENT, Reason.NOT_COLLECTED) else applied)
    elif applied.transactions:
        _applied(applied, look.options.limit_of("tuning"), samples)
    for failure in failures:
        if failure is not None:
            raise CannotCollect(str(failure))


def _writeback(writeback: Writeback, samples: Samples) -> None:
    if not writeback.bytes_in_force:
        samples.add(LIMIT_RATIO, writeback.dirty_ratio)
    if not writeback.background_bytes:
        samples.add(BACKGROUND_RATIO, writeback.background_ratio)
    for metric, value in (
        (LIMIT_BYTES, writeback.limit),
        (BACKGROUND_BYTES, writeback.background_limit),
        (EXPIRE, writeback.expire),
        (INTERVAL, writeback.interval),
    ):
        if value is not None:
            samples.add(metric, float(value))


def _applied(applied: Applied, limit: int, samples: Samples) -> None:
    last = {one.profile: one for one in applied.transactions}  # the oldest first
    for profile, transaction in last.items():
        samples.add(PROFILE, 1.0, profile, transaction.version)
        samples.add(APPLIED_AT, transaction.time, profile)
    counts = (len(applied.conforming), len(applied.drifted), len(applied.gone), len(applied.unread))
    for status, count in zip(STATUSES, counts, strict=True):
        samples.add(SETTINGS, float(count), status)
    drifted = {one.setting for one in applied.drifted}
    every = sorted(drifted | {one.setting for one in applied.conforming})
    for setting in every[:limit]:
        samples.add(DRIFTED, float(setting in drifted), setting)
    if len(every) > limit:
        samples.skip("limit", len(every) - limit)
    for one in applied.drifted[:limit]:
        samples.add(DRIFT, 1.0, one.setting, one.path, one.wanted, one.now)


def _queues(look: Look, samples: Samples) -> Unavailable | None:
    """The disks that volumes and their stores pass through; why they could not be told."""
    inventory = look.inventory
    devices = inventory.devices
    if isinstance(devices, Unavailable):
        return devices
    chains = known(inventory.chains)
    used, _ = devices_in_use(devices, chains.chains if chains is not None else (), known(inventory.stores) or ())
    disks = with_queues(inventory.host, tuple(device for device in used if device.kind not in _PER_VOLUME))
    if isinstance(disks, Unavailable):
        return disks
    for disk in disks:
        if not look.options.devices.takes(disk.name):
            samples.skip("filter")
            continue
        rotational = "" if disk.rotational is None else str(int(disk.rotational))
        samples.add(QUEUE, 1.0, disk.name, disk.scheduler or "", rotational, disk.write_cache or "")
        if disk.nr_requests is not None:
            samples.add(REQUESTS, float(disk.nr_requests), disk.name)
        if disk.read_ahead is not None:
            samples.add(READ_AHEAD, float(disk.read_ahead), disk.name)
    return None


COLLECTOR = Collector(
    name="tuning",
    about="Writeback limits, queues, huge pages, and whether a profile still holds.",
    metrics=METRICS,
    collect=collect,
)
