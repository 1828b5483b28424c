"""LIO's LUNs that answer with zeros in place of what they served."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.both_targets import lio_of
from sctune.chain_lio import folder_of
from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.cinder_lio import lost_cause
from sctune.findings import Code, Risk, Severity, evidence
from sctune.host.base import FileKind
from sctune.model.volume import VolumeState
from sctune.unavailable import Reason, Unavailable, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.model.chain import Chains
    from sctune.model.lio import LioBackstore, LioLun, LioTarget

TARGET_SERVES_ZEROS = Code(
    code="TARGET_SERVES_ZEROS",
    severities=(Severity.CRITICAL,),
    title="A session reads zeros where a volume was",
    meaning="An initiator is logged in to a target of LIO and what it sees as LUN 0 has no backstore (it was deleted, or was not "
    "made when the configuration was restored, as its device was not there); or the file of a fileio backstore is shorter than "
    "the disk that it is served as.",
    why="LIO puts a disk of its own in the place of a missing LUN 0. Reads of its 32 KiB, where partition table, LVM's label and "
    "superblock were, succeed and find zeros; reads behind that fail, and so does every write. Behind the end of a fileio "
    "backstore's file all reads find zeros. What looks at the disk then takes it for an empty one, offers to format it, or repairs "
    "what is only out of reach; a copy of it is empty.",
    thresholds="A session, and a LUN that its initiator sees as number 0 without backstore, or no LUN at all in the portal group; "
    "or a fileio backstore over a plain file whose length is less than the backstore's size, on a LUN that a session sees. Seen "
    "twice. Any other LUN without backstore gives errors: that is TARGET_LUN_OFFLINE.",
    see=(
        "ls -l /sys/kernel/config/target/iscsi/*/tpgt_*/lun/lun_*   # a LUN without a link has no backstore",
        "cat /sys/kernel/config/target/iscsi/*/tpgt_*/acls/*/info",
        "cat /sys/kernel/config/target/core/fileio_*/*/info",
    ),
    remedy="Keep every initiator from writing and from repairing: stop the guest or log it out. Copy saveconfig.json away before "
    "anybody saves: the next save, targetcli's at its exit or Cinder's at the next attachment, writes what is left. Bring the "
    "device back (activate the LV), restore the configuration, and let the initiator log in again. A file that was cut off comes "
    "from a backup.",
    risk=Risk.SAFE,
    source="Linux drivers/target/target_core_device.c (transport_lookup_cmd_lun), target_core_tpg.c (tpg_virt_lun0), "
    "core_dev_setup_virtual_lun0, target_core_file.c (fd_do_rw), tried with 6.1; rtslib root.py (restore)",
    confirm=True,
    volume=VolumeState.BROKEN,
)


def run(look: Look) -> Result:
    """Every LUN that a session sees."""
    lio = lio_of(look)
    if not lio.targets:
        return not_applicable("LIO serves no target")
    chains = need(look.inventory.chains)
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    examined = 0
    for target in lio.targets:
        examined += len(target.luns)
        if target.nexuses and not target.luns:
            examined += 1
            findings.append(_without_lun(look, target, chains))
        for lun in target.luns:
            if not target.nexuses_of(lun.number):
                continue
            if seen_as_zeros(target, lun):
                findings.append(_without_backstore(look, target, lun, chains))
            elif lun.backstore is not None:
                length = _length(lun.backstore)
                if isinstance(length, Unavailable):
                    unexamined.append(Unexamined.of(length))
                elif length is not None and lun.backstore.size is not None and length < lun.backstore.size:
                    findings.append(_cut_off(target, lun, lun.backstore, length, chains))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def seen_as_zeros(target: LioTarget, lun: LioLun) -> bool:
    """Whether a LUN has no backstore, and a session sees it as number 0."""
    return not lun.online and any(target.number_for(nexus.initiator, lun.number) == 0 for nexus in target.nexuses)


def _length(store: LioBackstore) -> int | Unavailable | None:
    """The length of the plain file under a fileio backstore; None where there is none, or it is gone (TARGET_BACKING_MISSING)."""
    if store.plugin != "fileio" or store.stat is None:
        return None
    if isinstance(store.stat, Unavailable):
        return None if store.stat.reason is Reason.ABSENT else store.stat
    return store.stat.size if store.stat.kind is FileKind.FILE else None


def _who(target: LioTarget, lun: int | None = None) -> tuple[str, ...]:
    return tuple(nexus.initiator for nexus in (target.nexuses if lun is None else target.nexuses_of(lun)))


def _see(target: LioTarget) -> tuple[str, ...]:
    folder = quote(folder_of(target))
    return (f"ls -l {folder}/lun/*", f"cat {folder}/acls/*/info", "cp -p /etc/*target/saveconfig.json /root/")


def _without_lun(look: Look, target: LioTarget, chains: Chains) -> Finding:
    return TARGET_SERVES_ZEROS.found(
        chains.subject_of_target(target),
        f"{target.iqn} has sessions and no LUN: what was LUN 0 reads as zeros",
        evidence(initiators=_who(target), luns=0, source=folder_of(target)),
        commands=_see(target),
        caused_by=lost_cause(look.inventory, target.iqn),
    )


def _without_backstore(look: Look, target: LioTarget, lun: LioLun, chains: Chains) -> Finding:
    return TARGET_SERVES_ZEROS.found(
        chains.subject_of_lun(target, lun),
        f"LUN {lun.number} of {target.iqn} has no backstore, and a session reads zeros from it",
        evidence(initiators=_who(target, lun.number), lun=lun.number, source=folder_of(target)),
        commands=_see(target),
        caused_by=lost_cause(look.inventory, target.iqn),
    )


def _cut_off(target: LioTarget, lun: LioLun, store: LioBackstore, length: int, chains: Chains) -> Finding:
    return TARGET_SERVES_ZEROS.found(
        chains.subject_of_lun(target, lun),
        f"LUN {lun.number} of {target.iqn} is larger than its file {store.path}: what lies behind its end reads as zeros",
        evidence(
            initiators=_who(target, lun.number),
            lun=lun.number,
            backing_path=store.path,
            file_size=length,
            size=store.size,
            source=f"/sys/kernel/config/target/core/{store.key}/info, stat(2)",
        ),
        commands=(f"ls -ls {quote(store.path)}", *_see(target)[1:]),
    )


CHECKS: tuple[Check, ...] = (
    Check(
        name="lio-luns",
        title="LIO's LUNs are not empty disks in place of volumes",
        codes=(TARGET_SERVES_ZEROS,),
        needs=("lio_state", "chains", "lio_saved", "lvm", "block"),
        run=run,
    ),
)
