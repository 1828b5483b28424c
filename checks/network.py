"""The network under iSCSI: bonds, MTUs, and what shares an interface with it."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.probes.iscsi_sessions import is_loopback
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.inventory import Inventory
    from sctune.model.network import Bond, Interface, Network

DEGRADED = Code(
    code="NET_BOND_DEGRADED",
    severities=(Severity.WARNING,),
    title="A bond that carries iSCSI has lost a member",
    meaning="The bonding driver says of at least one member that its link is down.",
    why="The bond was made to survive one fault, and that fault has happened. The next one cuts volumes off from their initiators.",
    thresholds="MII status down of any member of a bond under a session or export of iSCSI, seen twice.",
    see=("grep -e ^Slave -e MII /proc/net/bonding/*", "ip -details link show type bond"),
    remedy="Mend the link: cable, transceiver, switch port, or the interface that somebody set down.",
    risk=Risk.SAFE,
    source="Linux Documentation/networking/bonding.rst",
    confirm=True,
)

MTU = Code(
    code="NET_MTU_SUSPECT",
    severities=(Severity.WARNING,),
    title="An interface that carries iSCSI stands on one with a smaller MTU",
    meaning="A bond has a member, or a bridge a port towards the network, whose MTU is smaller than its own.",
    why="Frames of full size are dropped there without a word. Small ones pass: logins work, and the first large read or write "
    "hangs.",
    thresholds="The MTU of a bond above that of a member, of a bridge above that of its only port, on the way of a session or "
    "export of iSCSI. What switches and the other side can take is not seen from here.",
    see=("grep . /sys/class/net/*/mtu", "ping -M do -s 8972 ADDRESS    # MTU 9000 from end to end"),
    remedy="Give all of them one MTU, in the configuration of the network as well. Setting a bond's MTU sets its members'.",
    risk=Risk.DISRUPTIVE,
    source="Linux drivers/net/bonding/bond_main.c (bond_slave_netdev_event), net/bridge/br_forward.c; tried with Linux 6.1",
)

SHARED = Code(
    code="ISCSI_PORTAL_ON_SHARED_NIC",
    severities=(Severity.INFO,),
    title="iSCSI and all other traffic share a network interface",
    meaning="The routes send iSCSI through the interface that the default route goes through.",
    why="A backup or an image transfer on that interface slows every volume, and one fault takes management and storage away.",
    thresholds="By the main table of routes, a peer of iSCSI and the default route have one interface.",
    see=("ip route show", "ss -tn '( sport = :3260 or dport = :3260 )'"),
    remedy="Where there is a network for storage, give the portals addresses in it. With one interface there is nothing to do.",
    risk=Risk.SAFE,
    source="open-iscsi README; Linux Documentation/networking/ip-sysctl.rst",
)


def network(look: Look) -> Result:
    """The interfaces under sessions and exports."""
    inventory = look.inventory
    peers, uncertain = _peers(inventory)
    unexamined = [*_unseen(inventory), *uncertain]
    if not peers:
        if unexamined:
            return Result(examined=0, unexamined=tuple(unexamined))
        return not_applicable("no iSCSI session with another host")
    found = need(inventory.network)
    carriers: dict[str, list[str]] = {}
    for peer in peers:
        name = found.interface_to(peer)
        if not name:
            unexamined.append(Unexamined(what=f"way to {peer}", reason=Reason.FAILED, detail="the main table has no route to it"))
        elif name != "lo":
            carriers.setdefault(name, []).append(peer)
    findings: list[Finding] = []
    default = {name for any_ in ("0.0.0.0", "::") if (name := _default(found, any_))}  # noqa: S104 - no address is bound
    for name in sorted(carriers):
        if name in default:
            findings.append(_shared(name, carriers[name]))
    below = {interface.name: interface for name in carriers for interface in found.stack(name)}
    for interface in below.values():
        if isinstance(interface.bond, Unavailable):
            unexamined.append(Unexamined.of(interface.bond))
        elif interface.bond is not None:
            findings.extend(_degraded(interface, interface.bond))
        findings.extend(_mtu(interface, below))
    return Result(examined=len(below), findings=tuple(findings), unexamined=tuple(unexamined))


def _peers(inventory: Inventory) -> tuple[tuple[str, ...], tuple[Unexamined, ...]]:
    """Addresses of other hosts that this one has iSCSI connections with, as initiator and by tgt as target; and what could have
    told that some of them are this host's own. Those are judged as if they were not."""
    connections = [c for session in known(inventory.sessions) or () for c in session.connections]
    tgt = known(inventory.tgt)
    targets = tgt.targets if tgt is not None else ()
    others = [c.persistent_address for c in connections if c.local is False and not is_loopback(c.persistent_address)]
    unsure = [c.persistent_address for c in connections if c.local is None]
    unsure += [c.address for target in targets for nexus in target.nexuses for c in nexus.connections]
    unsure = [address for address in unsure if address and not is_loopback(address) and address not in others]
    uncertain: tuple[Unexamined, ...] = ()
    if unsure:
        own = inventory.addresses
        if isinstance(own, Unavailable):
            uncertain = (Unexamined.of(own),)
        else:
            unsure = [address for address in unsure if address not in own]
    return tuple(dict.fromkeys((*others, *unsure))), uncertain


def _unseen(inventory: Inventory) -> list[Unexamined]:
    """What could have named more peers and could not be asked."""
    tgt = inventory.tgt
    answers = (inventory.sessions, tgt, *(tgt.unanswered if not isinstance(tgt, Unavailable) else ()))
    return [Unexamined.of(one) for one in answers if isinstance(one, Unavailable) and one.reason is not Reason.ABSENT]


def _default(found: Network, address: str) -> str:
    bits = 32 if address == "0.0.0.0" else 128  # noqa: S104
    defaults = [route for route in found.routes if route.bits == bits and route.prefix == 0 and route.interface]
    return min(defaults, key=lambda route: route.metric).interface if defaults else ""


def _subject(name: str) -> Subject:
    return Subject(kind=SubjectKind.INTERFACE, id=name)


def _shared(name: str, peers: list[str]) -> Finding:
    return SHARED.found(
        _subject(name),
        f"iSCSI goes through {name}, as the default route does",
        evidence(peers=tuple(peers), source="/proc/net/route, /proc/net/ipv6_route"),
    )


def _degraded(interface: Interface, bond: Bond) -> Iterator[Finding]:
    down = [member for member in bond.members if member.status == "down"]
    if down:
        yield DEGRADED.found(
            _subject(interface.name),
            f"{len(down)} of {len(bond.members)} members of {interface.name} are down: {', '.join(member.name for member in down)}",
            evidence(
                mode=bond.mode,
                members=tuple(f"{member.name} {member.status}" for member in bond.members),
                source=f"/proc/net/bonding/{interface.name}",
            ),
            commands=tuple(f"ip -statistics link show {quote(member.name)}" for member in down),
        )


def _mtu(interface: Interface, known_: dict[str, Interface]) -> Iterator[Finding]:
    # A bridge's other ports are guests', whose MTU is their own affair.
    if interface.mtu is None or (interface.bond is None and not (interface.bridge and len(interface.lower) == 1)):
        return
    below = [(name, known_[name].mtu) for name in interface.lower if name in known_]
    small = [(name, mtu) for name, mtu in below if mtu is not None and mtu < interface.mtu]
    if small:
        yield MTU.found(
            _subject(interface.name),
            f"{interface.name} has MTU {interface.mtu}, below it {', '.join(f'{name} has {mtu}' for name, mtu in small)}",
            evidence(
                mtu=interface.mtu, below=tuple(f"{name} {mtu}" for name, mtu in small), source=f"/sys/class/net/{interface.name}"
            ),
            commands=tuple(f"ip link set {quote(name)} mtu {interface.mtu}" for name, _ in small),
        )


CHECKS: tuple[Check, ...] = (
    Check(
        name="iscsi-network",
        title="The network under iSCSI is whole",
        codes=(DEGRADED, MTU, SHARED),
        needs=("sessions", "tgt"),  # interfaces and routes are read only where another host is at the other end
        run=network,
    ),
)
