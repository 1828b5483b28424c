"""Interfaces (/sys/class/net, Documentation/ABI/testing/sysfs-class-net), bonds (/proc/net/bonding) and routes (/proc/net/route,
/proc/net/ipv6_route), of the network namespace that sctune runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.network import Bond, BondMember, Interface, Network, Route
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import Host

_NET = "/sys/class/net"
_REJECT = 0x200
"""RTF_REJECT of include/uapi/linux/route.h."""
_LOCAL = 0x80000000
"""RTF_LOCAL of include/uapi/linux/ipv6_route.h: an address of this host."""


def probe(host: Host) -> Network | Unavailable:
    """The whole network. An interface that is gone between listing and reading is left out. A kernel without IPv6 has no routes
    of it; routes that cannot be read make all of it unavailable."""
    names = host.list(_NET)
    if isinstance(names, Unavailable):
        return names
    interfaces = [_interface(host, name) for name in names]
    four = host.read("/proc/net/route")
    if isinstance(four, Unavailable):
        return four
    six = host.read("/proc/net/ipv6_route")
    if isinstance(six, Unavailable) and six.reason is not Reason.ABSENT:
        return six
    routes = (*parse_route(four), *(parse_ipv6_route(six) if isinstance(six, str) else ()))
    return Network(interfaces=tuple(one for one in interfaces if one is not None), routes=routes)


def _interface(host: Host, name: str) -> Interface | None:
    entries = host.list(f"{_NET}/{name}")
    if isinstance(entries, Unavailable):
        return None  # bonding_masters is a file
    mtu = host.read(f"{_NET}/{name}/mtu")
    bond: Bond | Unavailable | None = None
    if "bonding" in entries:
        text = host.read(f"/proc/net/bonding/{name}")
        bond = text if isinstance(text, Unavailable) else parse_bond(text)
    return Interface(
        name=name,
        mtu=int(mtu) if isinstance(mtu, str) and mtu.strip().isdecimal() and len(mtu) < 12 else None,
        lower=tuple(entry.removeprefix("lower_") for entry in entries if entry.startswith("lower_")),
        bridge="bridge" in entries,
        bond=bond,
    )


def parse_bond(text: str) -> Bond | Unavailable:
    """What the bonding driver says of one bond (Linux, drivers/net/bonding/bond_procfs.c)."""
    mode, members = "", []
    name, status, failures = "", "", None
    for line in (*text.split("\n"), "Slave Interface: "):
        key, _, value = (part.strip() for part in line.partition(": "))
        if key.rstrip(":") == "Slave Interface":
            if name:
                members.append(BondMember(name=name, status=status, failures=failures))
            name, status, failures = value, "", None
        elif key == "Bonding Mode":
            mode = value
        elif name and key == "MII Status":
            status = value
        elif name and key == "Link Failure Count" and value.isdecimal() and len(value) < 12:
            failures = int(value)
    if not mode:
        return Unavailable(reason=Reason.MALFORMED, what="/proc/net/bonding", detail="no bonding mode in it")
    return Bond(mode=mode, members=tuple(members))


def parse_route(text: str) -> tuple[Route, ...]:
    """/proc/net/route: addresses as eight hexadecimal digits of a little-endian number. `*` is an interface for none."""
    routes = []
    for line in text.split("\n")[1:]:
        words = line.split()
        try:
            destination, mask, metric = _little(words[1]), _little(words[7]), int(words[6])
        except (IndexError, ValueError):
            continue
        interface = "" if words[0] == "*" else words[0]
        routes.append(Route(bits=32, destination=destination, prefix=mask.bit_count(), metric=metric, interface=interface))
    return tuple(routes)


def parse_ipv6_route(text: str) -> Iterable[Route]:
    """/proc/net/ipv6_route (Linux, net/ipv6/route.c); this host's own addresses lead to no other host and are left out."""
    routes = []
    for line in text.split("\n"):
        words = line.split()
        try:
            destination, prefix, metric, flags = (int(words[at], 16) for at in (0, 1, 5, 8))
        except (IndexError, ValueError):
            continue
        if not (0 <= destination < 1 << 128 and 0 <= prefix <= 128 and len(words) > 9) or flags & _LOCAL:
            continue
        interface = "" if flags & _REJECT else words[9]
        routes.append(Route(bits=128, destination=destination, prefix=prefix, metric=metric, interface=interface))
    return tuple(routes)


def _little(word: str) -> int:
    return int.from_bytes(bytes.fromhex(word)[:4].ljust(4, b"\0"), "little")
