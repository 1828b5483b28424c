"""open-iscsi: the kernel can speak iSCSI over TCP where this host is to log in."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.initiator import some
from sctune.unavailable import Reason, need

if TYPE_CHECKING:
    from sctune.check import Look

MISSING = Code(
    code="ISCSI_TRANSPORT_MISSING",
    severities=(Severity.CRITICAL,),
    title="The kernel cannot speak iSCSI over TCP",
    meaning="Node records of this host are to be logged in to at boot, and the kernel module iscsi_tcp is neither loaded nor can "
    "iscsiadm load it.",
    why="No login works: the disks that this host expects are not there, and what needs them does not start.",
    thresholds="A node record over tcp with node.startup automatic or onboot; no tcp in /sys/class/iscsi_transport; and no "
    "iscsi_tcp among the modules of the running kernel, or a blacklist or install line that forbids it. iscsiadm keeps to a "
    "blacklist.",
    see=("ls /sys/class/iscsi_transport", "modinfo iscsi_tcp", "grep -rn iscsi_tcp /etc/modprobe.d /usr/lib/modprobe.d"),
    remedy="Take away what forbids it, or install the package with the modules of the running kernel, or boot the kernel that is "
    "installed. Then log in.",
    risk=Risk.SAFE,
    source="open-iscsi usr/transport.c (transport_load_kmod); modprobe.d(5), modules.dep(5)",
    confirm=True,
)


def transport(look: Look) -> Result:
    """iscsi_tcp, where a record wants it at boot."""
    records = need(look.inventory.node_records)
    wanted = [record for record in records if record.transport == "tcp" and record.timeouts.startup in ("automatic", "onboot")]
    if not wanted:
        return not_applicable("no node record over tcp is to be logged in to at boot")
    tcp = need(look.inventory.iscsi_transport)
    if tcp.loaded or (tcp.module and not tcp.forbidden):
        return Result(examined=1)
    if tcp.module is None:
        detail = "no folder of kernel modules is in sight: a container, or a kernel without modules"
        return Result(examined=0, unexamined=(Unexamined(what="iscsi_tcp", reason=Reason.FAILED, detail=detail),))
    kernel = look.inventory.identity.kernel
    reason = f"is forbidden by {tcp.forbidden}" if tcp.forbidden else f"is not among the modules of {kernel}"
    path = tcp.forbidden.partition(": ")[0]
    finding = MISSING.found(
        Subject(kind=SubjectKind.SETTING, id="iscsi_tcp"),
        f"iscsi_tcp is not loaded and {reason}",
        evidence(
            kernel=kernel,
            forbidden=tcp.forbidden,
            records=some([record.path for record in wanted]),
            source=path or f"/lib/modules/{kernel}/modules.dep",
        ),
        commands=(f"grep -n iscsi_tcp {quote(path)}",) if path else ("modinfo iscsi_tcp",),
    )
    return Result(examined=1, findings=(finding,))


CHECKS: tuple[Check, ...] = (
    Check(
        name="iscsi-transport",
        title="The kernel speaks iSCSI where it has to log in",
        codes=(MISSING,),
        needs=("node_records",),  # the transport is looked at only where a record wants it
        run=transport,
    ),
)
