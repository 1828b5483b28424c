"""LVM as `lvm fullreport --reportformat json --units b` tells it (lvmreport(7)). Sizes in bytes, uuids with their hyphens."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalVolume:
    """A PV. `path` is LVM's name for the device ("[unknown]" when missing), `device` its (major, minor) or None.
    `vg` is "" for a PV in no VG. `last_path` is where the VG's metadata last had a missing PV, "" where LVM does not say."""

    uuid: str
    path: str
    device: tuple[int, int] | None
    vg: str
    size: int
    free: int
    missing: bool
    duplicate: bool
    last_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeGroup:
    """A VG. `seqno` counts metadata changes; `metadata_free` of `metadata_size` bytes are left for metadata text."""

    uuid: str
    name: str
    seqno: int
    size: int
    free: int
    extent_size: int
    pv_count: int
    missing_pv_count: int
    lv_count: int
    snapshot_count: int
    metadata_free: int
    metadata_size: int
    tags: tuple[str, ...]
    exported: bool
    partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalVolume:
    """An LV. `attr` is lvs(8)'s attribute string, `layout` the layouts (linear, thin, pool …), `origin` the origin's name.

    `active` is whether the kernel has it; `device` its (major, minor) then. `open` whether something holds it open.
    `snap_percent`, `data_percent`, `metadata_percent` are 0..1 or None. `snapshot_invalid` is None on what is no snapshot.
    `pv_uuids` are the PVs its segments lie on, in order. `created` is seconds since the epoch (lv_time), None when unset.
    """

    uuid: str
    name: str
    vg: str
    vg_uuid: str
    path: str
    dm_path: str
    attr: str
    size: int
    layout: tuple[str, ...]
    origin: str
    pool: str
    tags: tuple[str, ...]
    active: bool
    suspended: bool
    open: bool
    device: tuple[int, int] | None
    snap_percent: float | None
    data_percent: float | None
    metadata_percent: float | None
    snapshot_invalid: bool | None
    health: str
    segment_types: tuple[str, ...]
    pv_uuids: tuple[str, ...]
    created: float | None

    @property
    def full_name(self) -> str:
        """VG/LV, as LVM writes it."""
        return f"{self.vg}/{self.name}"

    @property
    def dm_uuid(self) -> str:
        """The uuid its device has in device-mapper, without the suffix of a layer (-real, -cow …)."""
        return "LVM-" + (self.vg_uuid + self.uuid).replace("-", "")

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a COW snapshot (thick); thin snapshots have a pool."""
        return bool(self.origin) and not self.pool


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePv:
    """A PV uuid that LVM found on more than one device; `paths` are all it named, `preferred` the one it uses ("" where it
    does not say)."""

    uuid: str
    paths: tuple[str, ...]
    preferred: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LvmReport:
    """One consistent report. `warnings` are LVM's own lines on stderr that matter; `seconds` is what the command took,
    None where that is not told.

    `internal` are LVM's hidden LVs (parts of pools, mirrors, RAID), which are nobody's volume; their PVs are among the
    `pv_uuids` of the LV they belong to. `excluded` are the names in /sys/block of devices that LVM was not let near, since a
    read there could hang: what is on them, LVM calls missing.
    """

    physical_volumes: tuple[PhysicalVolume, ...]
    volume_groups: tuple[VolumeGroup, ...]
    logical_volumes: tuple[LogicalVolume, ...]
    duplicates: tuple[DuplicatePv, ...]
    warnings: tuple[str, ...]
    seconds: float | None
    internal: tuple[LogicalVolume, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LvmSettings:
    """Effective settings by `lvmconfig --typeconfig full` (lvm.conf(5)). Thresholds are 0..1; 1.0 means autoextension is off."""

    scan_lvs: bool | None
    use_devicesfile: bool | None
    filter: tuple[str, ...]
    global_filter: tuple[str, ...]
    snapshot_autoextend_threshold: float | None
    snapshot_autoextend_percent: float | None
    thin_pool_autoextend_threshold: float | None
    thin_pool_autoextend_percent: float | None
    monitoring: bool | None
    use_lvmetad: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LvmArchive:
    """The folder in which LVM keeps a copy of a VG's metadata for each change (lvm.conf(5), backup/archive_dir). `vgs` are
    the names of the VGs that have copies, `oldest` is when the oldest was written (seconds since the epoch) or None."""

    folder: str
    files: int
    size: int
    vgs: tuple[str, ...]
    oldest: float | None
