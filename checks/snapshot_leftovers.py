"""COW snapshots that a cloud made for a copy and did not take away."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, evidence
from sctune.lvm_view import subject_of
from sctune.model.units import duration_words
from sctune.model.volume import VolumeState
from sctune.snapshot_use import leftovers, passing
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.chain import Chains
    from sctune.model.lvm import LogicalVolume

LEFTOVER = Code(
    code="LVM_SNAPSHOT_LEFTOVER",
    severities=(Severity.WARNING,),
    title="A COW snapshot is left although nothing copies it",
    meaning="The cloud makes a COW snapshot of a volume's LV only to copy it to a file, and removes it then. This one is still "
    "there, and no dd reads it.",
    why="Every first write of the guest to a chunk is copied into it, which makes the volume slow, until it overflows. The loop "
    "device of its COW store is not given back, the volume cannot be deactivated after a detachment (LOOP_LEAKED), and the next "
    "snapshot of the volume hangs beside it (LVM_SNAPSHOTS_MULTIPLE).",
    thresholds="A COW snapshot with a name of the cloud's, older than 5 s, that no running dd, gunzip or tar reads. Not while the "
    "storage controller runs as many copies as it allows itself (Eucalyptus 3.3 and later: two, or "
    "system.exec.max_restricted_concurrent_ops): it may wait its turn. Not one that is invalid (LVM_SNAPSHOT_INVALID), nor "
    "snapshots that the cloud did not make: those may be meant to stay.",
    see=("lvs --options lv_full_name,origin,lv_time,snap_percent --select 'origin!=\"\"'", "pgrep -a dd"),
    remedy="Make sure that the cloud has no pending snapshot of the volume (euca-describe-snapshots), then remove it, take the PV "
    "of its COW store out of the VG and detach its loop device. The file copied from it is complete only if its size says so.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java and DASManager.java, createSnapshot; SystemUtil.java, run",
    confirm=True,
    volume=VolumeState.DEGRADED,
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    report = need(inventory.lvm)
    chains = need(inventory.chains)
    ours = passing(report, chains)
    if not ours:
        return not_applicable("no cloud's COW snapshot is on this host")
    found = leftovers(ours, inventory, need(inventory.processes))
    return Result(examined=len(ours), findings=tuple(_finding(one.lv, one.age, inventory, chains) for one in found))


def _finding(lv: LogicalVolume, age: float | None, inventory: Inventory, chains: Chains) -> Finding:
    chain = chains.by_lv.get(lv.uuid)
    link = next((link for link in chain.snapshots if link.lv.uuid == lv.uuid), None) if chain is not None else None
    state = known(inventory.loops)
    loops = [loop for loop in (state.devices if state else ()) if link is not None and loop.name in link.cow_loops]
    commands = [f"lvremove {quote(lv.full_name)}"]
    for loop in loops:
        node = f"/dev/{loop.name}"
        commands += [f"vgreduce {quote(lv.vg)} {node}", f"pvremove {node}", f"losetup --detach {node}"]
        commands += [f"rm {quote(loop.backing_file)}"] if loop.backing_file and not loop.deleted else []
    since = f" since {duration_words(age)}" if age is not None else ""
    return LEFTOVER.found(
        subject_of(inventory, lv),
        f"Snapshot {lv.full_name} of {lv.origin} is there{since}, and nothing copies it",
        evidence(
            origin=f"{lv.vg}/{lv.origin}",
            age_seconds=None if age is None else round(age),
            cow_store_size=lv.size,
            loops=tuple(f"/dev/{loop.name}" for loop in loops),
            source="LVM's report, the process table",
        ),
        commands=tuple(commands),
    )


CHECKS = (
    Check(
        name="lvm-snapshot-leftover",
        title="COW snapshots that outlived their copy",
        codes=(LEFTOVER,),
        needs=("lvm", "dm", "chains", "loops", "processes", "cloud"),
        run=_run,
    ),
)
