"""Targets and their LUNs: each serves something, and what it serves is there."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING

from sctune.both_targets import both, lio_of
from sctune.chain_lio import folder_of
from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.checks.lio_luns import seen_as_zeros
from sctune.cinder_lio import lost_cause
from sctune.findings import Cause, Code, Risk, Severity, evidence
from sctune.model.volume import VolumeState
from sctune.tgt_process import daemon_of, tgtadm
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.check import Look
    from sctune.findings import Finding, Subject
    from sctune.inventory import Inventory
    from sctune.model.lio import LioBackstore
    from sctune.model.target import Backing, Lun, Target, TgtState

TARGET_LUN_MISSING = Code(
    code="TARGET_LUN_MISSING",
    severities=(Severity.CRITICAL,),
    title="A target without a disk",
    meaning="tgtd serves the target, and it has no logical unit but LUN 0, which on tgt is its controller and no disk; or LIO "
    "serves it and it has none at all.",
    why="An initiator logs in and finds no disk. For a volume in use this is its loss: somebody removed the LUN, or making it "
    "failed (its device was not there) and the target stayed behind.",
    thresholds="No LUN besides tgt's controller, seen twice: a cloud makes the target first and its LUN a moment later. On LIO "
    "LUN 0 is a disk as any other; with a session and without a LUN it is TARGET_SERVES_ZEROS.",
    see=("tgtadm --lld iscsi --mode target --op show",),
    remedy="If the volume is meant to be served, give the target its LUN again; if it is not, delete the target. Eucalyptus "
    "makes both again when its storage controller starts.",
    risk=Risk.SAFE,
    source="tgtadm(8); tgt usr/target.c (tgt_target_create); eucalyptus TGTWrapper.java (LUN 1 is the volume)",
    confirm=True,
    volume=VolumeState.BROKEN,
)

TARGET_BACKING_MISSING = Code(
    code="TARGET_BACKING_MISSING",
    severities=(Severity.CRITICAL,),
    title="What a LUN serves is not there any more",
    meaning="The path that the LUN was made with leads nowhere: the file was deleted, the device is gone, or the loop device "
    "it names has been detached.",
    why="tgtd holds what it opened: a deleted file is served on until tgtd closes it, and then its data is lost for good. A "
    "device that is gone gives I/O errors at once. The LUN cannot be made again after a restart of tgtd.",
    thresholds="stat(2) of the path says that it does not exist, or it is a block device that the kernel no longer has, or a "
    "loop device of size 0. Seen twice. Not judged: LUNs without a file (bstype null, rbd, sheepdog, glfs; passthrough). A "
    "link in /dev that is gone while device-mapper still has the LV is udev's fault and no loss. A tgtd in a container is "
    "asked through its own root. LIO: the path of a file does not exist, or neither that of a device nor the device number it was "
    "opened by.",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep 'Backing store path'",
        "ls -l /proc/$(pgrep -o tgtd)/fd | grep deleted",
        "losetup --list",
    ),
    remedy="Do not restart tgtd and do not log initiators out: as long as tgtd holds a deleted file open, the data is there. "
    "Copy it back from /proc/PID/fd/N after initiators have stopped writing. For a device: bring it back (attach the loop "
    "device, activate the LV).",
    risk=Risk.SAFE,
    source="stat(2); proc(5) on /proc/PID/fd; tgt usr/bs_rdwr.c",
    confirm=True,
    volume=VolumeState.BROKEN,
)

TARGET_LUN_OFFLINE = Code(
    code="TARGET_LUN_OFFLINE",
    severities=(Severity.CRITICAL,),
    title="A LUN is offline",
    meaning="tgtd shows the LUN with Online: No. It answers every command for the disk with NOT READY. On LIO: there is no "
    "backstore behind the LUN, and commands for it fail.",
    why="Initiators see the disk and cannot read or write it.",
    thresholds="Online: No on a disk that is no removable medium; on LIO a LUN without its link to a backstore, but where a "
    "session sees it as LUN 0 (TARGET_SERVES_ZEROS). Seen twice.",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep -e '^Target' -e LUN: -e Online",
        "ls -l /sys/kernel/config/target/iscsi/*/tpgt_*/lun/lun_*",
    ),
    remedy="Look first that what it serves is there, then set it online.",
    risk=Risk.SAFE,
    source="tgtadm(8) (--params online); tgt usr/spc.c (device_not_ready)",
    confirm=True,
    volume=VolumeState.BROKEN,
)


def tgt_luns(look: Look) -> Result:
    """Every target has a disk, and every disk is online."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    empty = _nothing(tgt)
    if empty is not None:
        return empty
    chains = need(inventory.chains)
    gone = {backing.path for backing in known(inventory.backings) or () if missing(backing, inventory) is not None}
    findings: list[Finding] = []
    for target in tgt.targets:
        if not target.disks:
            subject = chains.subject_of_target(target)
            findings.append(
                TARGET_LUN_MISSING.found(
                    subject,
                    f"{target.iqn} has no disk, only tgt's controller",
                    evidence(tid=target.tid, luns=len(target.luns), sessions=len(target.nexuses), source=_source(target)),
                    commands=tuple(_remake(inventory, target)),
                )
            )
        for lun in target.disks:
            if not lun.online and lun.kind == "disk" and not lun.removable:
                subject = chains.subject_of_lun(target, lun)
                findings.append(
                    TARGET_LUN_OFFLINE.found(
                        subject,
                        f"LUN {lun.number} of {target.iqn} is offline",
                        evidence(
                            tid=target.tid, backing_path=lun.backing_path, sessions=len(target.nexuses), source=_source(target)
                        ),
                        commands=(
                            f"{tgtadm(target.control_port)} --mode logicalunit --op update --tid {target.tid} --lun {lun.number} "
                            "--params online=1",
                        ),
                        caused_by=Cause(code=TARGET_BACKING_MISSING.code, subject=subject) if lun.backing_path in gone else None,
                    )
                )
    return Result(examined=len(tgt.targets), findings=tuple(findings), unexamined=_unanswered(tgt))


def lio_luns(look: Look) -> Result:
    """The same of LIO. What reads as zeros, which is worse, is TARGET_SERVES_ZEROS."""
    lio = lio_of(look)
    if not lio.targets:
        return not_applicable("LIO serves no target")
    chains = need(look.inventory.chains)
    findings: list[Finding] = []
    for target in lio.targets:
        folder = folder_of(target)
        if not target.luns and not target.nexuses:
            findings.append(
                TARGET_LUN_MISSING.found(
                    chains.subject_of_target(target),
                    f"{target.iqn} has no LUN",
                    evidence(luns=0, sessions=0, source=folder),
                    commands=(f"ls -l {quote(folder)}/lun", "cp -p /etc/*target/saveconfig.json /root/"),
                    caused_by=lost_cause(look.inventory, target.iqn),
                )
            )
        for lun in target.luns:
            if not lun.online and not seen_as_zeros(target, lun):
                findings.append(
                    TARGET_LUN_OFFLINE.found(
                        chains.subject_of_lun(target, lun),
                        f"LUN {lun.number} of {target.iqn} has no backstore",
                        evidence(backing_path=lun.backing_path, sessions=len(target.nexuses_of(lun.number)), source=folder),
                        commands=(f"ls -l {quote(folder)}/lun/lun_{lun.number}",),
                        remedy="Bring back what it served, then take the LUN away and make it again over that; its ACLs need it "
                        "anew.",
                        caused_by=lost_cause(look.inventory, target.iqn),
                    )
                )
    return Result(examined=len(lio.targets), findings=tuple(findings))


def _remake(inventory: Inventory, target: Target) -> Iterator[str]:
    """The commands that give a target its LUNs as targets.conf has them; else those that show what there is."""
    command = tgtadm(target.control_port)
    configuration = known(inventory.tgt_configuration)
    persisted = next((item for item in (configuration.targets if configuration else ()) if item.iqn == target.iqn), None)
    for number, path in enumerate(persisted.backing_paths if persisted else (), start=1):
        yield f"{command} --mode logicalunit --op new --tid {target.tid} --lun {number} -b {quote(path)}"
    if persisted is None or not persisted.backing_paths:
        yield f"{command} --mode target --op show"


def tgt_backing(look: Look) -> Result:
    """What every LUN serves is there."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    empty = _nothing(tgt)
    if empty is not None:
        return empty
    records = {backing.path: backing for backing in need(inventory.backings)}
    if not records:
        return (
            Result(examined=0, unexamined=_unanswered(tgt)) if tgt.unanswered else not_applicable("no LUN serves a file or device")
        )
    chains = need(inventory.chains)
    findings: list[Finding] = []
    unexamined: list[Unexamined] = list(_unanswered(tgt))
    states = {path: missing(record, inventory) for path, record in records.items()}
    for target in tgt.targets:
        for lun in target.luns:
            state = states.get(lun.backing_path)
            if isinstance(state, str):
                findings.append(_missing(inventory, target, lun, state, chains.subject_of_lun(target, lun)))
    unexamined += [Unexamined.of(state) for state in states.values() if isinstance(state, Unavailable)]
    known_states = sum(1 for state in states.values() if not isinstance(state, Unavailable))
    return Result(examined=known_states, findings=tuple(findings), unexamined=tuple(unexamined))


def lio_backing(look: Look) -> Result:
    """The same of LIO, which holds open what it serves as tgtd does."""
    inventory = look.inventory
    lio = lio_of(look)
    served = [(target, lun, lun.backstore) for target in lio.targets for lun in target.luns if lun.backstore is not None]
    judged = [(target, lun, store) for target, lun, store in served if store.stat is not None]
    if not judged:
        return not_applicable("no LUN of LIO serves a file or device")
    chains = need(inventory.chains)
    findings: list[Finding] = []
    unexamined: dict[str, Unexamined] = {}
    for target, lun, store in judged:
        why = _lio_missing(store, inventory)
        if isinstance(why, Unavailable):
            unexamined[store.key] = Unexamined.of(why)
        elif why is not None:
            source = f"/sys/kernel/config/target/core/{store.key}"
            findings.append(
                TARGET_BACKING_MISSING.found(
                    chains.subject_of_lun(target, lun),
                    f"LUN {lun.number} of {target.iqn} serves {store.path}, and {why}",
                    evidence(
                        backing_path=store.path,
                        seen=why,
                        backing_type=store.plugin,
                        sessions=len(target.nexuses_of(lun.number)),
                        source=f"{source}/info, stat(2)",
                    ),
                    commands=(f"cat {quote(source)}/info", f"ls -l {quote(os.path.dirname(store.path))}"),
                    remedy=_LIO_REMEDY,
                )
            )
    return Result(examined=len(judged) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined.values()))


_LIO_REMEDY = (
    "Do not restart target.service and do not reboot: LIO holds a deleted file open, and initiators still have the data. No "
    "process does, so that /proc has no way to it: copy the disk on an initiator after the guest has stopped. A device that is "
    "gone gives errors: bring it back, then make backstore and LUN again."
)


def _lio_missing(store: LioBackstore, inventory: Inventory) -> str | Unavailable | None:
    """In words why there is nothing behind a backstore's path, as `missing`. A link in /dev that udev lost is no loss where the
    kernel still has the device that is held open."""
    if not isinstance(store.stat, Unavailable):
        return None
    if store.stat.reason is not Reason.ABSENT:
        return store.stat
    if store.device is None:
        return "the path does not exist"
    block = inventory.block
    if isinstance(block, Unavailable):
        return block
    # Only whole disks are in `block`: of a partition the kernel's list of all block devices tells.
    there = store.present or any(store.device == device.device for device in block)
    return None if there else "the kernel has no such device any more"


def missing(record: Backing, inventory: Inventory) -> str | Unavailable | None:
    """In words why there is nothing behind a backing path; None where there is; Unavailable where that cannot be told."""
    stat = record.stat
    if not isinstance(stat, Unavailable):
        size = record.device_size
        if isinstance(size, Unavailable):
            return "the device node has no device behind it" if size.reason is Reason.ABSENT else None
        if size == 0 and stat.rdevice is not None and stat.rdevice[0] == _LOOP_MAJOR:
            return "the loop device is detached"
        return None
    if stat.reason is not Reason.ABSENT:
        return stat
    name = dm_name(record.path)
    if not name:
        return "the path does not exist"
    devices = inventory.dm
    if isinstance(devices, Unavailable):
        return devices if devices.reason is not Reason.ABSENT else "the path does not exist"
    # udev lost the link, but the LV is active: tgtd's open device is as good as ever.
    if any(name in (device.name, device.kernel_name) for device in devices):
        return None
    return "the path does not exist, and device-mapper has no such device"


_LOOP_MAJOR = 7


def dm_name(path: str) -> str:
    """The device-mapper name that a path in /dev may stand for, "" for none: /dev/mapper/NAME, /dev/dm-N, /dev/VG/LV (LVM doubles
    the hyphens of both names and joins them with one, lvm(8))."""
    parts = path.split("/")
    if parts[:2] != ["", "dev"]:
        return ""
    if len(parts) == 3:
        return parts[2] if parts[2].startswith("dm-") else ""
    if len(parts) != 4:
        return ""
    if parts[2] == "mapper":
        return parts[3]
    return "-".join(part.replace("-", "--") for part in parts[2:])


def _missing(inventory: Inventory, target: Target, lun: Lun, why: str, subject: Subject) -> Finding:
    process = daemon_of(target.control_port, known(inventory.processes))
    pid = str(process.pid) if process is not None else "$(pgrep -o tgtd)"
    path = lun.backing_path
    commands: tuple[str, ...]
    if path.startswith("/dev/"):
        commands = (f"ls -l {quote(os.path.dirname(path))}", "losetup --list", "lvs -o vg_name,lv_name,lv_active,lv_path")
    else:
        commands = (f"ls -l /proc/{pid}/fd | grep -F -- {quote(path)}", f"cp --sparse=always /proc/{pid}/fd/N {quote(path)}")
    return TARGET_BACKING_MISSING.found(
        subject,
        f"LUN {lun.number} of {target.iqn} serves {path}, and {why}",
        evidence(
            backing_path=path,
            seen=why,
            tid=target.tid,
            backing_type=lun.backing_type,
            sessions=len(target.nexuses),
            source=f"{_source(target)}, stat(2)",
        ),
        commands=commands,
        remedy="Do not restart tgtd. Bring back the device under the same path."
        if path.startswith("/dev/")
        else f"{TARGET_BACKING_MISSING.remedy} In the command, N is the number that the first one shows.",
    )


def _source(target: Target) -> str:
    return f"{tgtadm(target.control_port)} --mode target --op show"


def _nothing(tgt: TgtState) -> Result | None:
    """The answer where there is no target to judge; None where there is one."""
    if tgt.targets:
        return None
    if tgt.unanswered:
        return Result(examined=0, unexamined=_unanswered(tgt))
    return not_applicable("tgtd serves no target" if tgt.daemons else "no tgtd runs")


def _unanswered(tgt: TgtState) -> tuple[Unexamined, ...]:
    return tuple(Unexamined.of(item) for item in tgt.unanswered)


CHECKS: tuple[Check, ...] = (
    Check(
        name="target-luns",
        title="Targets have disks that are online",
        codes=(TARGET_LUN_MISSING, TARGET_LUN_OFFLINE),
        needs=("tgt", "chains", "backings", "dm", "tgt_configuration", "lio_state", "lio_saved", "lvm", "block"),
        run=both(tgt_luns, lio_luns),
    ),
    Check(
        name="target-backing",
        title="What targets serve is there",
        codes=(TARGET_BACKING_MISSING,),
        needs=("tgt", "chains", "backings", "dm", "processes", "lio_state", "block"),
        run=both(tgt_backing, lio_backing),
    ),
)
