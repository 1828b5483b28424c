"""open-iscsi: the daemon, its sessions, and who may read its secrets."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Cause, Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.initiator import session_subject, words
from sctune.model.volume import VolumeState
from sctune.session_state import PARTS, leftover_cause, tgt_cause
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.inventory import Inventory
    from sctune.model.initiator import InitiatorConfiguration, IscsiSession, NodeRecord

ISCSID_DOWN = Code(
    code="ISCSID_DOWN",
    severities=(Severity.CRITICAL,),
    title="iscsid does not run while iSCSI sessions exist",
    meaning="The kernel holds iSCSI sessions and there is no iscsid process. Sessions that are logged in go on working: the "
    "kernel moves their data by itself.",
    why="Only iscsid logs a broken session in again, answers the target's requests to log out, and logs out on shutdown. "
    "Without it the next short loss of the network or restart of the target daemon is final: after the replacement timeout "
    "every disk of the session fails its I/O.",
    thresholds="At least one session that was made by iscsid (sessions the kernel or an adapter's firmware made need none) and "
    "no iscsid process. A logger that a killed iscsid leaves behind does not count as one. In a container with a process table of "
    "its own that cannot be told.",
    see=("pgrep -a iscsid", "cat /run/iscsid.pid", "iscsiadm -m session", "systemctl status iscsid"),
    remedy="Start iscsid. It takes the sessions over and logs each one in again, which holds I/O for a moment and loses none. "
    "Then find out why it ended (journal, kernel log for the OOM killer).",
    risk=Risk.DISRUPTIVE,
    source="iscsid(8); open-iscsi usr/iscsid.c (sync_session), usr/log.c (the logger)",
    confirm=True,
)

ISCSI_SESSION_FAILED = Code(
    code="ISCSI_SESSION_FAILED",
    severities=(Severity.CRITICAL,),
    title="An iSCSI session has lost its target",
    meaning="The session's connection is broken and has not been made again. While the state is FAILED, the kernel holds I/O to "
    "its disks back (the disks are blocked); once the replacement timeout has passed it is FREE, the disks are "
    "transport-offline and every request fails.",
    why="Whatever uses the disks hangs, and then sees I/O errors: file systems go read-only, guests stop. While disks are "
    "blocked, commands that open every disk (pvs, lvs, blkid) hang as well.",
    thresholds="Any state other than LOGGED_IN, seen twice.",
    see=(
        "grep . /sys/class/iscsi_session/session*/{targetname,state,recovery_tmo}",
        "iscsiadm -m session -P 3",
        "grep . /sys/block/sd*/device/state",
        "dmesg | grep -e 'connection.*error' -e 'recovery timed out'",
    ),
    remedy="Make the portal reachable again (the network, the target daemon on the other side, its export). iscsid goes on trying "
    "and logs in when the portal answers and the target is there, also after the replacement timeout. Do not log out as long as "
    "somebody needs what is on the disks: that turns waiting into I/O errors.",
    risk=Risk.SAFE,
    source="open-iscsi README section 8; Linux drivers/scsi/scsi_transport_iscsi.c (session_recovery_timedout)",
    confirm=True,
    volume=VolumeState.BROKEN,
)

ISCSI_SECRETS_EXPOSED = Code(
    code="ISCSI_SECRETS_EXPOSED",
    severities=(Severity.WARNING,),
    title="CHAP secrets that every user of this host may read",
    meaning="A file of open-iscsi holds a CHAP password and its mode lets others read it.",
    why="Who has the secret may log in to the target as this host and read and write its volumes. In a cloud one secret opens "
    "every volume of a zone.",
    thresholds="The file sets a password, its mode has the read bit for others, and no folder on the way keeps others out.",
    see=("ls -l /etc/iscsi/iscsid.conf", "find /etc/iscsi/nodes /var/lib/iscsi/nodes -type f -perm -o=r"),
    remedy="Take the right to read away from others, and change the secret where users you do not trust had an account here.",
    risk=Risk.SAFE,
    source="iscsid.conf(5) as installed; open-iscsi usr/iscsid.c (umask 0077)",
)


def iscsid(look: Look) -> Result:
    """Sessions need a daemon."""
    sessions = tuple(session for session in need(look.inventory.sessions) if session.creator != -1)
    if not sessions:
        return not_applicable("no iSCSI session that iscsid made")
    processes = need(look.inventory.processes)
    if processes.iscsid:
        return Result(examined=1)
    units = {unit.name: unit for unit in known(look.inventory.units) or ()}
    unit = units.get("iscsid.service")
    if unit is not None and unit.active == "active" and unit.main_pid:
        # systemd sees it where we do not: the process table is another namespace's.
        seen = f"systemd says that iscsid.service runs as process {unit.main_pid}, which is not in the process table"
        return Result(examined=0, unexamined=(Unexamined(what="iscsid", reason=Reason.FAILED, detail=seen),))
    if processes.contained:
        seen = "this is a container with a process table of its own; iscsid may run outside it, or in another"
        return Result(examined=0, unexamined=(Unexamined(what="iscsid", reason=Reason.NOT_COLLECTED, detail=seen),))
    without_systemd = isinstance(look.inventory.units, Unavailable) and look.inventory.units.reason is Reason.ABSENT
    finding = ISCSID_DOWN.found(
        _ISCSID,
        f"iscsid does not run; {_sessions(len(sessions))} will not be logged in again after the next interruption",
        evidence(
            sessions=len(sessions),
            made_by_pids=tuple(dict.fromkeys(str(session.creator) for session in sessions if session.creator is not None)),
            unit="" if unit is None else f"{unit.name} is {unit.active}",
            source="/sys/class/iscsi_session, process table",
        ),
        commands=("service iscsid start" if without_systemd else "systemctl start iscsid.service",),
    )
    return Result(examined=1, findings=(finding,))


_ISCSID = Subject(kind=SubjectKind.PROCESS, id="iscsid")


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"


def sessions(look: Look) -> Result:
    """Every session must be logged in."""
    inventory = look.inventory
    found = need(inventory.sessions)
    if not found:
        return not_applicable("no iSCSI session")
    return Result(
        examined=len(found),
        findings=tuple(_failed(inventory, session) for session in found if session.state != "LOGGED_IN"),
    )


def _failed(inventory: Inventory, session: IscsiSession) -> Finding:
    states = {device.name: device.device_state or "" for device in known(inventory.block) or ()}
    disks = ", ".join(session.disks) or "its disks"
    if session.state == "FREE":
        effect = f"I/O on {disks} fails"
    elif session.recovery_timeout is None:
        effect = f"I/O on {disks} waits"
    elif session.recovery_timeout < 0:
        effect = f"I/O on {disks} waits until the session is back"
    else:
        effect = f"I/O on {disks} waits, and fails {words(session.recovery_timeout)} after the loss"
    return ISCSI_SESSION_FAILED.found(
        session_subject(session),
        f"session with {session.target} at {session.portal or 'an unknown portal'} is {session.state or 'in an unknown state'}: "
        f"{effect}",
        evidence(
            state=session.state,
            recovery_timeout=session.recovery_timeout,
            connections=tuple(f"{connection.name} {connection.state}" for connection in session.connections),
            disks=tuple(f"{disk} {states.get(disk, '')}".strip() for disk in session.disks),
            source=f"/sys/class/iscsi_session/session{session.number}",
        ),
        commands=(f"iscsiadm -m session -r {session.number} -P 3",),
        caused_by=_cause(inventory, session),
    )


def _cause(inventory: Inventory, session: IscsiSession) -> Cause | None:
    """tgtd of this very host where the session leads back to it; that nobody needs it any more; else a missing iscsid: nobody logs
    in again."""
    cause = (tgt_cause(inventory, session) if session.local else None) or leftover_cause(inventory, session)
    if cause is not None:
        return cause
    processes = known(inventory.processes)
    if processes is not None and not processes.iscsid and not processes.contained and session.creator != -1:
        return Cause(code="ISCSID_DOWN", subject=_ISCSID)
    return None


def secrets(look: Look) -> Result:
    """Files that hold CHAP secrets."""
    configuration, records = look.inventory.initiator_configuration, look.inventory.node_records
    both_absent = all(isinstance(part, Unavailable) and part.reason is Reason.ABSENT for part in (configuration, records))
    if both_absent:
        return not_applicable("open-iscsi is not set up here")
    files: list[InitiatorConfiguration | NodeRecord] = []
    unexamined: list[Unexamined] = []
    for part in (configuration, records):
        if isinstance(part, Unavailable):
            if part.reason is not Reason.ABSENT:
                unexamined.append(Unexamined.of(part))
        else:
            files.extend(part if isinstance(part, tuple) else (part,))
    holding = [file for file in files if file.secret]
    unexamined.extend(
        Unexamined(what=file.path, reason=Reason.FAILED, detail="its mode is not known") for file in holding if file.exposed is None
    )
    findings = tuple(
        ISCSI_SECRETS_EXPOSED.found(
            Subject(kind=SubjectKind.SETTING, id=file.path),
            f"{file.path} holds a CHAP secret that every user may read",
            evidence(source=file.path),
            commands=(f"chmod o-rwx {quote(file.path)}",),
        )
        for file in holding
        if file.exposed
    )
    if not holding and not unexamined:
        return not_applicable("no CHAP secret is stored here")
    return Result(examined=sum(1 for file in holding if file.exposed is not None), findings=findings, unexamined=tuple(unexamined))


CHECKS: tuple[Check, ...] = (
    Check(
        name="iscsid",
        title="iscsid runs where sessions need it",
        codes=(ISCSID_DOWN,),
        needs=("sessions", "processes", "units"),
        run=iscsid,
    ),
    Check(
        name="iscsi-sessions",
        title="iSCSI sessions are logged in",
        codes=(ISCSI_SESSION_FAILED,),
        needs=PARTS,
        run=sessions,
    ),
    Check(
        name="iscsi-secrets",
        title="CHAP secrets of the initiator are private",
        codes=(ISCSI_SECRETS_EXPOSED,),
        needs=("initiator_configuration", "node_records"),
        run=secrets,
    ),
)
