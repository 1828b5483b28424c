"""Thin pools that promise more than they hold, and whether they grow by themselves."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.lvm_view import free_extents, subject_of, vg_of
from sctune.model.units import size_words
from sctune.unavailable import Reason, Unavailable, need

if TYPE_CHECKING:
    from sctune.model.lvm import LogicalVolume, LvmReport, LvmSettings

OVERPROVISIONED = Code(
    code="LVM_THIN_OVERPROVISIONED",
    severities=(Severity.INFO,),
    title="A thin pool promises more than it holds",
    meaning="The thin LVs of the pool, snapshots included, are together larger than the pool.",
    why="That is what thin pools are for. It also means that those who use its LVs can fill the pool, and then writes to all "
    "of them fail: its fill level has to be watched (LVM_THIN_POOL_FILLING).",
    thresholds="The sum of the sizes of its thin LVs is above the pool's size.",
    see=("lvs -o lv_full_name,lv_size,pool_lv,data_percent",),
    remedy="Watch the pool, keep free extents in its VG, and let LVM extend it (LVM_AUTOEXTEND_OFF).",
    risk=Risk.SAFE,
    source="lvmthin(7), Data space exhaustion; vgs(8)",
)
AUTOEXTEND_OFF = Code(
    code="LVM_AUTOEXTEND_OFF",
    severities=(Severity.INFO,),
    title="LVM does not extend what fills up",
    meaning="Thin pools or COW snapshots here lie in VGs with free extents, and LVM is set up to let them run full. (A profile of "
    "a single LV, lvs -o lv_profile, may say otherwise and is not read.)",
    why="A full thin pool fails the writes of all its LVs, a full COW store loses the snapshot, while there would be space.",
    thresholds="activation/thin_pool_autoextend_threshold or snapshot_autoextend_threshold is 100 (its default), or "
    "activation/monitoring is 0, and an active pool or snapshot has free extents in its VG. An overlay volume's snapshot fills its "
    "VG from the start: nothing to extend it with.",
    see=("lvmconfig --typeconfig full activation | grep -e autoextend -e monitoring", "lvs -o lv_full_name,seg_monitor"),
    remedy="Set the threshold in lvm.conf, section activation, and have dmeventd watch what is active already.",
    risk=Risk.SAFE,
    source="lvm.conf(5), section activation; lvmthin(7), Automatically extend thin pool LV; dmeventd(8)",
)


def _promises(look: Look) -> Result:
    report = need(look.inventory.lvm)
    pools = _pools(report)
    if not pools:
        return not_applicable("there is no thin pool")
    findings: list[Finding] = []
    for pool in pools:
        thin = [lv for lv in report.logical_volumes if lv.vg_uuid == pool.vg_uuid and lv.pool == pool.name]
        promised = sum(lv.size for lv in thin)
        if promised > pool.size:
            vg = vg_of(report, pool)
            findings.append(
                OVERPROVISIONED.found(
                    subject_of(look.inventory, pool),
                    f"{pool.full_name} ({size_words(pool.size)}) promises {size_words(promised)} to {len(thin)} LVs",
                    evidence(
                        promised=promised,
                        pool_size=pool.size,
                        ratio=round(promised / pool.size, 2) if pool.size else None,
                        thin_lvs=len(thin),
                        vg_free=vg.free if vg is not None else None,
                        source="lvm fullreport",
                    ),
                )
            )
    return Result(examined=len(pools), findings=tuple(findings))


def _pools(report: LvmReport) -> list[LogicalVolume]:
    return [lv for lv in report.logical_volumes if "thin-pool" in lv.segment_types]


def _autoextend(look: Look) -> Result:
    report = need(look.inventory.lvm)
    growing = {
        "thin_pool_autoextend_threshold": [lv for lv in _pools(report) if lv.active and free_extents(report, lv)],
        "snapshot_autoextend_threshold": [
            lv for lv in report.logical_volumes if lv.is_snapshot and lv.active and free_extents(report, lv)
        ],
    }
    if not any(growing.values()):
        return not_applicable("no thin pool or COW snapshot has free extents to grow into")
    # A command, which is therefore asked only where there is something that could grow.
    settings = look.inventory.lvm_settings
    if isinstance(settings, Unavailable):
        reason = Reason.FAILED if settings.reason is Reason.ABSENT else settings.reason
        return Result(examined=0, unexamined=(Unexamined(what=settings.what, reason=reason, detail=settings.detail),))
    findings = tuple(found for key, lvs in growing.items() if lvs and (found := _off(key, lvs, settings)) is not None)
    return Result(examined=sum(len(lvs) for lvs in growing.values()), findings=findings)


def _off(key: str, lvs: list[LogicalVolume], settings: LvmSettings) -> Finding | None:
    # A version without the setting, and a file that does not set it, leave it at the default: off.
    pools = key.startswith("thin")
    threshold = settings.thin_pool_autoextend_threshold if pools else settings.snapshot_autoextend_threshold
    unwatched = settings.monitoring is False
    if threshold is not None and threshold < 1.0 and not unwatched:
        return None
    kind = "thin pool" if pools else "COW snapshot"
    return AUTOEXTEND_OFF.found(
        Subject(kind=SubjectKind.SETTING, id="activation/monitoring" if unwatched else f"activation/{key}"),
        f"{len(lvs)} {kind}{'' if len(lvs) == 1 else 's'} with free extents beside would not be extended",
        evidence(
            threshold=threshold,
            monitoring=settings.monitoring,
            lvs=tuple(sorted(lv.full_name for lv in lvs))[:20],
            source="lvm lvmconfig, lvm fullreport",
        ),
        commands=(
            f"# /etc/lvm/lvm.conf, section activation: {'monitoring = 1, ' if unwatched else ''}{key} = 80",
            *(f"vgchange --monitor y {quote(vg)}" for vg in dict.fromkeys(lv.vg for lv in lvs)),
        ),
    )


CHECKS = (
    Check(
        name="lvm-thin-promises",
        title="What thin pools promise",
        codes=(OVERPROVISIONED,),
        needs=("lvm", "chains"),
        run=_promises,
    ),
    Check(name="lvm-autoextend", title="Automatic extension", codes=(AUTOEXTEND_OFF,), needs=("lvm",), run=_autoextend),
)
