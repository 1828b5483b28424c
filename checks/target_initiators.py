"""Initiators that hold a volume and are not there any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.tgt_process import tgtadm
from sctune.unavailable import Reason, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.inventory import Inventory
    from sctune.model.system import TcpConnection, TcpSockets
    from sctune.model.target import Nexus, Target, TgtDaemon

TARGET_INITIATOR_DEAD = Code(
    code="TARGET_INITIATOR_DEAD",
    severities=(Severity.WARNING,),
    title="An initiator that does not answer holds a volume",
    meaning="tgtd counts the initiator as logged in, and nothing comes back from its address: every TCP connection to there sends "
    "the same data or the same probe again and again, or there is no connection any more.",
    why="The volume is in use for tgtd and for the cloud until TCP gives up: a quarter of an hour where data wait to be "
    "acknowledged, an hour where none do (keepalive). It cannot be detached cleanly or deleted meanwhile. If the initiator's "
    "host runs and only the network is broken, its guests wait for this disk.",
    thresholds="All connections from the initiator's address to the daemon's portals have sent their oldest data at least 8 times "
    "again (about 50 s at TCP's usual pace, some 15 s where the neighbour itself is not found), or have at least 2 probes "
    "unanswered (tgt's keepalive: one each 300 s after 1,800 s of silence), or there is none; seen twice, 2 s apart. A daemon "
    "whose own sockets are not seen (another network namespace) is not judged.",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep -A4 'I_T nexus:'",
        "ss -tnoi state established '( sport = :3260 )'   # timer:(on,…,N) counts what was sent again",
        "ping -c 3 ADDRESS   # of the initiator",
    ),
    remedy="See whether the initiator's host is down or cut off. If it is gone for good, close the connection as shown: the "
    "volume is free then. If it may come back, leave it: its guests' writes wait there. NOP-Ins (TGT_NOP_OFF) make tgtd notice "
    "by itself.",
    risk=Risk.DISRUPTIVE,
    source="Linux net/ipv4/tcp_timer.c (tcp_retransmit_timer, tcp_keepalive_timer), Documentation/networking/proc_net_tcp.rst; tgt "
    "usr/iscsi/iscsi_tcp.c (set_keepalive); tgtadm(8), --mode conn; tried with 1.0.85",
    confirm=True,
)

_ESTABLISHED = 1
_AGAIN = 8
"""Retransmissions of the oldest data: 0.2 s, doubled each time, make 51 s (TCP_RTO_MIN)."""
_PROBES = 2
"""One may have been sent this very moment; a second one only when the first was not answered."""


def initiators(look: Look) -> Result:
    """The addresses behind every I_T nexus of every tgtd."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = [Unexamined.of(item) for item in tgt.unanswered]
    used = [daemon for daemon in tgt.daemons if any(target.nexuses for target in daemon.targets)]
    if not used:
        return Result(examined=0, unexamined=tuple(unexamined)) if unexamined else not_applicable("no initiator is logged in")
    sockets = need(inventory.tcp)
    findings: list[Finding] = []
    examined = 0
    for daemon in used:
        if not _seen(daemon, sockets):
            detail = "its sockets are in another network namespace"
            what = f"connections of tgtd {daemon.control_port}"
            unexamined.append(Unexamined(what=what, reason=Reason.NOT_COLLECTED, detail=detail))
            continue
        ports = {portal.port for portal in daemon.portals}
        mine = [socket for socket in sockets.connections if socket.port in ports]
        addresses = {address for target in daemon.targets for nexus in target.nexuses for address in _addresses(nexus)}
        states = {address: _state([socket for socket in mine if socket.peer == address]) for address in sorted(addresses)}
        for target in daemon.targets:
            examined += len(target.nexuses)
            silent = [nexus for nexus in target.nexuses if (ends := _addresses(nexus)) and all(states[one] for one in ends)]
            if silent:
                findings.append(_finding(inventory, target, silent, states))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _seen(daemon: TgtDaemon, sockets: TcpSockets) -> bool:
    heard = {(one.address, one.port) for one in sockets.listeners}
    return any((portal.address, portal.port) in heard for portal in daemon.portals)


def _addresses(nexus: Nexus) -> tuple[str, ...]:
    """As the kernel's table writes them: tgt gives an IPv4 address that came by an IPv6 socket as it came."""
    return tuple(one.address.removeprefix("::ffff:") for one in nexus.connections if one.address)


def _state(sockets: list[TcpConnection]) -> str:
    """Why an address counts as dead; "" where one of its connections may be alive."""
    open_ = [socket for socket in sockets if socket.state == _ESTABLISHED]
    if not open_:
        return "no connection is established"
    if not all(socket.retransmits >= _AGAIN or socket.probes >= _PROBES for socket in open_):
        return ""
    worst = max(open_, key=lambda socket: (socket.retransmits, socket.probes))
    if worst.retransmits >= _AGAIN:
        return f"data sent {worst.retransmits} times again, not acknowledged"
    return f"{worst.probes} probes not answered"


def _finding(inventory: Inventory, target: Target, silent: list[Nexus], states: dict[str, str]) -> Finding:
    chains = known(inventory.chains)
    subject = chains.subject_of_target(target) if chains else Subject(kind=SubjectKind.TARGET, id=target.iqn)
    first = silent[0]
    address = _addresses(first)[0]
    more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    command = f"{tgtadm(target.control_port)} --mode conn --op delete --tid {target.tid}"
    return TARGET_INITIATOR_DEAD.found(
        subject,
        f"{first.initiator}{more} at {address} is logged in to {target.iqn} and does not answer: {states[address]}",
        evidence(
            target=target.iqn,
            initiators=tuple(nexus.initiator for nexus in silent),
            addresses=tuple(dict.fromkeys(one for nexus in silent for one in _addresses(nexus))),
            states=tuple(dict.fromkeys(states[one] for nexus in silent for one in _addresses(nexus))),
            sessions=len(target.nexuses),
            source=f"{tgtadm(target.control_port)} --mode target --op show, /proc/net/tcp, /proc/net/tcp6",
        ),
        commands=tuple(f"{command} --sid {nexus.sid} --cid {one.cid}" for nexus in silent for one in nexus.connections),
    )


CHECKS: tuple[Check, ...] = (
    Check(
        name="target-initiators",
        title="Initiators that are logged in answer",
        codes=(TARGET_INITIATOR_DEAD,),
        needs=("tgt", "chains", "tcp"),
        run=initiators,
    ),
)
