"""Composed reports, as the doctor makes them: a host without faults, with one, with hundreds, as an ordinary user, with causes."""

from __future__ import annotations

from dataclasses import replace

from sctune.baseline import compare
from sctune.check import Unexamined
from sctune.findings import HOST, Cause, Code, Finding, Muted, Risk, Severity, Subject, SubjectKind, evidence
from sctune.host.base import HostIdentity, Source
from sctune.model.baseline import Baseline, Earlier
from sctune.model.report import CheckResult, Report, Role, Status
from sctune.unavailable import Reason

STARTED = 1_763_833_812.4  # 2025-11-22 17:50:12 UTC
MIB = 1 << 20
GIB = 1 << 30


def code(name: str, title: str, why: str, *severities: Severity, risk: Risk = Risk.SAFE, advice: bool = False) -> Code:
    return Code(
        code=name,
        severities=severities or (Severity.CRITICAL,),
        title=title,
        meaning=f"{title[0].upper()}{title[1:]}.",
        why=why,
        thresholds="none",
        see=("losetup --list",),
        remedy="Look at it.",
        risk=risk,
        source="losetup(8)",
        advice=advice,
    )


LEAKED = code(
    "LOOP_LEAKED",
    "a loop device is kept for a volume that nobody uses",
    "Leaked loop devices use up the 256 that Eucalyptus will attach: when they are gone no volume can be created or attached.",
    Severity.WARNING,
)
DELETED = code(
    "LOOP_BACKING_DELETED",
    "the file of an attached volume was deleted",
    "The data lives only until the loop device is detached or the host restarts, and then it is gone for good.",
    Severity.CRITICAL,
    risk=Risk.DISRUPTIVE,
)
TGT_DOWN = code(
    "TGT_DOWN",
    "no target daemon runs",
    "Nothing on this host serves volumes: every instance with a volume of this host has lost its disk.",
    Severity.CRITICAL,
    risk=Risk.DISRUPTIVE,
)
LOST = code("TGT_EXPORT_LOST", "a volume is no longer exported", "Its instance can reach nothing any more.", Severity.CRITICAL)
SESSION = code("ISCSI_SESSION_FAILED", "an iSCSI session has failed", "I/O on its disk hangs, then fails.", Severity.CRITICAL)
BUFFERED = code(
    "LOOP_BUFFERED", "direct I/O is off", "Data is cached twice.", Severity.INFO, Severity.WARNING, advice=True
)  # fmt: skip
CODES = {entry.code: entry for entry in (LEAKED, DELETED, TGT_DOWN, LOST, SESSION, BUFFERED)}

TGTD = Subject(kind=SubjectKind.PROCESS, id="tgtd")


def volume(number: int) -> Subject:
    return Subject(kind=SubjectKind.VOLUME, id=f"vol-{0x391D44BE + number:08X}")


def leaked(number: int) -> Finding:
    subject = volume(number)
    file = f"/var/lib/eucalyptus/volumes/{subject.id}"
    return LEAKED.found(
        subject,
        f"/dev/loop{number} is attached, but no target exports it and no snapshot is being made of it",
        evidence(
            source="/sys/block/loop*/loop, tgtd", backing_file=file, device=f"/dev/loop{number}", attached_seconds=3600.0 * number
        ),
        remedy="Deactivate the volume group, then detach the loop device. The volume itself stays.",
        commands=(f"vgchange --activate n euca-ebs-storage-vg-{subject.id}", f"losetup --detach /dev/loop{number}"),
    )


def deleted(number: int = 0) -> Finding:
    subject = volume(number)
    file = f"/var/lib/eucalyptus/volumes/{subject.id}"
    return DELETED.found(
        subject,
        f"{file} was deleted, and /dev/loop{number} still holds it",
        evidence(
            source=f"/sys/block/loop{number}/loop/backing_file", device=f"/dev/loop{number}", size_bytes=GIB + 4 * 1024 * 1024
        ),
        remedy="Copy the device to a new file at once, before anything detaches it. It is best to stop writers first.",
        commands=(f"dd if=/dev/loop{number} of={file}.rescued bs=4M conv=sparse,fsync status=progress",),
    )


def tgt_down() -> Finding:
    return TGT_DOWN.found(
        TGTD,
        "no tgtd runs, and 3 volumes were exported before it died",
        evidence(source="process table, /var/run/tgtd", stale_socket="/var/run/tgtd/socket.0", volumes=3),
        remedy="Start the daemon. Exports that were made with bare tgtadm are lost and have to be made again by the cloud.",
        commands=("systemctl restart tgt.service",),
    )


def lost(number: int) -> Finding:
    return LOST.found(
        volume(number),
        "the volume is active, but no target exports it",
        evidence(source="tgtd, device-mapper", lv=f"euca-ebs-storage-vg-{volume(number).id}/euca-{volume(number).id}"),
        caused_by=Cause(code="TGT_DOWN", subject=TGTD),
    )


def session_failed() -> Finding:
    iqn = "iqn.2009-06.com.eucalyptus.lab:store1"
    return SESSION.found(
        Subject(kind=SubjectKind.SESSION, id=f"{iqn},127.0.0.1:3260,iqn.1993-08.org.debian:01:9a5b6c7d8e9f"),
        "the session is FAILED, its disk /dev/sda is blocked",
        evidence(source="/sys/class/iscsi_session", state="FAILED", recovery_seconds=120),
        caused_by=Cause(code="TGT_DOWN", subject=TGTD),
    )


def buffered(number: int) -> Finding:
    return BUFFERED.found(
        volume(number),
        f"/dev/loop{number} does buffered I/O",
        evidence(source="/sys/block/loop*/loop/dio", device=f"/dev/loop{number}", direct_io=False),
        remedy="Turn direct I/O on.",
        commands=(f"losetup --direct-io=on /dev/loop{number}",),
    )


def check(
    name: str,
    status: Status = Status.OK,
    examined: int = 1,
    *,
    unexamined: tuple[Unexamined, ...] = (),
    reason: str | None = None,
) -> CheckResult:
    return CheckResult(
        check=name, title=name, status=status, examined=examined, unexamined=unexamined, reason=reason, seconds=0.001
    )


def denied(name: str, *what: str) -> CheckResult:
    items = tuple(Unexamined(what=one, reason=Reason.DENIED, detail="Permission denied") for one in what)
    return check(name, Status.UNKNOWN, 0, unexamined=items, reason=f"{what[0]}: denied")


def absent(name: str, why: str) -> CheckResult:
    return check(name, Status.NOT_APPLICABLE, 0, reason=why)


def report(
    *findings: Finding,
    checks: tuple[CheckResult, ...] = (),
    privileged: bool = True,
    source: Source = Source.LIVE,
    abandoned: tuple[int, ...] = (),
    name: str = "sc1.example.org",
    roles: tuple[Role, ...] = (Role.STORAGE_CONTROLLER,),
    backends: tuple[str, ...] = ("eucalyptus-overlay 3.3+",),
) -> Report:
    return Report(
        version="0.1.0",
        identity=HostIdentity(name=name, kernel="6.1.0-56-amd64", privileged=privileged),
        source=source,
        roles=roles,
        backends=backends,
        started=STARTED,
        seconds=0.42,
        checks=checks,
        findings=tuple(replace(finding, check=finding.check or "composed") for finding in findings),
        abandoned=abandoned,
    )


def muted(finding: Finding, reason: str = "replaced on Friday, ticket 4711", until: str = "2025-12-31") -> Finding:
    return replace(finding, muted=Muted(reason=reason, until=until))


def earlier(finding: Finding, severity: Severity | None = None, *, check: str = "composed", muted: bool = False) -> Earlier:
    """The finding as an earlier report has it."""
    return Earlier(
        code=finding.code,
        kind=finding.subject.kind.value,
        id=finding.subject.id,
        severity=severity or finding.severity,
        check=check,
        summary=finding.summary,
        muted=muted,
    )


def baseline(*findings: Earlier, host: str = "sc1.example.org") -> Baseline:
    return Baseline(file="/var/lib/sctune/last.json", version="0.1.0", host=host, started="2025-11-20T06:00:00Z", findings=findings)


FINDS = {name: "composed" for name in ("LOOP_LEAKED", "LOOP_BACKING_DELETED", "TGT_DOWN", "TGT_EXPORT_LOST", "LOOP_BUFFERED")}
FINDS["ISCSI_SESSION_FAILED"] = "iscsid"


def some_muted() -> Report:
    """A fault that counts, two hundred that somebody muted, and one for another reason."""
    many = (muted(leaked(number)) for number in range(200))
    other = muted(deleted(7), "test volume", "2025-11-30")
    return report(deleted(500), *many, other, checks=(check("composed", Status.CRITICAL, 200),))


def compared_with_baseline() -> Report:
    """Something new, worse, known, better, gone, and a check that could not look."""
    hung = Unexamined(what="lvm fullreport", reason=Reason.TIMEOUT, detail="no answer within 8 s")
    found = report(
        deleted(0),
        deleted(1),
        tgt_down(),
        lost(0),
        *(leaked(number) for number in range(10, 20)),
        buffered(30),
        muted(leaked(40)),
        checks=(
            check("composed", Status.CRITICAL, 20),
            check("iscsid", Status.UNKNOWN, 0, unexamined=(hung,), reason="lvm fullreport: timeout"),
        ),
    )
    known = baseline(
        earlier(deleted(1), Severity.WARNING),
        earlier(tgt_down()),
        *(earlier(leaked(number)) for number in range(10, 20)),
        earlier(buffered(30), Severity.WARNING),
        earlier(leaked(50)),
        earlier(leaked(51)),
        earlier(session_failed(), check="iscsid"),
    )
    return replace(found, comparison=compare(found, known, finds=FINDS))


HEALTHY_CHECKS = (
    check("block-scheduler", examined=4),
    check("iscsid", Status.NOT_APPLICABLE, 0, reason="no iSCSI session and no node record on this host"),
    check("loop-backing", examined=12),
    check("loop-limit", examined=12),
    check("lvm-snapshots", examined=0),
    check("lvm-thin", Status.NOT_APPLICABLE, 0, reason="no thin pool"),
    check("multipath", Status.NOT_APPLICABLE, 0, reason="no iSCSI session and no node record on this host"),
    check("store-space", examined=1),
    check("targets", examined=12),
)


def with_status(name: str, status: Status, examined: int) -> tuple[CheckResult, ...]:
    """The healthy checks with another outcome of one of them."""
    return tuple(check(name, status, examined) if one.check == name else one for one in HEALTHY_CHECKS)


def healthy() -> Report:
    return report(checks=HEALTHY_CHECKS)


def one_fault() -> Report:
    return report(deleted(), checks=with_status("loop-backing", Status.CRITICAL, 12))


def two_hundred() -> Report:
    return report(*(leaked(number) for number in range(200)), checks=with_status("loop-limit", Status.WARNING, 200))


def ordinary_user() -> Report:
    tgtd = "tgtd's management socket /var/run/tgtd/socket.0"
    lvm = "lvm fullreport"
    return report(
        checks=(
            denied("device-mapper", "device-mapper status"),
            check(
                "loop-limit",
                Status.UNKNOWN,
                12,
                unexamined=(Unexamined(what=tgtd, reason=Reason.DENIED, detail="Permission denied"),),
                reason=f"{tgtd}: denied",
            ),
            denied("lvm-pvs", lvm),
            denied("lvm-snapshots", lvm, "device-mapper status"),
            denied("targets", tgtd),
        ),
        privileged=False,
        roles=(Role.GENERIC,),
        backends=("generic",),
    )


def causes() -> Report:
    hung = Unexamined(what="lvm fullreport", reason=Reason.TIMEOUT, detail="no answer within 8 s")
    return report(
        lost(0),
        lost(1),
        lost(2),
        session_failed(),
        tgt_down(),
        *(buffered(number) for number in range(3)),
        checks=(
            check("iscsid", Status.CRITICAL, 1),
            check("loop-buffered", Status.INFO, 3),
            check("loop-limit", examined=3),
            check("lvm-pvs", Status.UNKNOWN, 0, unexamined=(hung,), reason=f"{hung.what}: timeout"),
            check("lvm-snapshots", Status.UNKNOWN, 0, unexamined=(hung,), reason=f"{hung.what}: timeout"),
            check("tgt", Status.CRITICAL, 1),
            check("targets", Status.CRITICAL, 3),
        ),
        abandoned=(4711,),
    )


def nothing_here() -> Report:
    return report(
        checks=(absent("loop-limit", "no loop device is attached"), absent("tgt", "tgt is not installed")),
        roles=(Role.GENERIC,),
        backends=("generic",),
        name="laptop",
    )


def only_notes() -> Report:
    return report(buffered(0), checks=with_status("loop-limit", Status.INFO, 12))


def hostile() -> Report:
    """What a name may hold: escape sequences, line breaks, bidi overrides, bytes that are not UTF-8."""
    name = "/srv/a\x1b]0;pwned\x07\n\u202e\udcff b'"
    import shlex

    finding = DELETED.found(
        Subject(kind=SubjectKind.LOOP, id=name),
        f"{name} was deleted",
        evidence(source=name, file=name, files=(name, "plain")),
        remedy=f"Rescue {name}.",
        commands=(f"cp -- {shlex.quote(name)} /srv/rescued",),
        caused_by=Cause(code="TGT_DOWN", subject=Subject(kind=SubjectKind.TARGET, id=name)),
    )
    unseen = Unexamined(what=name, reason=Reason.FAILED, detail=name)
    return report(finding, checks=(check("loop-backing", Status.CRITICAL, 1, unexamined=(unseen,), reason=name),), name=name)


def whole_host() -> Finding:
    return LEAKED.found(HOST, "something about the host", evidence(source="/proc"))
