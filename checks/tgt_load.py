"""Whether tgtd's one busy thread has anything left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined
from sctune.findings import Code, Risk, Severity, evidence
from sctune.tgt_process import daemon_subject
from sctune.unavailable import Reason, known, need

if TYPE_CHECKING:
    from sctune.findings import Finding

TGT_CPU_SATURATED = Code(
    code="TGT_CPU_SATURATED",
    severities=(Severity.WARNING,),
    title="tgtd's main thread takes a whole processor",
    meaning="One thread of tgtd does all its network work. It ran nearly all of the time while sctune looked.",
    why="No volume of this daemon gets faster any more, whatever disks and network could do, and each that asks for more takes it "
    "from the others. tgtadm waits in the same queue.",
    thresholds="The main thread ran for at least 85 % (tgt_cpu) of half a second, and again when it was looked at once more 2 s "
    "later. A daemon that is not near that is not waited for.",
    see=("top -H -p $(pgrep -o tgtd)", "pidstat -t -p $(pgrep -o tgtd) 1 5"),
    remedy="Serve some of the targets by a second tgtd with a portal and a control port of its own (tgtd -C 1 --iscsi "
    "portal=ADDRESS:PORT), or by LIO. More threads a LUN (tgtd -t) do not help: they do the disk's part alone.",
    risk=Risk.DISRUPTIVE,
    source="tgt usr/tgtd.c (event_loop), usr/iscsi/iscsid.c; Linux Documentation/scheduler/sched-stats.rst",
    confirm=True,
)


def busy(look: Look) -> Result:
    """The share of a core that each tgtd's main thread took."""
    limit = look.config.thresholds.tgt_cpu
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    loads = need(look.inventory.tgt_load)
    tgt = known(look.inventory.tgt)
    served = {daemon.control_port: len(daemon.targets) for daemon in (tgt.daemons if tgt else ())}
    for item in loads:
        if item.share is None:
            detail = f"the two readings are {item.seconds:.2f} s apart"
            unexamined.append(Unexamined(what=f"processor time of tgtd {item.pid}", reason=Reason.FAILED, detail=detail))
        elif item.share >= limit:
            findings.append(
                TGT_CPU_SATURATED.found(
                    daemon_subject(item.control_port),
                    f"tgtd's main thread ran {item.share:.0%} of the time",
                    evidence(
                        share=round(item.share, 3),
                        limit=limit,
                        seconds=round(item.seconds, 2),
                        pid=item.pid,
                        targets=served.get(item.control_port),
                        source=f"/proc/{item.pid}/task/{item.pid}/schedstat",
                    ),
                )
            )
    return Result(examined=len(loads) - len(unexamined), findings=tuple(findings), unexamined=tuple(unexamined))


CHECKS: tuple[Check, ...] = (
    Check(
        name="tgt-load",
        title="tgtd's main thread has time left",
        codes=(TGT_CPU_SATURATED,),
        needs=("processes", "tgt", "tgt_load"),
        run=busy,
        patience=lambda _config: 2.0,
    ),
)
