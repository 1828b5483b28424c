"""Volumes that can be neither deleted nor detached, by the logs of the storage controller and of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result
from sctune.cloud_service import last_of, logs_begin, of_kind, times_logged, unread_logs
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.cloud_log import LogClass
from sctune.model.units import moment_words
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.cloud_log import CloudLog, LogEvent

DELETING = Code(
    code="VOLUME_STUCK_DELETING",
    severities=(Severity.WARNING,),
    title="A volume cannot be deleted because it is still exported",
    meaning="The cloud wants to delete the volume, and the storage controller refuses again and again: a target still serves it.",
    why="The volume stays in deleting, keeps its space and its loop device, and counts against quotas.",
    thresholds="'Cannot delete volume … because it is currently exported' twice or more, or 'All attempts to cleanup volume … "
    "failed', since "
    "thresholds.log_seconds ago (1 day; --since), and the volume is still on this host.",
    see=("tgtadm --lld iscsi --op show --mode target", "grep -n 'Cannot delete volume' /var/log/eucalyptus/cloud-error.log"),
    remedy="Find out who is logged in to its target. Detach the volume there, or log the node out if no guest has it any more "
    "(iscsiadm -m node -T IQN -u); the storage controller then deletes it at its next attempt. Do not delete the target while "
    "a guest "
    "writes to it.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java and DASManager.java, deleteVolume",
)
DETACHING = Code(
    code="VOLUME_STUCK_DETACHING",
    severities=(Severity.WARNING,),
    title="A volume cannot be detached from its guest",
    meaning="The node controller asked the hypervisor to take the disk out of the guest, and that failed; the disk has not "
    "come out since.",
    why="The volume stays in detaching: it can be attached nowhere else and not be deleted. Mostly the guest still has it mounted.",
    thresholds="'failed to detach EBS guest device', or a state of df in the node controller's list of volumes (DEBUG), since "
    "thresholds.log_seconds ago (1 day; --since), with no later 'detached EBS guest device', and a QEMU process of the "
    "instance still "
    "there. That no df is listed proves nothing: the node controller cuts its list to 16 characters a volume, so that only an "
    "instance's first volume can show it, and to eight volumes.",
    see=("grep -nE 'failed to detach|:df' /var/log/eucalyptus/nc.log", "virsh domblklist INSTANCE"),
    remedy="Unmount it within the guest, then detach it again. Where the guest cannot be reached, it has to be rebooted or "
    "terminated.",
    risk=Risk.DISRUPTIVE,
    source="eucalyptus/eucalyptus node/handlers_default.c (detach_vol_instance), node/handlers.c (doDescribeInstances)",
)


def _run_deleting(look: Look) -> Result:
    inventory = look.inventory
    log = need(inventory.cloud_log)
    found: dict[str, list[LogEvent]] = {}
    for event in of_kind(log, LogClass.DELETE_BLOCKED, LogClass.DELETE_GIVEN_UP):
        if event.id:
            found.setdefault(event.id, []).append(event)
    findings = []
    for name, events in found.items():
        gave_up = any(event.kind is LogClass.DELETE_GIVEN_UP for event in events)
        if (gave_up or times_logged(events) > 1) and not _is_gone(name, inventory):
            findings.append(_deleting(name, events, inventory, log))
    return Result(examined=len(found), findings=tuple(findings), unexamined=unread_logs(log))


def _chain(name: str, inventory: Inventory) -> Chain | None:
    chains = known(inventory.chains)
    return next((chain for chain in chains.chains if chain.id == name), None) if chains is not None else None


def _is_gone(name: str, inventory: Inventory) -> bool:
    """Whether nothing of the volume is on this host: only where all that could be of it was seen. What does not exist here (no LVM,
    no tgtd) has nothing of it."""
    stores = inventory.stores
    if _chain(name, inventory) is not None or isinstance(inventory.chains, Unavailable) or isinstance(stores, Unavailable):
        return False
    if any(isinstance(part, Unavailable) and part.reason is not Reason.ABSENT for part in (inventory.lvm, inventory.tgt)):
        return False
    return all(not isinstance(one.files, Unavailable) and all(file.name != name for file in one.files) for one in stores)


def _deleting(name: str, events: list[LogEvent], inventory: Inventory, log: CloudLog) -> Finding:
    chain = _chain(name, inventory)
    exports = chain.exports if chain is not None else ()
    initiators = tuple(dict.fromkeys(nexus.initiator for export in exports for nexus in export.nexuses))
    count = times_logged([event for event in events if event.kind is LogClass.DELETE_BLOCKED])
    who = f" to {', '.join(initiators)}" if initiators else ""
    return DELETING.found(
        Subject(kind=SubjectKind.VOLUME, id=name),
        f"{name} cannot be deleted: it is exported{who}, refused {count} time{'' if count == 1 else 's'}",
        evidence(
            count=count,
            given_up=any(event.kind is LogClass.DELETE_GIVEN_UP for event in events),
            first=moment_words(min(event.first for event in events)),
            last=moment_words(max(event.last for event in events)),
            targets=tuple(export.target.iqn for export in exports),
            initiators=initiators,
            local_time=log.zone,
            **logs_begin(log),
            source=", ".join(dict.fromkeys(event.file for event in events)),
        ),
    )


def _run_detaching(look: Look) -> Result:
    inventory = look.inventory
    log = need(inventory.node_log)
    found: dict[tuple[str, str], list[LogEvent]] = {}
    for event in of_kind(log, LogClass.NODE_DETACH_FAILED):
        if event.id:
            found.setdefault((event.instance, event.id), []).append(event)
    findings: dict[str, Finding] = {}
    for (instance, name), events in found.items():
        last = max(event.last for event in events)
        done = last_of(event for event in of_kind(log, LogClass.NODE_DETACHED) if (event.instance, event.id) == (instance, name))
        if (done or 0.0) >= last or _has_ended(instance, inventory):
            continue
        findings.setdefault(name, _detaching(name, instance, events, log))
    return Result(examined=len(found), findings=tuple(findings.values()), unexamined=unread_logs(log))


def _has_ended(instance: str, inventory: Inventory) -> bool:
    """Whether no QEMU process of the instance is there any more; libvirt names the guest after the instance."""
    processes = known(inventory.processes)
    if not instance or processes is None or processes.contained:
        return False
    return not any(instance in argument for guest in processes.guests for argument in guest.argv)


def _detaching(name: str, instance: str, events: list[LogEvent], log: CloudLog) -> Finding:
    return DETACHING.found(
        Subject(kind=SubjectKind.VOLUME, id=name),
        f"{name} cannot be detached from {instance or 'its guest'}",
        evidence(
            instance=instance,
            count=times_logged(events),
            first=moment_words(min(event.first for event in events)),
            last=moment_words(max(event.last for event in events)),
            said=tuple(dict.fromkeys(event.text for event in events))[:2],
            local_time=log.zone,
            **logs_begin(log),
            source=", ".join(dict.fromkeys(event.file for event in events)),
        ),
        commands=(f"virsh domblklist {instance}",) if instance else (),
    )


CHECKS = (
    Check(
        name="volume-deleting",
        title="Volumes that cannot be deleted",
        codes=(DELETING,),
        needs=("cloud_log", "chains", "stores", "lvm", "tgt"),
        run=_run_deleting,
    ),
    Check(
        name="volume-detaching",
        title="Volumes that cannot be detached",
        codes=(DETACHING,),
        needs=("node_log", "processes"),
        run=_run_detaching,
    ),
)
