"""LVs whose device is suspended, so that all I/O on them waits."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.volume import VolumeState
from sctune.probes.dm_text import lvm_name
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.dm import DmDevice
    from sctune.model.lvm import LogicalVolume

_UUID = 32  # characters of an LVM uuid without its hyphens
_PREFIX = "LVM-"

SUSPENDED = Code(
    code="LVM_LV_SUSPENDED",
    severities=(Severity.CRITICAL,),
    title="An LV is suspended: all I/O on it waits",
    meaning="Device-mapper holds back every read and write of this LV, and whoever issued one waits in uninterruptible sleep. "
    "LVM suspends an LV for a moment whenever it changes it (a snapshot made, removed, or resized); here nothing resumed it.",
    why="Guests on the volume hang; so does everything that touches it. A suspend that outlives its command was left behind by "
    "an LVM command that was killed or is stuck itself, and ends only by hand.",
    thresholds="Suspended at two looks that lie thresholds.suspended_seconds apart (10 s, which is also the most): the kernel "
    "does not tell since when. There is one look only in a capture, and where the first one already met something that hangs. "
    "LVs only: others suspend their devices on purpose (cryptsetup luksSuspend).",
    see=("dmsetup info --columns --options name,suspended,tables_loaded", "cat /sys/block/dm-N/dm/suspended"),
    remedy="Look for the LVM or dmsetup command that did it (ps). If one is still at work, find out what it waits for. If "
    "there is none, resume the device: I/O goes on where it stopped. `dmsetup resume` also puts a new table into force that "
    "such a command had loaded (tables_loaded says LIVE+INACTIVE), so compare with `dmsetup table --inactive` first.",
    risk=Risk.SAFE,
    source="dmsetup(8), suspend and resume; Linux Documentation/ABI/testing/sysfs-block-dm (dm/suspended)",
    confirm=True,
    volume=VolumeState.BROKEN,
)


def _run(look: Look) -> Result:
    devices = need(look.inventory.dm)
    ours = [device for device in devices if device.uuid.startswith(_PREFIX)]
    if not ours:
        return not_applicable("no LV is active")
    suspended: dict[str, list[DmDevice]] = {}
    for device in ours:
        if device.suspended:
            suspended.setdefault(lv_key(device.uuid), []).append(device)
    findings = tuple(_finding(group, look.inventory) for group in suspended.values())
    return Result(examined=len(ours), findings=findings)


def lv_key(dm_uuid: str) -> str:
    """The part of a device-mapper uuid that names the LV: an LV with snapshots has layers (-real, -cow) with longer ones."""
    return dm_uuid[: len(_PREFIX) + 2 * _UUID]


def _lv_of(device: DmDevice, inventory: Inventory) -> LogicalVolume | None:
    wanted = lv_key(device.uuid)
    report = known(inventory.lvm)
    for lv in report.logical_volumes if report else ():
        if lv.dm_uuid == wanted:
            return lv
    return None


def _finding(group: list[DmDevice], inventory: Inventory) -> Finding:
    first = group[0]
    lv = _lv_of(first, inventory)
    chains = known(inventory.chains)
    if lv is not None and chains is not None:
        subject = chains.subject_of_lv(lv)
    else:
        parts = lvm_name(first.name)
        subject = Subject(kind=SubjectKind.LV, id=f"{parts[0]}/{parts[1]}" if parts else first.name)
    processes = known(inventory.processes)
    commands_at_work = tuple(f"{p.pid} {' '.join(p.argv)}" for p in (processes.lvm if processes else ()))
    names = tuple(device.name for device in group)
    nodes = ", ".join(device.kernel_name for device in group)
    return SUSPENDED.found(
        subject,
        f"{nodes} ({names[0]}) is suspended: all I/O on it waits",
        evidence(
            devices=names,
            kernel_names=tuple(device.kernel_name for device in group),
            suspended_since="not told by the kernel",
            lvm_commands_running=commands_at_work,
            source="/sys/block/dm-N/dm/suspended",
        ),
        commands=(
            "ps -eo pid,stat,etimes,args | grep -E '[ /](lv|vg|pv|dmsetup)'",
            *(f"dmsetup info {quote(name)}; dmsetup table --inactive {quote(name)}" for name in names),
            *(f"dmsetup resume {quote(name)}" for name in names),
        ),
    )


CHECKS = (
    Check(
        name="lv-suspended",
        title="Suspended LVs",
        codes=(SUSPENDED,),
        needs=("dm", "lvm", "chains", "processes"),
        run=_run,
        patience=lambda config: config.thresholds.suspended_seconds,
    ),
)
