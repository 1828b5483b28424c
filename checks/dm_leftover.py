"""Device-mapper devices that were left behind: what they were made for, or what they lie on, is gone."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.choose import candidates
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.checks.device_mapper import lv_key
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.lvm_view import of_errors, vg_of
from sctune.model.volume import VolumeState
from sctune.probes.dm_text import lvm_name
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.dm import DmDevice
    from sctune.model.lvm import LogicalVolume, LvmReport

_LVM = "LVM-"
_MULTIPATH = "mpath-"
_VG_PART = len(_LVM) + 32

LEFTOVER = Code(
    code="DM_LEFTOVER",
    severities=(Severity.WARNING,),
    title="A device-mapper device was left behind",
    meaning="The kernel has a device that leads nowhere or that nobody accounts for: the device under it is gone, its table was "
    "replaced by errors, or it is an LV's and LVM has no such LV in a VG that it can read.",
    why="Whoever opens it gets I/O errors, or data that no tool knows of. It holds what lies under it (a loop device cannot be "
    "detached, a disk cannot be let go), and the next activation of an LV of that name fails because the name is taken.",
    thresholds="Any such device, seen twice. Not judged: LVs of a VG that LVM does not show although what they lie on is there (a "
    "filter or a devices file may hide it), LVs of a VG with a missing PV (LVM_PV_MISSING), multipath devices (multipathd "
    "keeps them on purpose), and what a target exports (VOLUME_CHAIN_BROKEN).",
    see=(
        "dmsetup table; dmsetup info --columns --options name,uuid,open",
        "ls /sys/dev/block    # is there the MAJOR:MINOR that the table names?",
        "lvs -a -o lv_full_name,lv_uuid,vg_uuid",
    ),
    remedy="See who has it open (lsof, mount, holders) and end that; then remove the device. dmsetup refuses while it is open; "
    "never add --force, which puts a table of errors in its place instead.",
    risk=Risk.SAFE,
    source="dmsetup(8), remove and wipe_table; Linux Documentation/ABI/testing/sysfs-block-dm; lvm2 lib/activate/dev_manager.c "
    "(build_dm_uuid)",
    confirm=True,
    volume=VolumeState.ORPHANED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """A device and in words why it is one that was left; `works`: it still leads to data."""

    device: DmDevice
    why: str
    works: bool = False


def _run(look: Look) -> Result:
    inventory = look.inventory
    devices = need(inventory.dm)
    ours = [device for device in devices if not device.uuid.startswith(_MULTIPATH)]
    if not ours:
        return not_applicable("device-mapper has no device")
    report = inventory.lvm
    gone = inventory.dm_lower
    unexamined: dict[tuple[str, Reason], Unexamined] = {}
    for part in (report, gone):
        if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT:
            unexamined[part.what, part.reason] = Unexamined.of(part)
    judge = _Judge(known(report), known(gone) or frozenset())
    groups: dict[str, list[_Left]] = {}
    examined = 0
    for device in ours:
        if isinstance(device.targets, Unavailable):
            # All of them have one reason, mostly: an ordinary user sees no table.
            unexamined.setdefault(("tables", device.targets.reason), Unexamined.of(device.targets))
            continue
        examined += 1
        left = judge.judge(device)
        if left is not None:
            groups.setdefault(lv_key(device.uuid) if device.uuid.startswith(_LVM) else device.name, []).append(left)
    findings = [finding for group in groups.values() if (finding := _finding(group, inventory)) is not None]
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined.values()))


class _Judge:
    """What accounts for a device: LVM's report, and what is there to lie on."""

    def __init__(self, report: LvmReport | None, gone: frozenset[tuple[int, int]]) -> None:
        self.report = report
        self.gone = gone
        lvs = (*report.logical_volumes, *report.internal) if report else ()
        self.lvs: dict[str, LogicalVolume] = {lv.dm_uuid: lv for lv in lvs}
        self.vgs = {_LVM + vg.uuid.replace("-", "") for vg in (report.volume_groups if report else ())}

    def judge(self, device: DmDevice) -> _Left | None:
        """Why the device is a leftover, None where it is none or that cannot be told."""
        targets = known(device.targets) or ()
        is_lvm = device.uuid.startswith(_LVM)
        lv = self.lvs.get(lv_key(device.uuid)) if is_lvm else None
        if lv is not None:
            return self._known(device, lv)
        lost = [f"{major}:{minor}" for t in targets for major, minor in t.underlying if (major, minor) in self.gone]
        if lost:
            return _Left(device=device, why=f"it lies on {lost[0]}, which is gone")
        if not is_lvm or self.report is None:
            return None
        if not targets or of_errors(device):
            return _Left(device=device, why="it leads nowhere, and no LV that LVM knows is behind it")
        # A layer (-cow, -tdata) is part of an LV of another uuid, which is judged itself.
        if device.uuid == lv_key(device.uuid) and device.uuid[:_VG_PART] in self.vgs:
            return _Left(device=device, why="LVM knows its VG, which has no such LV", works=True)
        return None

    def _known(self, device: DmDevice, lv: LogicalVolume) -> _Left | None:
        if device.uuid != lv.dm_uuid or "error" in lv.segment_types or not of_errors(device):
            return None
        # The VG is looked for where it matters only: there are as many VGs as volumes.
        vg = vg_of(self.report, lv) if self.report else None
        if vg is None or vg.missing_pv_count:
            return None
        return _Left(device=device, why=f"it has a table of errors in place of {lv.full_name}")


def _finding(group: list[_Left], inventory: Inventory) -> Finding | None:
    first = group[0]
    subject = _subject(first.device, inventory)
    chains = known(inventory.chains)
    if any(chain.exports and (chain.subject == subject) for chain in (chains.chains if chains else ())):
        return None
    # The device on top first: those under it are held by it.
    names = tuple(left.device.name for left in sorted(group, key=lambda left: len(left.device.uuid)))
    return LEFTOVER.found(
        subject,
        f"{first.device.kernel_name} ({first.device.name}) was left behind: {first.why}",
        evidence(
            devices=names,
            kernel_names=tuple(left.device.kernel_name for left in group),
            uuid=first.device.uuid or None,
            why=first.why,
            source="device-mapper tables, /sys/dev/block" + (", lvm fullreport" if first.device.uuid.startswith(_LVM) else ""),
        ),
        commands=(
            *(f"dmsetup info --columns --options name,uuid,open {quote(name)}; dmsetup table {quote(name)}" for name in names),
            *(f"dmsetup remove --retry {quote(name)}" for name in names),
        ),
        risk=Risk.DISRUPTIVE if any(left.works for left in group) else None,
    )


def _subject(device: DmDevice, inventory: Inventory) -> Subject:
    """The volume whose LV it was, by its name (LVM may not know it any more), VG/LV, or the device."""
    parts = lvm_name(device.name) if device.uuid.startswith(_LVM) else None
    if parts is None:
        return Subject(kind=SubjectKind.DISK, id=f"/dev/mapper/{device.name}")
    vg, lv, _ = parts
    for backend in candidates(configured=inventory.config.backend, cloud=known(inventory.cloud), lvs=()):
        name = backend.lv_name(vg, lv, ())
        if name.snapshot:
            return Subject(kind=SubjectKind.SNAPSHOT, id=name.snapshot)
        if name.volume:
            return Subject(kind=SubjectKind.VOLUME, id=name.volume)
    return Subject(kind=SubjectKind.LV, id=f"{vg}/{lv}")


CHECKS = (
    Check(
        name="dm-leftover",
        title="Devices that were left behind",
        codes=(LEFTOVER,),
        needs=("dm", "lvm", "chains", "devices", "cloud"),
        run=_run,
    ),
)
