"""Whether a portal belongs to one target daemon alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import HOST, Code, Risk, Severity, evidence
from sctune.tgt_process import daemon_of, wanted_portals
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.model.lio import LioPortal
    from sctune.model.target import TgtDaemon

TARGET_PORTAL_CONFLICT = Code(
    code="TARGET_PORTAL_CONFLICT",
    severities=(Severity.CRITICAL,),
    title="Two target daemons want one port",
    meaning="Either tgtd does not have a portal that it was started with and somebody else listens there, or LIO listens on a "
    "port that tgtd, as it was started, takes on all addresses.",
    why="Whoever starts last does not get the port. tgtd says so in its log alone and runs on: with what is left of its portals, "
    "or, where none is left, on port 3260 of every address, also of those that it was kept away from. Initiators reach the other "
    "daemon, which does not know their target. What works now may not after the next boot, when the order is another.",
    thresholds="A portal of tgtd's arguments (--iscsi portal=; without one 0.0.0.0:3260 and [::]:3260) that it does not listen on, "
    "while another socket has its address or all addresses of its port; or a portal of LIO on a port that tgtd's arguments claim "
    "on the same or on all addresses. Two daemons that are each told an address of their own are no conflict.",
    see=(
        "tgtadm --lld iscsi --mode portal --op show",
        "ls -d /sys/kernel/config/target/iscsi/iqn.*/tpgt_*/np/*",
        "ss -Hltnp | grep 3260   # LIO's sockets have no process",
        "tr '\\0' ' ' < /proc/$(pgrep -o tgtd)/cmdline",
    ),
    remedy="Give each daemon an address or a port of its own: tgtd by --iscsi portal=ADDRESS:PORT where it is started, LIO by its "
    "portals. If one of the two serves nothing, do not start it.",
    risk=Risk.DISRUPTIVE,
    source="tgtd(8); tgt usr/iscsi/iscsi_tcp.c (iscsi_tcp_init, iscsi_tcp_init_portal), tried with 1.0.85; Linux "
    "drivers/target/iscsi/iscsi_target_configfs.c",
)

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


def portals(look: Look) -> Result:
    """Every portal that a daemon was told is its own."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = [Unexamined.of(item) for item in tgt.unanswered]
    if not tgt.daemons:
        return Result(examined=0, unexamined=tuple(unexamined)) if unexamined else not_applicable("no tgtd runs")
    lio = inventory.lio_portals
    if isinstance(lio, Unavailable) and lio.reason is not Reason.ABSENT:
        unexamined.append(Unexamined.of(lio))
    others = known(lio) or ()
    processes = known(inventory.processes)
    conflicts: dict[str, None] = {}
    examined = 0
    for daemon in tgt.daemons:
        process = daemon_of(daemon.control_port, processes)
        if process is None or not process.argv:
            if any(portal.port == one.port for portal in daemon.portals for one in others):
                detail = "its arguments are not known"
                unexamined.append(Unexamined(what="portals of tgtd", reason=Reason.FAILED, detail=detail))
            continue
        examined += 1
        wanted = wanted_portals(process)
        for address, port in wanted:
            conflicts.update((_claimed(address, port, one), None) for one in others if _overlap((address, port), one))
        missing = [one for one in wanted if one not in {(portal.address, portal.port) for portal in daemon.portals}]
        if missing and not conflicts:
            heard = inventory.tcp
            if isinstance(heard, Unavailable):
                unexamined.append(Unexamined.of(heard))
                continue
            conflicts.update((text, None) for text in _taken(missing, daemon, {(one.address, one.port) for one in heard.listeners}))
    if not conflicts:
        return Result(examined=examined, unexamined=tuple(unexamined))
    finding = TARGET_PORTAL_CONFLICT.found(
        HOST,
        next(iter(conflicts)),
        evidence(
            conflicts=tuple(conflicts),
            tgt_listens_on=tuple(written(p.address, p.port) for daemon in tgt.daemons for p in daemon.portals),
            lio_listens_on=tuple(dict.fromkeys(written(one.address, one.port) for one in others)),
            source="tgtadm --mode portal --op show, tgtd's arguments, /sys/kernel/config/target/iscsi, /proc/net/tcp",
        ),
        commands=("ss -Hltnp", "tgtadm --lld iscsi --mode portal --op show"),
    )
    return Result(examined=examined, findings=(finding,), unexamined=tuple(unexamined))


def _claimed(address: str, port: int, other: LioPortal) -> str:
    return f"tgtd is started to listen on {written(address, port)}, and LIO listens on {written(other.address, other.port)}"


def _overlap(wanted: tuple[str, int], other: LioPortal) -> bool:
    """Whether the two cannot both be bound. tgt and LIO keep IPv4 and IPv6 apart (IPV6_V6ONLY)."""
    address, port = wanted
    if port != other.port or (":" in address) != (":" in other.address):
        return False
    return address == other.address or address in _EVERYWHERE or other.address in _EVERYWHERE


def _taken(missing: list[tuple[str, int]], daemon: TgtDaemon, heard: set[tuple[str, int]]) -> list[str]:
    """The portals that tgtd does not have and that somebody else has. Nothing where not even tgtd's own are seen: it lives in
    another network namespace then."""
    own = {(portal.address, portal.port) for portal in daemon.portals}
    if own and not own & heard:
        return []
    found = []
    for address, port in missing:
        rivals = [
            one
            for one in heard - own
            if one[1] == port
            and (":" in one[0]) == (":" in address)
            and (address == one[0] or address in _EVERYWHERE or one[0] in _EVERYWHERE)
        ]
        if rivals:
            instead = ", ".join(written(portal.address, portal.port) for portal in daemon.portals) or "nowhere"
            who = written(*min(rivals))
            found.append(f"tgtd did not get {written(address, port)}, another process has {who}; it listens on {instead}")
    return found


def written(address: str, port: int) -> str:
    """ADDRESS:PORT, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


CHECKS: tuple[Check, ...] = (
    Check(
        name="target-portals",
        title="Each target daemon has its portals to itself",
        codes=(TARGET_PORTAL_CONFLICT,),
        needs=("tgt", "processes", "lio", "lio_portals"),
        run=portals,
    ),
)
