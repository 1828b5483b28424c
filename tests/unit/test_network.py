"""The network under iSCSI. tests/data/network was recorded in the test machine (Linux 6.1, a bridge on a VLAN on a bond)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Look, Result
from sctune.checks import network
from sctune.config.model import Config
from sctune.inventory import Inventory
from sctune.model.network import Bond, BondMember, Interface, Network, Route
from sctune.probes.addresses import probe as probe_addresses
from sctune.probes.network import parse_bond, parse_ipv6_route, parse_route, probe
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import connection, session, unavailable

DATA = Path(__file__).parent.parent / "data" / "network"
(CHECK,) = network.CHECKS
BOND = (DATA / "bond-active-backup.txt").read_text()
ROUTE = (DATA / "route.txt").read_text()
ROUTE6 = (DATA / "ipv6_route.txt").read_text()


def recorded(bond: str = BOND, **mtu: int) -> FakeHost:
    """br0 on bond0.7 on bond0 on v0 and v1; and bonding_masters, which is a file in the folder of interfaces."""
    lower = {
        "br0": ("bond0.7", "bridge/x"),
        "bond0.7": ("bond0",),
        "bond0": ("v0", "v1", "bonding/x"),
        "v0": (),
        "v1": (),
        "lo": (),
    }
    files: dict[str, Any] = {
        "/proc/net/bonding/bond0": bond,
        "/proc/net/route": ROUTE,
        "/proc/net/ipv6_route": ROUTE6,
    }
    for name, below in lower.items():
        files[f"/sys/class/net/{name}/mtu"] = f"{mtu.get(name, 9000)}\n"
        for one in below:
            files[f"/sys/class/net/{name}/" + (one if "/" in one else f"lower_{one}")] = ""
    return FakeHost(files=files)


def judge(host: FakeHost, peer: str = "10.20.0.9", **parts: Any) -> Result:
    inventory = Inventory(host, Config(), strict=True)
    inventory.parts["sessions"] = (session(connection(persistent_address=peer)),)
    inventory.parts["tgt"] = unavailable(Reason.ABSENT)
    inventory.parts.update(parts)
    return CHECK.run(Look(inventory=inventory, config=inventory.config))


def codes(result: Result) -> list[tuple[str, str]]:
    return [(finding.code, finding.subject.id) for finding in result.findings]


def test_the_recorded_network() -> None:
    found = probe(recorded())
    assert isinstance(found, Network)
    assert [one.name for one in found.stack("br0")] == ["br0", "bond0.7", "bond0", "v0", "v1"]
    members = (BondMember(name="v0", status="up", failures=0), BondMember(name="v1", status="up", failures=0))
    assert found.stack("bond0")[0].bond == Bond(mode="fault-tolerance (active-backup)", members=members)


@pytest.mark.parametrize(
    ("address", "interface"),
    [
        ("10.20.0.9", "br0"),
        ("10.30.0.9", "bond1"),
        ("10.99.1.1", "br0"),  # metric 50 against 100
        ("10.98.1.1", ""),  # a blackhole
        ("8.8.8.8", "br0"),  # the default route
        ("fd00:20::9", "br0"),
        ("2001:db8::1", ""),  # unreachable
        ("no address", ""),
    ],
)
def test_which_interface_carries_an_address(address: str, interface: str) -> None:
    """As `ip route get` said in the machine."""
    found = probe(recorded())
    assert isinstance(found, Network)
    assert found.interface_to(address) == interface


def test_a_sound_stack_is_only_told_to_be_shared() -> None:
    result = judge(recorded())
    assert codes(result) == [("ISCSI_PORTAL_ON_SHARED_NIC", "br0")]
    assert (result.examined, result.unexamined) == (5, ())
    assert codes(judge(recorded(), "fd00:20::9")) == [("ISCSI_PORTAL_ON_SHARED_NIC", "br0")]


def test_a_member_that_is_down() -> None:
    down = BOND.replace("Slave Interface: v1\nMII Status: up", "Slave Interface: v1\nMII Status: down")
    result = judge(recorded(down))
    assert ("NET_BOND_DEGRADED", "bond0") in codes(result)
    going = BOND.replace("Slave Interface: v1\nMII Status: up", "Slave Interface: v1\nMII Status: going back")
    assert ("NET_BOND_DEGRADED", "bond0") not in codes(judge(recorded(going)))


@pytest.mark.parametrize(
    ("mtu", "found"),
    [
        ({"v1": 1500}, ["bond0"]),
        ({"v1": 8999}, ["bond0"]),
        ({"v1": 9001}, []),
        ({"bond0.7": 8000}, ["br0"]),
        ({"br0": 1500}, []),
    ],
)
def test_a_smaller_mtu_below(mtu: dict[str, int], found: list[str]) -> None:
    assert [subject for code, subject in codes(judge(recorded(BOND, **mtu))) if code == "NET_MTU_SUSPECT"] == found


def test_a_bridge_with_guests_is_not_judged() -> None:
    ports = (Interface(name="br0", mtu=9000, lower=("eth0", "tap0"), bridge=True), Interface(name="tap0", mtu=1500))
    route = Route(bits=32, destination=0x0A140000, prefix=24, metric=0, interface="br0")
    assert codes(judge(FakeHost(), network=Network(interfaces=ports, routes=(route,)))) == []


def test_nobody_else_at_the_other_end() -> None:
    assert judge(recorded(), "127.0.0.1").not_applicable
    assert judge(recorded(), sessions=()).not_applicable
    here = session(connection(persistent_address="10.20.0.1", local=None))
    assert judge(recorded(), sessions=(here,), addresses=("10.20.0.1",)).not_applicable


def test_what_cannot_be_seen() -> None:
    assert judge(recorded(), "10.98.1.1").unexamined
    with pytest.raises(CannotLook):
        judge(FakeHost(), network=unavailable(Reason.DENIED))
    hidden = recorded()
    hidden.files["/proc/net/bonding/bond0"] = unavailable(Reason.DENIED, "/proc/net/bonding/bond0")
    assert [item.reason for item in judge(hidden).unexamined] == [Reason.DENIED]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.ABSENT])
@pytest.mark.parametrize("part", ["sessions", "tgt"])
def test_peers_that_could_not_be_asked_for_are_unknown(part: str, reason: Reason) -> None:
    parts: dict[str, Any] = {"sessions": ()} | {part: unavailable(reason)}
    result = judge(recorded(), **parts)
    assert result.not_applicable is None
    assert (result.examined, [item.reason for item in result.unexamined]) == (0, [reason])


@pytest.mark.parametrize("reason", list(Reason))
def test_peers_that_may_be_this_host_itself_are_said_to_be_uncertain(reason: Reason) -> None:
    """Where the own addresses are not known, one that looks like another host's may be this one's."""
    here = session(connection(persistent_address="10.20.0.1", local=None))
    result = judge(recorded(), sessions=(here,), addresses=unavailable(reason, "/proc/net/fib_trie"))
    assert [(item.what, item.reason) for item in result.unexamined] == [("/proc/net/fib_trie", reason)]
    # A session that is known to lead elsewhere needs no list of addresses.
    assert judge(recorded(), addresses=unavailable(reason)).unexamined == ()


def test_some_peers_are_judged_where_others_could_not_be_asked_for() -> None:
    result = judge(recorded(), tgt=unavailable(Reason.TIMEOUT))
    assert (result.examined, [item.reason for item in result.unexamined]) == (5, [Reason.TIMEOUT])


def test_addresses_of_which_half_cannot_be_read_are_unknown() -> None:
    trie = "Local:\n  |-- 10.20.0.1\n     /32 host LOCAL\n"
    host = FakeHost(files={"/proc/net/fib_trie": trie})
    assert probe_addresses(host) == ("10.20.0.1",)  # a kernel without IPv6
    host.files["/proc/net/if_inet6"] = unavailable(Reason.DENIED, "/proc/net/if_inet6")
    assert probe_addresses(host) == unavailable(Reason.DENIED, "/proc/net/if_inet6")


def test_routes_of_which_half_cannot_be_read_are_unknown() -> None:
    host = recorded()
    host.files["/proc/net/ipv6_route"] = unavailable(Reason.TIMEOUT, "/proc/net/ipv6_route")
    assert probe(host) == unavailable(Reason.TIMEOUT, "/proc/net/ipv6_route")
    del host.files["/proc/net/ipv6_route"]
    assert isinstance(probe(host), Network)


@given(st.text())
def test_any_text(text: str) -> None:
    assert isinstance(parse_bond(text), Bond | Unavailable)
    assert isinstance(parse_route(text), tuple)
    assert isinstance(parse_ipv6_route(text), tuple)
    assert isinstance(probe(FakeHost(files={"/sys/class/net/x/mtu": text, "/proc/net/route": text})), Network)


@given(st.lists(st.sampled_from(["br0", "0000140A", "00FFFFFF", "0", "-1", "zz", "0" * 400, "ff" * 16]), max_size=12))
def test_any_words(words: list[str]) -> None:
    line = "\n" + "\t".join(words)
    found = Network(interfaces=(), routes=(*parse_route(line), *parse_ipv6_route(line)))
    assert isinstance(found.interface_to("10.20.0.9"), str)
    assert isinstance(found.interface_to("::1"), str)
