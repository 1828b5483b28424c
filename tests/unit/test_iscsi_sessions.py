from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.probes.iscsi_sessions import clean, is_local, parse_fib_trie, parse_if_inet6, parse_timeout, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import INITIATOR, recorded_tree, unavailable

if TYPE_CHECKING:
    import ipaddress

S = "/sys/class/iscsi_session/session1"
C = "/sys/class/iscsi_connection/connection1:0"


def test_two_recorded_sessions() -> None:
    sessions = probe(recorded_tree("healthy"))
    assert not isinstance(sessions, Unavailable)
    assert [(s.number, s.target, s.state, s.disks) for s in sessions] == [
        (1, "iqn.2009-06.com.eucalyptus.lab:store1", "LOGGED_IN", ("sda",)),
        (2, "iqn.2009-06.com.eucalyptus.lab:store2", "LOGGED_IN", ("sdb",)),
    ]
    first = sessions[0]
    assert (first.recovery_timeout, first.abort_timeout, first.lu_reset_timeout) == (120, 15, 30)
    assert (first.tpgt, first.interface, first.initiator, first.creator) == (1, "default", INITIATOR, 154)
    assert first.portal == "127.0.0.1:3260"
    assert first.identity == f"iqn.2009-06.com.eucalyptus.lab:store1,127.0.0.1:3260,{INITIATOR}"
    assert first.local
    (connection,) = first.connections
    assert (connection.noop_interval, connection.noop_timeout, connection.state) == (5, 5, "up")


def test_recorded_sessions_whose_target_daemon_was_killed() -> None:
    sessions = probe(recorded_tree("tgtd-killed"))
    assert not isinstance(sessions, Unavailable)
    assert [s.state for s in sessions] == ["FAILED", "FAILED"]
    assert {disk for s in sessions for disk in s.disks} == {"sda", "sdb"}
    for found in sessions:
        # The kernel answers ENOTCONN for the address of a dead connection, and keeps the persistent one.
        assert (found.connections[0].address, found.connections[0].port) == ("", 0)
        assert found.portal == "127.0.0.1:3260"
        assert found.connections[0].state == "failed"


def test_passwords_are_never_asked_for() -> None:
    asked = []

    class Watched(FakeHost):
        def read(self, path: str) -> str | Unavailable:
            asked.append(path)
            return super().read(path)

    tree = recorded_tree("healthy")
    tree.files[f"{S}/password"] = "the secret"
    assert "the secret" not in repr(probe(Watched(files=tree.files, links=tree.links)))
    assert asked
    assert not [path for path in asked if "password" in path or "username" in path]


def test_no_transport_class_is_absent() -> None:
    answer = probe(FakeHost())
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT


def test_refused_is_refused() -> None:
    class Refused(FakeHost):
        def list(self, path: str) -> tuple[str, ...] | Unavailable:
            return unavailable(Reason.DENIED, path)

    answer = probe(Refused())
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.DENIED


def test_a_session_that_vanishes_meanwhile_is_left_out() -> None:
    tree = recorded_tree("healthy")
    tree.files[f"{S}/state"] = unavailable(Reason.ABSENT)
    sessions = probe(tree)
    assert not isinstance(sessions, Unavailable)
    assert [s.number for s in sessions] == [2]


def test_null_off_and_missing_values() -> None:
    files: dict[str, str | Unavailable] = {
        f"{S}/state": "FREE\n",
        f"{S}/targetname": "(null)\n",
        f"{S}/recovery_tmo": "off\n",
        f"{S}/abort_tmo": "(null)\n",
        f"{C}/persistent_address": "fd00::5\n",
        f"{C}/persistent_port": "3260\n",
        f"{C}/recv_tmo": "0\n",
        f"{C}/ping_tmo": "\n",
    }
    (found,) = probe(FakeHost(files=files))  # type: ignore[misc]
    assert (found.target, found.recovery_timeout, found.abort_timeout, found.creator) == ("", -1, None, None)
    assert (found.connections[0].noop_interval, found.connections[0].noop_timeout) == (0, None)
    assert found.portal == "[fd00::5]:3260"
    assert found.connections[0].local is None


def test_an_own_address_is_found_in_the_routing_table() -> None:
    files: dict[str, str | Unavailable] = {
        f"{S}/state": "FAILED\n",
        f"{C}/persistent_address": "10.0.2.15\n",
        "/proc/net/fib_trie": FIB_TRIE,
    }
    (found,) = probe(FakeHost(files=files))  # type: ignore[misc]
    assert found.local
    files[f"{C}/persistent_address"] = "10.0.2.2\n"
    (found,) = probe(FakeHost(files=files))  # type: ignore[misc]
    assert found.connections[0].local is False


@pytest.mark.parametrize("hidden", ["/proc/net/fib_trie", "/proc/net/if_inet6"])
def test_half_of_the_own_addresses_tell_nothing(hidden: str) -> None:
    """A kernel without CONFIG_IP_FIB_TRIE tells those of IPv6 alone: no other address is another host's for that."""
    six = "fe8000000000000050540012ff345601 02 40 20 80     eth0\n"
    files: dict[str, str | Unavailable] = {
        f"{S}/state": "LOGGED_IN\n",
        f"{C}/persistent_address": "10.0.2.15\n" if "trie" in hidden else "fd00::5\n",
        "/proc/net/fib_trie": FIB_TRIE,
        "/proc/net/if_inet6": six,
    }
    files[hidden] = unavailable(Reason.ABSENT if "trie" in hidden else Reason.DENIED, hidden)
    (found,) = probe(FakeHost(files=files))  # type: ignore[misc]
    assert found.connections[0].local is None


FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.2.0/24 2 0 2
        +-- 10.0.2.0/28 2 0 2
           |-- 10.0.2.0
              /24 link UNICAST
           |-- 10.0.2.15
              /32 host LOCAL
        |-- 10.0.2.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
"""


def test_own_addresses() -> None:
    assert tuple(parse_fib_trie(FIB_TRIE)) == ("10.0.2.15", "127.0.0.1")
    text = "fe8000000000000050540012ff345601 02 40 20 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n"
    assert tuple(parse_if_inet6(text)) == ("fe80::5054:12:ff34:5601", "::1")
    assert is_local("127.0.0.5", frozenset()) is True
    assert is_local("10.0.0.1", frozenset()) is None
    assert is_local("10.0.0.1", frozenset({"10.0.0.2"})) is False
    assert is_local("", frozenset({"10.0.0.2"})) is None


@given(st.ip_addresses(v=6))
def test_every_ipv6_address_is_read_back(address: ipaddress.IPv6Address) -> None:
    assert tuple(parse_if_inet6(f"{int(address):032x} 02 40 20 80 eth0")) == (str(address),)


@given(st.text(), st.text(), st.text())
def test_parsers_take_anything(first: str, second: str, third: str) -> None:
    tuple(parse_fib_trie(first))
    tuple(parse_if_inet6(second))
    parse_timeout(clean(third))


_NAMES = st.sampled_from(["state", "targetname", "tpgt", "recovery_tmo", "creator", "ifacename"])
_ANSWERS = st.one_of(st.text(), st.sampled_from(list(Reason)).map(unavailable))


@given(st.dictionaries(_NAMES, _ANSWERS), st.dictionaries(st.sampled_from(["persistent_port", "recv_tmo", "state"]), _ANSWERS))
def test_any_tree_gives_records_or_says_why_not(
    session: dict[str, str | Unavailable], connection: dict[str, str | Unavailable]
) -> None:
    files = {f"{S}/{name}": answer for name, answer in session.items()}
    files |= {f"{C}/{name}": answer for name, answer in connection.items()}
    assert isinstance(probe(FakeHost(files=files)), tuple | Unavailable)


@pytest.mark.parametrize("link", ["../devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda", "sda", ""])
def test_other_disks_belong_to_no_session(link: str) -> None:
    (found,) = probe(FakeHost(files={f"{S}/state": "LOGGED_IN\n"}, links={"/sys/block/sda": link}))  # type: ignore[misc]
    assert found.disks == ()
