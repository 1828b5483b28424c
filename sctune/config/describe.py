"""What each key is for, in the words of the sample and of docs/configuration.md, and how its value is written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sctune.config.model import Level, Thresholds
from sctune.config.schema import unit_of
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key at the top: what it is for, and the lines of an example; those of thresholds are made from the
    defaults."""

    help: str
    example: tuple[str, ...]


KEYS: dict[str, Key] = {
    "stores": Key(
        help="Folders that hold backing files of volumes, besides those found by themselves (the cloud's own folder, the "
        "folders of files behind writable loop devices).",
        example=("stores:", "  - /var/lib/eucalyptus/volumes"),
    ),
    "backend": Key(
        help="How volumes are named and what is normal: eucalyptus-overlay, eucalyptus-das, cinder-lvm or generic. Left out: "
        "told from the host's version file and from the names of what is there.",
        example=("backend: eucalyptus-overlay",),
    ),
    "role": Key(
        help="What the host is for: storage-controller, node-controller or generic. Left out: told from what runs and is stored "
        "there.",
        example=("role: storage-controller",),
    ),
    "loop_limit": Key(
        help="The most loop devices this site wants to use. The smallest of this, the backend's own limit and a hard limit of the "
        "kernel counts.",
        example=("loop_limit: 256",),
    ),
    "flush_speed": Key(
        help="How fast this host writes unwritten data to disk, measured (for example with fio on the store's file system) or "
        "taken from the disk's data sheet. Never guessed: without it, the limit of dirty pages is judged by its size alone.",
        example=("flush_speed: 400 MiB/s",),
    ),
    "quotas": Key(
        help="Limits in logical sizes, as users ask for volumes: a volume of 10 GiB counts as 10 GiB, whatever its file takes. All "
        "volumes together, all snapshots together, each volume, and single volumes instead of `volume`. Of an account: its volumes "
        "together, the number of its volumes and of its snapshots, and which are its, since nothing on the host tells.",
        example=(
            "quotas:",
            "  total: 500 GiB",
            "  snapshots_total: 200 GiB",
            "  volume: 100 GiB",
            "  volumes:",
            "    vol-0a1b2c3d: 250 GiB",
            "  accounts:",
            "    marketing:",
            "      total: 120 GiB",
            "      volumes: 10",
            "      snapshots: 20",
            "      owns: [vol-0a1b2c3d, vol-4e5f6a7b, snap-8c9d0e1f]",
        ),
    ),
    "properties": Key(
        help="A file with the output of `euctl` or `euca-describe-properties`: limits that are not given above are taken from it. "
        "The word `ask` instead of a path: these tools are run here (5 s at most), which takes the credentials of a cloud "
        "administrator.",
        example=("properties: /etc/sctune/properties.txt",),
    ),
    "openstack_volumes": Key(
        help="A file with the output of `openstack volume list --all-projects -f json`: LVs of Cinder that are not in it, and "
        "volumes in use that no initiator is logged in to, are said. As old as the file is what is said by it.",
        example=("openstack_volumes: /etc/sctune/openstack-volumes.json",),
    ),
    "wanted": Key(
        help="Tuning advice this host is meant to follow: a difference is then a warning and no longer info.",
        example=("wanted:", "  - VM_DIRTY_LIMIT_EXCESSIVE", "  - BLOCK_SCHEDULER_UNSUITABLE"),
    ),
    "mutes": Key(
        help="Findings that somebody knows of. They are still shown, marked as muted, and do not fail the run: through the day "
        "`until`, and as long as they are no worse than `severity`. `reason` and `until` have to be given. `subject` is a name or "
        "a pattern (left out: every subject); `severity` left out is the least one of the code that fails a run.",
        example=(
            "mutes:",
            "  - code: LOOP_LEAKED",
            "    subject: vol-0a1b2c3d",
            "    severity: warning",
            "    reason: kept for the auditors, ticket 4711",
            "    until: 2027-01-31",
        ),
    ),
    "exporter": Key(
        help="What `sctune exporter` and `sctune metrics` give to a monitoring system. `collectors` are switched on or off by name "
        "(docs/exporter.md lists them). `detail`: a series for each volume, snapshot, device and LUN, or sums only; `detail_of` "
        "says it for single collectors. Regular expressions that match whole names say of which volumes (and snapshots), "
        "devices (loop3, dm-7) and volume groups; `limits` how many objects of a collector at most (5000). A collector may take "
        "`deadline_seconds`; its answer is given again for `interval_seconds`. `own_process`: also what the exporter itself "
        "uses.",
        example=(
            "exporter:",
            "  collectors:",
            "    pressure: true",
            "  detail: true",
            "  detail_of:",
            "    loop: false",
            '  volumes_include: ["vol-.*", "snap-.*"]',
            '  volumes_exclude: ["vol-0000.*"]',
            '  devices_exclude: ["loop0"]',
            '  groups_exclude: ["system"]',
            "  limits:",
            "    volumes: 2000",
            "  deadline_seconds: 5",
            "  interval_seconds: 1",
            "  own_process: true",
        ),
    ),
    "thresholds": Key(help="Where a check turns from silence to a warning and to critical. These are the defaults.", example=()),
}

THRESHOLDS: dict[str, str] = {
    "loop_limit": "attached loop devices over the limit",
    "store_used": "of the volume store, space or inodes",
    "store_overcommit": "unwritten part of sparse files over free space",
    "store_overcommit_critical_free": "overcommitted and less than this free: critical",
    "snapshot_headroom": "times the largest volume should be free",
    "snapshot_used": "of a snapshot's COW store",
    "thin_pool_used": "of a thin pool, data or metadata",
    "file_settled_seconds": "a file written within this time may still be being made",
    "log_seconds": "how far back a cloud's logs are read (--since of the doctor)",
    "copies_busy_seconds": "a storage controller may run all copies it allows itself for this long",
    "wipe_seconds": "Cinder may wipe a deleted volume for this long",
    "upload_stalled_seconds": "an upload of which nothing was seen for this long",
    "spool_seconds": "a part of a snapshot older than this may be left over",
    "suspended_seconds": "an LV may be suspended for this long",
    "outage_survived_seconds": "a single path should survive this long",
    "session_unused_seconds": "a node controller may keep a session that nothing uses for this long",
    "tgtadm_stuck_seconds": "a tgtadm older than this is stuck",
    "tgt_cpu": "of one core, tgtd's main thread",
    "lvm_slow_seconds": "LVM's report took this long: info, then a warning",
    "lvm_metadata_free": "of what a metadata area of LVM can use",
    "lvm_archive_files": "files in LVM's archive of metadata",
    "lvm_archive_bytes": "the same in bytes",
    "dirty_limit_low_bytes": "the limit of dirty pages",
    "dirty_limit_excessive_bytes": "the same, where flush_speed is not given",
    "scsi_command_timeout_seconds": "of the initiators: /sys/block/sdX/device/timeout there",
    "read_ahead_bytes": "of disks and volumes that are read through the page cache",
    "read_ahead_rotating_bytes": "of disks that turn, behind no RAID controller",
    "io_pressure": "of a minute in which all work stood still for disks",
    "io_waiting": "tasks that wait for disks at once, copies left out",
    "memory_pressure": "of a minute in which all work stood still for memory",
    "memory_available": "of all memory, with a tenth of the swap space in use",
    "jvm_heap": "of all memory, the heap of eucalyptus-cloud on a storage controller",
    "quota_total": "of the quota of all volumes",
    "quota_snapshots": "of the quota of all snapshots",
}


def threshold_lines() -> Iterator[tuple[str, str]]:
    """Every threshold as it is written, with its default, and what it is for."""
    defaults = Thresholds()
    for field in dataclasses.fields(Thresholds):
        yield f"{field.name}: {written(field.name, getattr(defaults, field.name))}", THRESHOLDS[field.name]


def written(threshold: str, value: Level | float) -> str:
    """A threshold's value in the configuration's own words."""
    if isinstance(value, Level):
        return f"{{warning: {written(threshold, value.warning)}, critical: {written(threshold, value.critical)}}}"
    match unit_of(threshold):
        case "ratio":
            return f"{value * 100:.10g} %"
        case "bytes":
            return size(int(value))
        case "factor":
            return f"{float(value)!r}"
        case _:
            return f"{value:.15g}"


def size(value: int) -> str:
    """Bytes in the largest unit that divides them."""
    for power, unit in ((5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power} {unit}"
    return f"{value} B"
