"""The host's network as the kernel shows it: interfaces and what they stand on, and the main table of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class BondMember:
    """One member of a bond: its MII status in the driver's words (up, down, going down, going back) and how often it failed."""

    name: str
    status: str
    failures: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """/proc/net/bonding/NAME: the mode in the driver's words, and the members in order."""

    mode: str
    members: tuple[BondMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """/sys/class/net/NAME: MTU in bytes, `lower` the interfaces it stands on (members, ports, the parent of a VLAN), `bridge`
    whether it is one, `bond` what the driver says of a bond, None for another interface."""

    name: str
    mtu: int | None
    lower: tuple[str, ...] = ()
    bridge: bool = False
    bond: Bond | Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of the main table: destination as a number with `prefix` leading bits that count, of 32 or 128 `bits`. `interface`
    is "" for one that goes nowhere (blackhole, unreachable)."""

    bits: int
    destination: int
    prefix: int
    metric: int
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Interfaces by name, and routes."""

    interfaces: tuple[Interface, ...]
    routes: tuple[Route, ...]

    def interface_to(self, address: str) -> str:
        """The interface the main table sends an address through, "" where it does not tell. The longest prefix counts, then the
        lowest metric. Rules (ip-rule(8)) may say otherwise, and are not seen here."""
        import ipaddress

        try:
            number = ipaddress.ip_address(address)
        except ValueError:
            return ""
        bits = number.max_prefixlen
        fitting = [
            route
            for route in self.routes
            if route.bits == bits and int(number) >> (bits - route.prefix) == route.destination >> (bits - route.prefix)
        ]
        return min(fitting, key=lambda route: (-route.prefix, route.metric)).interface if fitting else ""

    def stack(self, name: str) -> tuple[Interface, ...]:
        """An interface and all that it stands on, from the top."""
        known = {interface.name: interface for interface in self.interfaces}
        order, left = [], [name]
        while left:
            found = known.pop(left.pop(0), None)
            if found is not None:
                order.append(found)
                left.extend(found.lower)
        return tuple(order)
