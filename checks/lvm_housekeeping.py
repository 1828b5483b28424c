"""What LVM writes about itself: the metadata areas on its disks, and the archive of old metadata."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import size_words
from sctune.unavailable import Reason, known, need

if TYPE_CHECKING:
    from sctune.config.model import Level
    from sctune.model.lvm import LvmArchive, VolumeGroup

METADATA_LOW = Code(
    code="LVM_METADATA_LOW",
    severities=(Severity.WARNING,),
    title="A VG's metadata area is nearly full",
    meaning="LVM writes the description of a VG into an area at the start of its PVs. Old and new have to fit in side by "
    "side, so one may take half of the area; it grows with every LV, snapshot, segment and tag.",
    why="When the next description does not fit, every change of the VG fails (`VG metadata too large for circular buffer`): no LV "
    "can be made, extended or snapshotted. The area of a PV cannot be made larger afterwards.",
    thresholds="Less than thresholds.lvm_metadata_free (20 %) left of what a description may take in the smallest area in use "
    "(vg_mda_free over half of vg_mda_size: 510 KiB of an area of 1 MiB, pvcreate's default).",
    see=("vgs -o vg_name,lv_count,vg_mda_size,vg_mda_free", "pvs -o pv_name,vg_name,pv_mda_size,pv_mda_free,pv_mda_used_count"),
    remedy="Remove LVs, snapshots and tags that nobody needs. For more room, add a PV that was made with a larger area to the VG, "
    "and then tell LVM to keep the VG's metadata there and no longer in the small areas.",
    risk=Risk.SAFE,
    source="lvm2 lib/format_text/format-text.c (mda_free_sectors, circular buffer); pvcreate(8) --metadatasize; pvchange(8) "
    "--metadataignore",
)
ARCHIVE_LARGE = Code(
    code="LVM_ARCHIVE_LARGE",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="LVM's archive of old metadata is large",
    meaning="LVM keeps a copy of a VG's metadata for every change and removes old ones of a VG only when that VG is changed "
    "again. VGs that went without vgremove (Eucalyptus 3.2 and later deletes a volume's file and leaves it at that) keep theirs "
    "for ever.",
    why="Every command that changes a VG lists the whole folder while it holds the VG's lock, so each gets slower; the root file "
    "system fills up with files or inodes.",
    thresholds="Files or bytes in backup/archive_dir: warning from thresholds.lvm_archive_files.warning (2,048) or "
    "lvm_archive_bytes.warning (32 MiB), critical from 8,192 or 128 MiB, where LVM 2.03.14 and later warns itself (a VG).",
    see=("ls /etc/lvm/archive | wc -l; du -sh /etc/lvm/archive", "lvmconfig backup"),
    remedy="Remove old copies. They serve to undo a change (vgcfgrestore); the state of now is in /etc/lvm/backup and on "
    "the disks. Where few VGs are changed very often, lower backup/retain_days and retain_min in lvm.conf.",
    risk=Risk.SAFE,
    source="lvm.conf(5), section backup; lvm2 lib/format_text/archive.c; vgcfgrestore(8)",
)
_DAYS = 30
"""LVM's own retain_days."""
_DAY = 86400.0


def _metadata(look: Look) -> Result:
    report = need(look.inventory.lvm)
    if not report.volume_groups:
        return not_applicable("LVM has no VG here")
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    for vg in report.volume_groups:
        usable = vg.metadata_size // 2
        if usable <= 0:
            detail = "LVM tells no size of it"
            unexamined.append(Unexamined(what=f"metadata area of {vg.name}", reason=Reason.FAILED, detail=detail))
        elif vg.metadata_free / usable < look.config.thresholds.lvm_metadata_free:
            findings.append(
                _low(vg, vg.metadata_free / usable, tuple(pv.path for pv in report.physical_volumes if pv.vg == vg.name))
            )
    examined = len(report.volume_groups) - len(unexamined)
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _low(vg: VolumeGroup, ratio: float, paths: tuple[str, ...]) -> Finding:
    name = quote(vg.name)
    return METADATA_LOW.found(
        Subject(kind=SubjectKind.VG, id=vg.name),
        f"{vg.name} has {size_words(vg.metadata_free)} left for its metadata ({ratio:.0%})",
        evidence(
            free=vg.metadata_free,
            area_size=vg.metadata_size,
            free_ratio=round(ratio, 4),
            lvs=vg.lv_count,
            tags=len(vg.tags),
            source="lvm fullreport, vg_mda_free and vg_mda_size",
        ),
        commands=(
            f"pvs -o pv_name,pv_mda_size,pv_mda_free --select vg_name={name}",
            f"pvcreate --metadatasize 16m DEVICE && vgextend {name} DEVICE",
            *(f"pvchange --metadataignore y {quote(path)}    # when DEVICE is in the VG" for path in paths if path.startswith("/")),
        ),
    )


def _archive(look: Look) -> Result:
    archive = need(look.inventory.lvm_archive)
    limits = look.config.thresholds
    levels = (_level(archive.files, limits.lvm_archive_files), _level(archive.size, limits.lvm_archive_bytes))
    severity = max((level for level in levels if level is not None), key=lambda level: level.rank, default=None)
    return Result(examined=1, findings=() if severity is None else (_large(archive, severity, look),))


def _level(value: int, limit: Level) -> Severity | None:
    if value >= limit.critical:
        return Severity.CRITICAL
    return Severity.WARNING if value >= limit.warning else None


def _large(archive: LvmArchive, severity: Severity, look: Look) -> Finding:
    report = known(look.inventory.lvm)
    here = {vg.name for vg in report.volume_groups} if report else None
    folder = quote(archive.folder)
    now = look.inventory.clock.now
    return ARCHIVE_LARGE.found(
        Subject(kind=SubjectKind.SETTING, id="backup/archive_dir"),
        f"{archive.folder} holds {archive.files:,} files ({size_words(archive.size)}) of {len(archive.vgs):,} VGs",
        evidence(
            files=archive.files,
            size=archive.size,
            vgs=len(archive.vgs),
            vgs_not_here=None if here is None else sum(1 for name in archive.vgs if name not in here),
            oldest_days=None if archive.oldest is None else round((now - archive.oldest) / _DAY),
            source=archive.folder,
        ),
        severity=severity,
        commands=(f"find {folder} -maxdepth 1 -type f -name '*.vg' -mtime +{_DAYS} -delete",),
    )


CHECKS = (
    Check(name="lvm-metadata", title="Room for LVM's metadata", codes=(METADATA_LOW,), needs=("lvm",), run=_metadata),
    Check(name="lvm-archive", title="LVM's archive", codes=(ARCHIVE_LARGE,), needs=("lvm_archive", "lvm"), run=_archive),
)
