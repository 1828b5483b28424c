"""LVM of the host inside the volumes it serves, and lvmetad, which gets in the way of volumes that come and go."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.loop_use import need_carried
from sctune.unavailable import Unavailable, known, need
from sctune.volume_content import SCANNED, Inside, contents

if TYPE_CHECKING:
    from sctune.findings import Value
    from sctune.model.cinder import Cinder
    from sctune.model.lvm import LvmSettings, PhysicalVolume

SCANS = Code(
    code=SCANNED,
    severities=(Severity.WARNING,),
    title="This host's LVM looks into a volume",
    meaning="The user of a volume has made PVs in it, and the LVM of this host, which only serves or attaches the "
    "volume, finds them as if they were its own, or has even activated what is in them.",
    why="Two systems then change one VG without knowing of each other: an LV activated here holds the volume, so that it cannot be "
    "detached; vgck, pvscan or a careless vgchange on this host writes into a guest's disk; VGs of two guests with one name "
    "confuse every command.",
    thresholds="A PV that LVM shows on a volume's LV, on a snapshot of one, or on the disk of a session that carries one, or "
    "an active LV that lies on such a device. What is merely possible (scan_lvs = 1 and no such PV) is not said.",
    see=(
        "pvs -o pv_name,vg_name,pv_uuid",
        "lvmconfig --typeconfig full devices | grep -e scan_lvs -e filter -e use_devicesfile",
        "lsblk -o NAME,TYPE,SIZE,MOUNTPOINT",
    ),
    remedy="Deactivate here what is the guest's (never while it is mounted here), and keep LVM out: scan_lvs = 0 against PVs in "
    "LVs (the default since 2.03.03; before 2.02.182 there is only a filter), a global_filter or a devices file against "
    "those on iSCSI disks. Where the initial RAM disk has a copy of lvm.conf, make it anew; Cinder's own LVM commands take "
    "/etc/cinder/lvm.conf instead, where there is one.",
    risk=Risk.SAFE,
    source="lvm.conf(5), section devices: scan_lvs, global_filter, use_devicesfile; OpenStack Cinder install guide, LVM filter",
)
RACE = Code(
    code="LVM_LVMETAD_RACE",
    severities=(Severity.WARNING,),
    title="lvmetad is in use on a host whose volumes come and go",
    meaning="LVM commands ask the daemon lvmetad what PVs there are, instead of the disks, and lvmetad learns of a new loop device "
    "only when udev has told it.",
    why="A cloud attaches a volume's file and activates its LV in the next moment: LVM does not know the PV yet, and attaching "
    "a volume fails now and then, mostly under load (`Failed to enable logical volume … on attempt 1`).",
    thresholds="global/use_lvmetad is 1, lvmetad's socket is there, and a cloud's volumes lie on loop devices. Not said of other "
    "hosts with lvmetad, for which it is normal (RHEL 7).",
    see=("lvm dumpconfig global/use_lvmetad", "ls -l /run/lvm/lvmetad.socket", "systemctl status lvm2-lvmetad.socket"),
    remedy="Set use_lvmetad = 0 in lvm.conf, section global, and then stop lvmetad and its socket. LVM commands read the disks "
    "themselves from then on.",
    risk=Risk.SAFE,
    source="Eucalyptus 4.3 installation guide (overlay, RHEL 7), EUCA-12698; lvmetad(8); lvm.conf(5), use_lvmetad",
)
_OVERLAY = "eucalyptus-overlay"


def _scans(look: Look) -> Result:
    inventory = look.inventory
    report = need(inventory.lvm)
    need(inventory.chains)
    seen = contents(inventory)
    if not seen.devices:
        return not_applicable("no volume's content can be seen on this host")
    inside: dict[Subject, list[tuple[PhysicalVolume, Inside]]] = {}
    for pv in report.physical_volumes:
        where = seen.of_pv(pv)
        if where is not None:
            inside.setdefault(where.subject, []).append((pv, where))
    subjects = dict.fromkeys((*inside, *seen.active))
    # A command, which is therefore asked only where there is something to explain.
    settings = known(inventory.lvm_settings) if subjects else None
    cinder = known(inventory.cinder) if subjects else None
    findings = [_scan(subject, inside.get(subject, []), seen.active.get(subject, ()), settings, cinder) for subject in subjects]
    unexamined = (Unexamined.of(inventory.dm),) if isinstance(inventory.dm, Unavailable) else ()
    return Result(examined=len(seen.devices), findings=tuple(findings), unexamined=unexamined)


def _scan(
    subject: Subject,
    pvs: list[tuple[PhysicalVolume, Inside]],
    active: tuple[str, ...],
    settings: LvmSettings | None,
    cinder: Cinder | None,
) -> Finding:
    second = cinder.lvm_configuration if cinder is not None else ""
    vgs = tuple(dict.fromkeys(pv.vg for pv, _ in pvs if pv.vg))
    paths = tuple(pv.path for pv, _ in pvs)
    what = f"sees {'a PV' if len(pvs) == 1 else f'{len(pvs)} PVs'} inside it" if pvs else "has activated LVs inside it"
    return SCANS.found(
        subject,
        f"This host's LVM {what}"
        + (f" ({', '.join(vgs)})" if vgs else "")
        + (" and has activated LVs of it" if pvs and active else ""),
        evidence(
            pvs=paths,
            vgs=vgs,
            active_lvs=active,
            scan_lvs=settings.scan_lvs if settings else None,
            use_devicesfile=settings.use_devicesfile if settings else None,
            filter=settings.filter if settings else None,
            global_filter=settings.global_filter if settings else None,
            **(_second(cinder) if cinder is not None and second else {}),
            source="lvm fullreport, /sys/block/*/holders"
            + (", lvm lvmconfig" if settings else "")
            + (f", {second}" if second else ""),
        ),
        commands=(*(f"vgchange --activate n {quote(vg)}" for vg in vgs if active), *_shut_out(pvs, settings, second)),
    )


def _second(cinder: Cinder) -> dict[str, Value]:
    """What the lvm.conf sets that Cinder's own LVM commands take (LVM_SYSTEM_DIR) instead of the host's."""
    settings = cinder.lvm_settings
    return {
        "cinder_lvm_conf": cinder.lvm_configuration,
        "cinder_scan_lvs": settings.scan_lvs if settings else None,
        "cinder_filter": settings.filter if settings else None,
        "cinder_global_filter": settings.global_filter if settings else None,
    }


def _shut_out(pvs: list[tuple[PhysicalVolume, Inside]], settings: LvmSettings | None, second: str) -> tuple[str, ...]:
    """What keeps LVM away from these devices, in the way that this host's LVM takes. Cinder's `second` lvm.conf needs it, too."""
    where = f"# /etc/lvm/lvm.conf{f' and {second}' if second else ''}, section devices:"
    if settings is not None and settings.use_devicesfile:
        return tuple(f"lvmdevices --deldev {quote(pv.path)}" for pv, _ in pvs)
    lines = []
    in_lvs = any(not inside.on_disk for _, inside in pvs)
    can_skip = settings is not None and settings.scan_lvs is not None
    if in_lvs and can_skip:
        lines.append(f"{where} scan_lvs = 0")
    if any(inside.on_disk for _, inside in pvs) or (in_lvs and not can_skip):
        # A device is accepted where any of its names is, so nothing short of a list of what is the host's own keeps one out.
        lines.append(f'{where} filter and global_filter = [ "a|^/dev/loop|", "a|^/dev/OWN-DISK|", "r|.*|" ]')
    return tuple(lines)


def _race(look: Look) -> Result:
    inventory = look.inventory
    chains = need(inventory.chains)
    if not any(chain.ours and chain.backend.name == _OVERLAY for chain in chains.chains):
        if known(inventory.loops) is not None:
            need_carried(inventory)
        return not_applicable("no cloud's volumes lie on loop devices here")
    if not need(inventory.lvmetad):
        return Result(examined=1)
    settings = need(inventory.lvm_settings)
    if not settings.use_lvmetad:
        return Result(examined=1)
    found = RACE.found(
        Subject(kind=SubjectKind.SETTING, id="global/use_lvmetad"),
        "LVM asks lvmetad, and volumes on loop devices come and go here",
        evidence(use_lvmetad=settings.use_lvmetad, socket=True, source="lvm lvmconfig, /run/lvm/lvmetad.socket"),
        commands=(
            "sed -i 's/^\\([[:space:]]*use_lvmetad[[:space:]]*=\\).*/\\1 0/' /etc/lvm/lvm.conf",
            "systemctl disable --now lvm2-lvmetad.socket lvm2-lvmetad.service    # EL 6: service lvm2-lvmetad stop",
        ),
    )
    return Result(examined=1, findings=(found,))


CHECKS = (
    Check(
        name="lvm-scans-volumes",
        title="LVM stays out of volumes",
        codes=(SCANS,),
        needs=("lvm", "chains", "devices", "dm", "sessions", "cinder"),
        run=_scans,
    ),
    Check(name="lvm-lvmetad", title="lvmetad", codes=(RACE,), needs=("chains", "lvmetad", "loops", "lvm"), run=_race),
)
