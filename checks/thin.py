"""Thin pools: how full their data and metadata are, and which do not take writes any more."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.lvm_view import FROM_DM, FROM_LVM, by_uuid, extend_command, free_extents, pool_status, pool_status_of, subject_of, vg_of
from sctune.model.dm import PoolMode
from sctune.model.units import KIB, MIB
from sctune.model.volume import VolumeState
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.model.dm import DmDevice, ThinPoolStatus
    from sctune.model.lvm import LogicalVolume, LvmReport

FILLING = Code(
    code="LVM_THIN_POOL_FILLING",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="A thin pool is filling up",
    meaning="The data or the metadata space of a thin pool is nearly used up. Its thin LVs promise more than the pool holds, so "
    "they do not notice.",
    why="With no data space left, writes to all LVs of the pool wait for up to a minute (no_space_timeout) and then fail; file "
    "systems on them go read-only or lose what was not yet written. With no metadata space left the pool turns read-only "
    "and has to be repaired.",
    thresholds="Blocks used / blocks in all, of data and of metadata: warning from thresholds.thin_pool_used.warning (80 %), "
    "critical from thresholds.thin_pool_used.critical (95 %). At exactly 100 % nothing has failed yet and no flag says so: "
    "the next new block will.",
    see=("lvs -o lv_full_name,lv_size,data_percent,metadata_percent,lv_when_full", "dmsetup status --target thin-pool"),
    remedy="Extend the pool, or free space in it: remove thin LVs and snapshots that nobody needs, run fstrim on the file systems "
    "in it. Extending takes effect at once and disturbs nobody. Let dmeventd do it in time with "
    "activation/thin_pool_autoextend_threshold below 100 in lvm.conf.",
    risk=Risk.SAFE,
    source="lvmthin(7); Linux Documentation/admin-guide/device-mapper/thin-provisioning.rst",
    volume=VolumeState.DEGRADED,
)
BROKEN = Code(
    code="LVM_THIN_POOL_BROKEN",
    severities=(Severity.CRITICAL,),
    title="A thin pool takes no writes",
    meaning="The thin pool is out of data space, read-only, failed, or its metadata have to be checked.",
    why="Writes to every thin LV of the pool wait or fail. A pool with damaged metadata can lose all of them if it is used on.",
    thresholds="Device-mapper's mode is out_of_data_space, ro or Fail, or it says needs_check; without its answer LVM's health "
    "(out_of_data, metadata_read_only, failed) or attribute c.",
    see=("dmsetup status --target thin-pool", "lvs -a -o lv_full_name,lv_attr,lv_health_status,data_percent,metadata_percent"),
    remedy="Out of data space: extend the pool, and waiting writes go on at once. Read-only, failed or needs_check: stop the use "
    "of its LVs, deactivate the pool, repair its metadata (which needs free extents in the VG for a copy), and activate it "
    "again. Reactivating alone does not clear needs_check.",
    risk=Risk.DISRUPTIVE,
    source="lvmthin(7), Metadata check and repair; Linux Documentation/admin-guide/device-mapper/thin-provisioning.rst; "
    "thin_check(8)",
    volume=VolumeState.BROKEN,
)

_METADATA_STEP = 64 * MIB
_SPARE = "_pmspare"

_HEALTH_MODES = {
    "out_of_data": PoolMode.OUT_OF_DATA_SPACE,
    "metadata_read_only": PoolMode.RO,
    "failed": PoolMode.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """A pool as far as it is known. `data` and `metadata` are ratios 0..1."""

    name: str
    subject: Subject
    lv: LogicalVolume | None
    mode: PoolMode
    needs_check: bool
    data: float | None
    metadata: float | None
    queues: bool | None
    source: str


def _run(look: Look) -> Result:
    report = need(look.inventory.lvm)
    dm = look.inventory.dm
    devices = by_uuid(dm)
    pool_lvs = [lv for lv in report.logical_volumes if "thin-pool" in lv.segment_types]
    pools: list[_Pool] = []
    unexamined: list[Unexamined] = []
    for lv in pool_lvs:
        pool = _lvm_pool(lv, devices, look)
        if pool is not None:
            pools.append(pool)
        elif lv.active:
            unexamined.append(_not_told(lv, dm))
    foreign = _foreign(devices, {lv.dm_uuid for lv in (*pool_lvs, *report.internal)})
    if not pool_lvs and not foreign:
        return not_applicable("there is no thin pool")
    findings = [finding for pool in (*pools, *foreign) for finding in _judge(pool, look, report)]
    # An inactive pool takes no writes: nothing fills, and what is wrong with it shows when it is activated.
    examined = len(pool_lvs) + len(foreign) - len(unexamined)
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _lvm_pool(lv: LogicalVolume, devices: Mapping[str, DmDevice], look: Look) -> _Pool | None:
    status = pool_status(lv, devices)
    subject = subject_of(look.inventory, lv)
    if status is not None:
        return _pool_of(lv.full_name, subject, lv, status)
    mode = _HEALTH_MODES.get(lv.health, PoolMode.RW)
    needs_check = lv.attr[4:5] in ("c", "C")
    if not lv.active or (lv.data_percent is None and mode is PoolMode.RW and not needs_check):
        return None
    return _Pool(
        name=lv.full_name,
        subject=subject,
        lv=lv,
        mode=mode,
        needs_check=needs_check,
        data=lv.data_percent,
        metadata=lv.metadata_percent,
        queues=None,
        source=FROM_LVM,
    )


def _pool_of(name: str, subject: Subject, lv: LogicalVolume | None, status: ThinPoolStatus) -> _Pool:
    return _Pool(
        name=name,
        subject=subject,
        lv=lv,
        mode=status.mode,
        needs_check=status.needs_check,
        data=_ratio(status.data_used, status.data_total),
        metadata=_ratio(status.metadata_used, status.metadata_total),
        queues=status.queue_if_no_space,
        source=FROM_DM,
    )


def _ratio(used: int | None, total: int | None) -> float | None:
    return used / total if used is not None and total else None


def _foreign(devices: Mapping[str, DmDevice], ours: set[str]) -> list[_Pool]:
    """Pools that LVM does not know: Docker's devicemapper driver makes its own."""
    found = []
    for uuid, device in devices.items():
        status = pool_status_of(device)
        if status is not None and not any(uuid.startswith(known_uuid) for known_uuid in ours):
            subject = Subject(kind=SubjectKind.LV, id=device.name)
            found.append(_pool_of(device.name, subject, None, status))
    return found


def _not_told(lv: LogicalVolume, dm: object) -> Unexamined:
    if isinstance(dm, Unavailable):
        return Unexamined(what=f"thin pool {lv.full_name}", reason=dm.reason, detail=f"LVM tells no percentage; {dm}")
    return Unexamined(
        what=f"thin pool {lv.full_name}", reason=Reason.FAILED, detail="neither device-mapper nor LVM tells its state"
    )


def _judge(pool: _Pool, look: Look, report: LvmReport) -> tuple[Finding, ...]:
    if pool.mode is not PoolMode.RW or pool.needs_check:
        return (_broken(pool, report),)
    level = look.config.thresholds.thin_pool_used
    worst = max(ratio for ratio in (pool.data, pool.metadata, 0.0) if ratio is not None)
    if worst < level.warning:
        return ()
    return (_filling(pool, look, report, severity=Severity.CRITICAL if worst >= level.critical else Severity.WARNING),)


def _filling(pool: _Pool, look: Look, report: LvmReport, *, severity: Severity) -> Finding:
    level = look.config.thresholds.thin_pool_used
    shares = (("data", pool.data), ("metadata", pool.metadata))
    full = [(name, ratio) for name, ratio in shares if ratio is not None and ratio >= level.warning]
    settings = known(look.inventory.lvm_settings)
    names = {name for name, _ in full}
    return FILLING.found(
        pool.subject,
        f"Thin pool {pool.name}: " + " and ".join(f"{name} {ratio:.0%} full" for name, ratio in full),
        evidence(
            data_used_ratio=_rounded(pool.data),
            metadata_used_ratio=_rounded(pool.metadata),
            when_full=_when_full(pool),
            autoextend_threshold=settings.thin_pool_autoextend_threshold if settings else None,
            source=pool.source,
        ),
        severity=severity,
        commands=_extend(pool, report, data="data" in names, metadata="metadata" in names),
    )


def _extend(pool: _Pool, report: LvmReport, *, data: bool, metadata: bool) -> tuple[str, ...]:
    """What makes the pool's data, its metadata or both larger, from the free extents of its VG, so that one leaves enough for the
    other."""
    if pool.lv is None:
        return (f"dmsetup status {quote(pool.name)}    # not LVM's: extend it with the tool that made it",)
    name, vg = quote(pool.lv.full_name), quote(pool.lv.vg)
    extent = max(1, getattr(vg_of(report, pool.lv), "extent_size", 1))
    free = free_extents(report, pool.lv)
    commands: list[str] = []
    more = 0
    if metadata:
        # The spare, from which metadata are repaired, is extended with them (lvmthin(7), pmspare).
        copies = 2 if any(lv.vg_uuid == pool.lv.vg_uuid and lv.name.endswith(_SPARE) for lv in report.internal) else 1
        more = min(-(-_METADATA_STEP // extent), (free // 2 if data else free) // copies)
        free -= more * copies
    if data:
        extend = extend_command(report, pool.lv, free=free)
        commands.append(extend or f"lvextend --extents +50%LV {name}")
    if metadata:
        size = more * extent or _METADATA_STEP
        commands.append(f"lvextend --poolmetadatasize +{f'{size // MIB}M' if size % MIB == 0 else f'{size // KIB}K'} {name}")
    if (data and not free) or (metadata and not more):
        commands.insert(0, f"vgs {vg}    # too few free extents: add a PV first: pvcreate DEVICE; vgextend {vg} DEVICE")
    return tuple(commands)


def _broken(pool: _Pool, report: LvmReport) -> Finding:
    repair = pool.needs_check or pool.mode in (PoolMode.RO, PoolMode.FAILED)
    words = "needs a check of its metadata" if pool.needs_check else f"is {_WORDS[pool.mode]}"
    if not repair or pool.lv is None:
        commands = _extend(pool, report, data=True, metadata=False)
    else:
        name = quote(pool.lv.full_name)
        users = [lv for lv in report.logical_volumes if lv.vg_uuid == pool.lv.vg_uuid and lv.pool == pool.lv.name]
        commands = (
            *(f"lvchange --activate n {quote(lv.full_name)}" for lv in users if lv.active),
            f"lvchange --activate n {name}",
            f"lvconvert --repair {name}",
            f"lvchange --activate y {name}",
            *(f"lvchange --activate y {quote(lv.full_name)}" for lv in users if lv.active),
        )
    return BROKEN.found(
        pool.subject,
        f"Thin pool {pool.name} {words}",
        evidence(
            mode=str(pool.mode),
            needs_check=pool.needs_check,
            data_used_ratio=_rounded(pool.data),
            metadata_used_ratio=_rounded(pool.metadata),
            when_full=_when_full(pool),
            source=pool.source,
        ),
        commands=commands,
        risk=Risk.DISRUPTIVE if repair else Risk.SAFE,
    )


_WORDS = {
    PoolMode.RW: "writable",
    PoolMode.RO: "read-only",
    PoolMode.OUT_OF_DATA_SPACE: "out of data space",
    PoolMode.FAILED: "failed",
}


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 4)


def _when_full(pool: _Pool) -> str | None:
    return None if pool.queues is None else ("writes wait, then fail" if pool.queues else "writes fail at once")


CHECKS = (
    Check(
        name="lvm-thin-pools",
        title="Thin pools",
        codes=(FILLING, BROKEN),
        needs=("lvm", "dm", "chains"),
        run=_run,
    ),
)
