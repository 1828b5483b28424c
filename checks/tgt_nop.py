"""How tgtd finds out that an initiator is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, evidence
from sctune.tgt_process import daemon_subject, tgtadm
from sctune.unavailable import need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.model.tgt_tuning import TargetParameters

TGT_NOP_OFF = Code(
    code="TGT_NOP_OFF",
    severities=(Severity.INFO, Severity.WARNING),
    title="tgtd sends no NOP-Ins, or cuts every connection by them",
    meaning="nop_interval is 0, tgt's default: tgtd never asks an initiator that is silent whether it is there. Or nop_interval is "
    "set and nop_count 0: tgtd then gives up each connection at its first NOP-In, answered or not.",
    why="An initiator that lost power keeps its session until TCP keepalive notices, after an hour: the volume is in use until "
    "then. With nop_count 0 all initiators lose their connections again and again.",
    thresholds="info: nop_interval 0. A warning: nop_interval above 0 with nop_count 0. Four targets of each daemon are asked: "
    "others may be set one by one. A tgt without the two is not judged.",
    see=("tgtadm --lld iscsi --mode target --op show --tid 1 | grep nop_",),
    remedy="Set both where a dead initiator must be noticed soon: for new targets by tgtd's --iscsi nop_interval=5,nop_count=5, "
    "for a target that is there as shown. It counts for connections made afterwards. Not before tgt 1.0.67, which leaks a task for "
    "each and can close a connection twice.",
    risk=Risk.SAFE,
    source="tgtadm(8), tgtd(8); tgt usr/iscsi/iscsi_tcp.c (iscsi_tcp_nop_work_handler, set_keepalive), commits 01461ee, 97a7995; "
    "nop_count 0 tried with 1.0.85",
)


def nop(look: Look) -> Result:
    """nop_interval and nop_count of a few targets of each daemon, a finding a daemon: asking all costs a request each."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = tuple(Unexamined.of(item) for item in tgt.unanswered)
    if not tgt.targets:
        if unexamined:
            return Result(examined=0, unexamined=unexamined)
        return not_applicable("tgtd serves no target" if tgt.daemons else "no tgtd runs")
    told = [item for item in need(inventory.tgt_defaults) if item.nop_interval is not None]
    if not told:
        return not_applicable("this tgt has no NOP-Ins") if not unexamined else Result(examined=0, unexamined=unexamined)
    tids = {(target.control_port, target.iqn): target.tid for target in tgt.targets}
    findings: list[Finding] = []
    for port in sorted({item.control_port for item in told}):
        mine = [item for item in told if item.control_port == port]
        cutting = [item for item in mine if item.nop_interval and item.nop_count == 0]
        off = [item for item in mine if item.nop_interval == 0]
        if cutting or off:
            findings.append(_finding(port, cutting or off, len(mine), tids, cuts=bool(cutting)))
    return Result(examined=len(told), findings=tuple(findings), unexamined=unexamined)


_SHOWN = 5


def _finding(port: int, items: list[TargetParameters], count: int, tids: dict[tuple[int, str], int], *, cuts: bool) -> Finding:
    command = f"{tgtadm(port)} --mode target --op update"
    known_tids = [tid for item in items[:_SHOWN] if (tid := tids.get((port, item.iqn))) is not None]
    what = "cuts connections at every NOP-In (nop_count 0)" if cuts else "sends no NOP-Ins (nop_interval 0)"
    return TGT_NOP_OFF.found(
        daemon_subject(port),
        f"tgtd {what}: {len(items)} of the {count} targets that were asked",
        evidence(
            targets=tuple(item.iqn for item in items[:_SHOWN]),
            nop_interval=items[0].nop_interval,
            nop_count=items[0].nop_count,
            source=f"{tgtadm(port)} --mode target --op show --tid N",
        ),
        severity=Severity.WARNING if cuts else Severity.INFO,
        commands=tuple(
            f"{command} --tid {tid} --name {name} --value 5"
            for tid in known_tids
            for name in (("nop_count",) if cuts else ("nop_count", "nop_interval"))
        ),
    )


CHECKS: tuple[Check, ...] = (
    Check(
        name="tgt-nop",
        title="tgtd notices initiators that are gone",
        codes=(TGT_NOP_OFF,),
        needs=("tgt", "tgt_defaults"),
        run=nop,
    ),
)
