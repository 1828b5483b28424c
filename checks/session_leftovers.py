"""Sessions of the initiator that nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.disk_use import maps_over
from sctune.findings import Code, Risk, Severity, evidence
from sctune.initiator import node, records_of, session_subject
from sctune.model.units import duration_words
from sctune.model.volume import VolumeState
from sctune.session_state import LEFTOVER, PARTS, Leftover, judged, leftover
from sctune.unavailable import Unavailable, known, need

if TYPE_CHECKING:
    from sctune.findings import Finding
    from sctune.inventory import Inventory
    from sctune.model.initiator import IscsiSession

ISCSI_SESSION_LEFTOVER = Code(
    code=LEFTOVER,
    severities=(Severity.WARNING,),
    title="An iSCSI session that nobody needs any more",
    meaning="The initiator is still logged in, or still tries to be, and nothing uses the disk. Either the session leads back to "
    "this host and its target was removed from tgtd while it was in use, or this is a node controller and no guest has the "
    "volume's disk.",
    why="The volume counts as attached on the storage controller: it keeps its loop device and its LV active there, and cannot be "
    "deleted. A session whose target is gone never comes back: iscsid tries for ever, and what opens every disk (pvs, lvs, "
    "blkid) waits for this one. A disk that was left behind is taken for the next one with its name. Node controllers leave such "
    "sessions when detaching a volume fails half-way.",
    thresholds="On the host with the target: the session is not logged in, tgtd answers and has not the target, the disk came "
    "while this tgtd ran (else a restart took the target, see TGT_EXPORT_LOST), and nothing is known to use the disk. On a node "
    "controller (its web server runs, or Eucalyptus and QEMU do): the target is Eucalyptus', no process of QEMU has the disk in "
    "its arguments or open, nothing else uses it, and it came at least 10 min ago (session_unused_seconds; udev's record of the "
    "disk). Uses are holders, mounts, targets, running copies, guests; under Xen, those of guests cannot be told.",
    see=(
        "iscsiadm -m session -P 3",
        "lsblk -o NAME,HCTL,SIZE,MOUNTPOINT,TRAN",
        "tgtadm --lld iscsi --mode target --op show   # on the host with the target",
        "for p in $(pgrep qemu); do ls -l /proc/$p/fd; done | grep /dev/   # on a node controller",
        "virsh list --name | xargs -n 1 virsh domblklist",
    ),
    remedy="Make sure first that nobody needs it: what is open on the disk (`fuser -v`), and whether the cloud calls the volume "
    "attached to an instance of this host (euca-describe-volumes); where it does, detach it there. Then log out and delete the "
    "node record, so that nothing logs in again. A logout takes the disk away from whoever has it after all.",
    risk=Risk.DISRUPTIVE,
    source="eucalyptus tools/disconnect_iscsitarget_main.pl, EUCA-4020, EUCA-7259, EUCA-12033; libvirt and qemu(1) on how guests "
    "get disks; udev's USEC_INITIALIZED",
    confirm=True,
    volume=VolumeState.LEAKED,
)


def run(look: Look) -> Result:
    """Every session that this host can tell of."""
    inventory = look.inventory
    sessions = [session for session in need(inventory.sessions) if judged(inventory, session)]
    if not sessions:
        return not_applicable("no session with a target of this host, nor a node controller's with a volume")
    findings: list[Finding] = []
    unexamined: dict[Unexamined, None] = {}
    unknown = 0
    for session in sessions:
        left = leftover(inventory, session)
        if isinstance(left, Unavailable):
            unexamined[Unexamined.of(left)] = None
            unknown += 1
        elif left is not None:
            findings.append(_left(inventory, session, left))
    return Result(examined=len(sessions) - unknown, findings=tuple(findings), unexamined=tuple(unexamined))


def _left(inventory: Inventory, session: IscsiSession, left: Leftover) -> Finding:
    records = records_of(session, known(inventory.node_records) or ())
    maps = maps_over(inventory, session)
    disks = tuple(f"/dev/{disk}" for disk in session.disks)
    guests = known(inventory.guest_disks)
    why = "its target was removed" if left.removed else "no guest has its disk"
    since = "" if left.removed else f", which came {duration_words(left.seconds)} ago"
    nobody = ", and nothing uses its disk" if left.removed else since
    return ISCSI_SESSION_LEFTOVER.found(
        session_subject(session),
        f"session with {session.target} at {session.portal or 'an unknown portal'} is left over: {why}{nobody}",
        evidence(
            state=session.state,
            disks=session.disks,
            multipath=maps,
            disk_age_seconds=round(left.seconds),
            guests=None if guests is None else len(guests),
            records=tuple(record.path for record in records),
            source=f"/sys/class/iscsi_session/session{session.number}, udev's database, mounts, tgtd, process table",
        ),
        commands=(
            *((f"fuser -v {' '.join(disks)}",) if disks else ()),
            *(f"multipath -f {name}" for name in maps),
            f"{node(session)} --logout" if records else f"iscsiadm -m session -r {session.number} --logout",
            *((f"{node(session)} -o delete",) if records else ()),
        ),
    )


CHECKS: tuple[Check, ...] = (
    Check(
        name="iscsi-leftovers",
        title="No iSCSI session is left over",
        codes=(ISCSI_SESSION_LEFTOVER,),
        needs=(*PARTS, "node_records"),
        run=run,
    ),
)
