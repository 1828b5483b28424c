"""The faults that a cloud's components wrote down for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined
from sctune.cloud_service import service_started
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import moment_words
from sctune.unavailable import need

if TYPE_CHECKING:
    from sctune.model.cloud_log import CloudFault, CloudFaults

_RESTARTS_TGTD = (
    "Its own text says to kill or restart tgtd: that drops every export at once, and guests lose their disks. Try first why "
    "tgtd does "
    "not answer (TGT_UNRESPONSIVE, a device that hangs). If it must be restarted, restart eucalyptus-cloud directly after it: only "
    "when that starts it exports volumes again."
)
_OF_THE_SERVICE = ("cloud", "sc")
_REMEDIES = {
    "1003": "Make room on the file system that the fault names: logs, and what STORE_NEARLY_FULL and SPOOL_LEFTOVER say.",
    "1004": "Give the JVM more memory (-Xmx in CLOUD_OPTS of eucalyptus.conf) and restart the service when its time comes.",
    "1005": "Give the JVM more memory for classes (-XX:MaxPermSize in CLOUD_OPTS) and restart the service when its time comes.",
    "2000": _RESTARTS_TGTD,
    "2001": "See to it that iscsi_tcp is loaded and iscsid runs (ISCSI_TRANSPORT_MISSING, ISCSID_DOWN).",
    "2002": _RESTARTS_TGTD,
    "2003": "Look at the way to the target: its portal, its CHAP secret, whether it still exports the volume.",
}

LOGGED = Code(
    code="CLOUD_FAULT_LOGGED",
    severities=(Severity.WARNING,),
    title="A component of the cloud has logged a fault",
    meaning="Eucalyptus writes what an operator must see to it himself into fault logs: 1003 little disk space, 1004 and 1005 "
    "the JVM is "
    "out of memory, 1006 out of database connections, 1008 a daemon does not run, 2000 tgtadm does not answer, 2001 iscsiadm "
    "fails, "
    "2002 tgtd answers with errors, 2003 no login to a target.",
    why="Each stands for operations on volumes that have failed, and for more that will. Nobody is told of them but by these "
    "files.",
    thresholds="Every fault since thresholds.log_seconds ago (1 day; --since), each number once. A component logs most faults "
    "only once "
    "until it is restarted, so that nothing newer does not mean that it is over. Times are the host's local ones.",
    see=("tail -n 30 /var/log/eucalyptus/*-fault.log", "grep -h ERR- /var/log/eucalyptus/*-fault.log"),
    remedy="Read the fault's own text, and look for other findings about the same. The text of 2000 and 2002 says to restart "
    "tgtd, which "
    "drops every export; eucalyptus-cloud then has to be restarted as well, since only its start exports volumes again.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus util/faults/en_US/*.xml, Fault.java, util/fault.c",
)


def _run(look: Look) -> Result:
    logged = need(look.inventory.cloud_faults)
    found: dict[tuple[str, str], list[CloudFault]] = {}
    for fault in logged.faults:
        found.setdefault((fault.component, fault.number), []).append(fault)
    return Result(
        examined=len(logged.files),
        findings=tuple(_finding(faults, logged, service_started(look.inventory)) for faults in found.values()),
        unexamined=tuple(Unexamined.of(one) for one in logged.unread),
    )


def _finding(faults: list[CloudFault], logged: CloudFaults, started: float | None) -> Finding:
    """`started`: when eucalyptus-cloud was, which logs what is cloud's and sc's; of nc nothing is known."""
    newest = max(faults, key=lambda fault: fault.last)
    count = sum(fault.count for fault in faults)
    before = newest.component in _OF_THE_SERVICE and started is not None and newest.last < started
    when = f"{'last ' if count > 1 else ''}at {moment_words(newest.last)}"
    when += ", before eucalyptus-cloud was last started" if before else ""
    return LOGGED.found(
        Subject(kind=SubjectKind.PROCESS, id=f"{newest.component}/ERR-{newest.number}"),
        f"ERR-{newest.number} {newest.message}" + (f" ({count} times, {when})" if count > 1 else f" ({when})"),
        evidence(
            count=count,
            first=moment_words(min(fault.first for fault in faults)),
            last=moment_words(newest.last),
            service_started=None if started is None or newest.component not in _OF_THE_SERVICE else moment_words(started),
            local_time=logged.zone,
            source=newest.file,
        ),
        remedy=_REMEDIES.get(newest.number),
    )


CHECKS = (
    Check(
        name="cloud-faults",
        title="Faults that the cloud's components logged",
        codes=(LOGGED,),
        needs=("cloud_faults", "processes"),
        run=_run,
    ),
)
