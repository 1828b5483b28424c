"""Loop devices that should be gone: leaked by a cloud, or waiting for their last user."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.chain_state import Unexported, unexported
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.loop_use import mount_points, need_carried, users
from sctune.model.units import duration_words
from sctune.model.volume import VolumeState
from sctune.snapshot_use import may_wait
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Chains
    from sctune.model.dm import DmDevice
    from sctune.model.loop import LoopDevice

BEING_ATTACHED_SECONDS = 60.0
"""A volume's LV is activated before its target is made: so long after activation, a missing export may still be coming."""

LEAKED = Code(
    code="LOOP_LEAKED",
    severities=(Severity.WARNING,),
    title="A volume keeps its loop device although nothing uses it",
    meaning="The volume is neither exported nor being copied, yet its backing file is still attached to a loop device. Its "
    "export was taken away under the running tgtd and the clean-up behind it did not finish.",
    why="Each leaked loop device is one fewer of those the cloud will attach (LOOP_LIMIT_NEAR). Its LV stays visible to the "
    "host's LVM, and a file that is deleted or replaced meanwhile becomes LOOP_BACKING_DELETED.",
    thresholds="Volumes of a cloud whose volumes have no loop device at rest (Eucalyptus 3.2 and later; in 3.0 and 3.1 it is "
    "normal), attached for longer than 60 s. What tells a leak from a lost export is time: an LV that was activated before the "
    "running tgtd started was exported by the tgtd before (TGT_EXPORT_LOST), one that was activated after it, or is not "
    "active, is leaked. While no tgtd runs nothing is called leaked, nor is an active volume while the storage controller runs as "
    "many copies as it allows itself (3.3 and later: two): the volume may wait for its own.",
    see=(
        "losetup --list --output NAME,BACK-FILE; lvs -a; tgtadm --lld iscsi --mode target --op show",
        "grep ^I: /run/udev/data/b253:N    # when udev first saw the LV's dm-N, in microseconds since boot",
    ),
    remedy="Make sure that the cloud calls the volume available and not in-use (euca-describe-volumes) and that no snapshot of "
    "it is pending. Then deactivate its LV and detach the loop device by name.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java (doUnexport: lvchange -an, then losetup -d, whose failure is logged and "
    "forgotten); systemd sd-device (USEC_INITIALIZED); proc(5), starttime",
    confirm=True,
    volume=VolumeState.LEAKED,
)
DETACH_PENDING = Code(
    code="LOOP_DETACH_PENDING",
    severities=(Severity.INFO,),
    title="A loop device will detach itself as soon as its last user lets go",
    meaning="The device has the autoclear flag: somebody ran `losetup -d` while it was in use, or a program set it for itself.",
    why="Until then it counts as attached, and its file must stay. Whoever believes it detached may delete or attach the file "
    "again.",
    thresholds="Autoclear set on a loop device that no file system is mounted from and that is not held by a stacked device of "
    "another program alone (dm-crypt, Docker): mount(8), cryptsetup and snapd set the flag for every loop device they make, "
    "and there it is how things should be.",
    see=("losetup --list --output NAME,AUTOCLEAR,BACK-FILE", "lsblk /dev/loopN; fuser --verbose /dev/loopN"),
    remedy="Nothing, if its user is known and will end. Otherwise find out what holds it: a device on top (lsblk), or a "
    "process that has it open (fuser).",
    risk=Risk.SAFE,
    source="losetup(8), --detach (lazy since Linux 3.7); loop(4), LO_FLAGS_AUTOCLEAR",
    confirm=True,
)


def _leaked(look: Look) -> Result:
    inventory = look.inventory
    chains = need(inventory.chains)
    volumes = [chain for chain in chains.chains if chain.ours and chain.loops and not chain.backend.shared_group]
    if not volumes:
        need_carried(inventory)  # without loop devices there is nothing to leak; without an answer nobody knows
        return not_applicable("no cloud volume has a loop device")
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    examined = 0
    for chain in volumes:
        state = unexported(chain, inventory.tgt, inventory.processes)
        if state is Unexported.UNKNOWN:
            if chain.lv is not None or isinstance(inventory.lvm, Unavailable):
                unexamined.append(_why_unknown(chain, inventory))
            continue
        examined += 1
        if state is Unexported.LEAKED and not _being_attached(chain, inventory) and not _may_wait(chain, inventory):
            findings.append(_leak(chain, inventory))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _being_attached(chain: Chain, inventory: Inventory) -> bool:
    activated = chain.dm.activated if chain.dm is not None else None
    return activated is not None and inventory.clock.boot - activated < BEING_ATTACHED_SECONDS


def _may_wait(chain: Chain, inventory: Inventory) -> bool:
    """Whether the volume is active for a copy that waits until one of those that run has ended: it is made from a snapshot, or it
    is at rest and snapshotted."""
    processes = known(inventory.processes)
    active = chain.dm is not None or (chain.lv is not None and chain.lv.active)
    return active and processes is not None and may_wait(chain.backend, inventory, processes)


def _why_unknown(chain: Chain, inventory: Inventory) -> Unexamined:
    """The first answer that is missing to tell whether this volume's loop device is leaked."""
    what = f"volume {chain.id}"
    for part in (inventory.tgt, inventory.processes, inventory.lvm, inventory.dm):
        if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT:
            return Unexamined(what=what, reason=part.reason, detail=part.what)
    tgt = known(inventory.tgt)
    if tgt and tgt.unanswered:
        first = tgt.unanswered[0]
        return Unexamined(what=what, reason=first.reason, detail=f"a tgtd does not answer: {first.what}")
    if tgt and tgt.stale:
        return Unexamined(what=what, reason=Reason.FAILED, detail="one of several tgtd died: it may have exported it")
    return Unexamined(what=what, reason=Reason.FAILED, detail="not told: since when the LV is active, or tgtd runs")


def _leak(chain: Chain, inventory: Inventory) -> Finding:
    loops = tuple(f"/dev/{loop.name}" for loop in chain.loops)
    lv = chain.lv
    active = chain.dm is not None or (lv is not None and lv.active)
    activated = chain.dm.activated if chain.dm is not None else None
    processes = known(inventory.processes)
    started = min((process.started for process in processes.tgtd), default=None) if processes else None
    since = f", active for {duration_words(inventory.clock.boot - activated)}" if activated is not None else ""
    commands: list[str] = []
    remedy = None
    if chain.snapshots:
        remedy = "Snapshots of it are left over: find out why (no copy of them runs) and remove them first. " + LEAKED.remedy
        commands += [f"lvs --all --options lv_name,origin,lv_attr,snap_percent {quote(lv.vg)}"] if lv else []
    elif active and lv is not None and lv.open:
        remedy = "Something has the LV open: find out what before anything else. " + LEAKED.remedy
        commands += [f"fuser --verbose {quote(f'/dev/{lv.full_name}')}"]
    else:
        commands += [f"lvchange --activate n {quote(lv.full_name)}"] if active and lv is not None else []
        commands += [f"losetup --detach {loop}" for loop in loops]
    return LEAKED.found(
        chain.subject,
        f"{', '.join(loops)} {'is' if len(loops) == 1 else 'are'} attached for {chain.id}, which nothing exports or copies{since}",
        evidence(
            loops=loops,
            backing_files=tuple(loop.backing_file for loop in chain.loops),
            lv_active=active,
            lv_activated=None if activated is None else round(activated, 2),
            tgtd_started=None if started is None else round(started, 2),
            snapshots_left=tuple(snapshot.lv.full_name for snapshot in chain.snapshots),
            source="tgtadm --mode target, /sys/block/*, /run/udev/data, /proc/PID/stat (times in seconds since boot)",
        ),
        commands=tuple(commands),
        remedy=remedy,
    )


def _detach_pending(look: Look) -> Result:
    inventory = look.inventory
    loops = need(inventory.loops)
    if not loops.devices:
        return not_applicable("no loop device is attached")
    flagged = [loop for loop in loops.devices if loop.autoclear]
    if not flagged:
        return Result(examined=len(loops.devices))
    mounts, block = need(inventory.mounts), need(inventory.block)
    chains, dm = known(inventory.chains), known(inventory.dm) or ()
    findings = []
    for loop in flagged:
        if mount_points(loop, mounts):
            continue
        holders = next((device.holders for device in block if device.name == loop.name), ())
        if holders and all(_of_another_program(name, dm) for name in holders):
            continue
        by = users(loop, block=block, mounts=mounts, chains=chains)
        findings.append(_pending(loop, by, chains))
    return Result(examined=len(loops.devices), findings=tuple(findings))


def _of_another_program(name: str, dm: tuple[DmDevice, ...]) -> bool:
    """Whether a holder is a device that some program stacked there itself: neither LVM's nor a partition mapping."""
    uuid = next((device.uuid for device in dm if device.kernel_name == name), None)
    return uuid is None or not uuid.startswith(("LVM-", "part"))


def _pending(loop: LoopDevice, by: tuple[str, ...], chains: Chains | None) -> Finding:
    node = f"/dev/{loop.name}"
    return DETACH_PENDING.found(
        chains.subject_of_loop(loop) if chains else Subject(kind=SubjectKind.LOOP, id=loop.backing_file),
        f"{node} will detach when its last user lets go: {', '.join(by) or 'a process has it open'}",
        evidence(loop=node, backing_file=loop.backing_file, used_by=by, source="/sys/block/loopN/loop/autoclear"),
        commands=(f"lsblk {node}", f"fuser --verbose {node}"),
    )


CHECKS = (
    Check(
        name="loop-leaked",
        title="Loop devices that nothing uses any more",
        codes=(LEAKED,),
        needs=("loops", "chains", "tgt", "processes", "lvm", "dm", "cloud"),
        run=_leaked,
    ),
    Check(
        name="loop-detach",
        title="Loop devices waiting to be detached",
        codes=(DETACH_PENDING,),
        needs=("loops", "mounts", "block", "chains", "dm"),
        run=_detach_pending,
    ),
)
