"""The configuration as checks see it. Every field has the default that applies where nothing is configured.

Sizes in bytes, times in seconds, ratios 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


ASK = "ask"
"""Stands for a file of recorded properties: the cloud's tools are asked instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A pair of thresholds: from `warning` on a warning, from `critical` on critical."""

    warning: float
    critical: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Defaults of finding-codes: where a check turns from silence to warning to critical."""

    loop_limit: Level = Level(warning=0.80, critical=0.95)
    store_used: Level = Level(warning=0.85, critical=0.95)
    store_overcommit: float = 1.0
    store_overcommit_critical_free: float = 0.10
    snapshot_headroom: float = 1.5
    snapshot_used: Level = Level(warning=0.80, critical=0.95)
    thin_pool_used: Level = Level(warning=0.80, critical=0.95)
    file_settled_seconds: float = 600.0
    log_seconds: float = 86400.0
    copies_busy_seconds: float = 60.0
    wipe_seconds: float = 3600.0
    upload_stalled_seconds: float = 3600.0
    spool_seconds: float = 3600.0
    suspended_seconds: float = 10.0
    outage_survived_seconds: float = 30.0
    session_unused_seconds: float = 600.0
    tgtadm_stuck_seconds: float = 10.0
    tgt_cpu: float = 0.85
    lvm_slow_seconds: Level = Level(warning=2.0, critical=10.0)
    lvm_metadata_free: float = 0.20
    lvm_archive_files: Level = Level(warning=2048, critical=8192)
    lvm_archive_bytes: Level = Level(warning=32 * 1024 * 1024, critical=128 * 1024 * 1024)
    dirty_limit_low_bytes: int = 64 * 1024 * 1024
    dirty_limit_excessive_bytes: int = 16 * 1024 * 1024 * 1024
    scsi_command_timeout_seconds: float = 30.0
    read_ahead_bytes: int = 128 * 1024
    read_ahead_rotating_bytes: int = 1024 * 1024
    io_pressure: Level = Level(warning=0.05, critical=0.20)
    io_waiting: float = 1.5
    memory_pressure: float = 0.05
    memory_available: float = 0.05
    jvm_heap: float = 0.50
    quota_total: float = 0.90
    quota_snapshots: float = 0.90


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """Limits of one account, and what is its: `total` bounds the sum of its volumes in bytes, `volumes` and `snapshots` their
    numbers. `owns` are the ids of its volumes and snapshots, since nothing on a host tells whose they are."""

    total: int | None = None
    volumes: int | None = None
    snapshots: int | None = None
    owns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits in logical sizes (N GiB as the user asked for), never in file sizes (N GiB + 4 MiB).

    `total` bounds the sum of all volumes, `snapshots_total` the sum of all snapshots, `volume` each volume,
    `volumes` single volumes by id, `accounts` those of single accounts. None: no such limit is known. `source` says where they
    were read.
    """

    total: int | None = None
    snapshots_total: int | None = None
    volume: int | None = None
    volumes: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, AccountLimits] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """A finding that somebody knows of: `code`, and the subjects it is muted for by a pattern of fnmatch(3) on their ids.

    It holds through the day `until` (YYYY-MM-DD), and only while the finding is no worse than `severity` ("info", "warning" or
    "critical"): one that worsens is said again. `reason` is for whoever reads the report.
    """

    code: str
    subject: str = "*"
    severity: str
    reason: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterSettings:
    """What a monitoring system is given: `collectors` switched on or off by name, `detail` (a series for each object) for all and
    `detail_of` for single ones, regular expressions that match whole names of volumes and snapshots, devices and volume groups,
    and `limits` on objects by collector. `deadline_seconds` bounds one collector (None: as long as who asks can wait),
    `interval_seconds` is for how long its answer is given again; `own_process`: also what the exporter itself uses."""

    collectors: Mapping[str, bool] = field(default_factory=dict)
    detail: bool = True
    detail_of: Mapping[str, bool] = field(default_factory=dict)
    volumes_include: tuple[str, ...] = ()
    volumes_exclude: tuple[str, ...] = ()
    devices_include: tuple[str, ...] = ()
    devices_exclude: tuple[str, ...] = ()
    groups_include: tuple[str, ...] = ()
    groups_exclude: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    deadline_seconds: float | None = None
    interval_seconds: float = 1.0
    own_process: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an operator can say.

    `stores` are folders that hold backing files. `backend` overrides what names and version files say. `loop_limit` is a
    policy of the site. `flush_speed` is how fast dirty pages reach the disk, in bytes a second, declared or measured, never
    guessed. `wanted` are advice codes that this host is meant to follow: a difference is then a warning. `properties` is a
    file with recorded output of `euca-describe-properties` or `euctl`, or "ask": these tools are asked. `openstack_volumes`
    is a file with recorded output of `openstack volume list -f json`. `role` is
    what the host is for, where it cannot be told.
    """

    thresholds: Thresholds = Thresholds()
    quotas: Quotas | None = None
    stores: tuple[str, ...] = ()
    backend: str | None = None
    role: str | None = None
    loop_limit: int | None = None
    flush_speed: float | None = None
    wanted: frozenset[str] = frozenset()
    properties: str | None = None
    openstack_volumes: str | None = None
    mutes: tuple[Mute, ...] = ()
    exporter: ExporterSettings = ExporterSettings()
    files: tuple[str, ...] = ()
