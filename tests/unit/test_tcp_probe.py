"""The kernel's table of TCP sockets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sctune.model.system import Listener, TcpConnection, TcpSockets
from sctune.probes.tcp import parse, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
# Of this project's test machine: a tgtd on 127.0.0.1:33291 and one on all addresses; a session whose initiator's link was taken
# down half a minute before, and the same after tgtadm closed it.
TCP = f"""{HEAD}\
   0: 0100007F:820B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 00000000:0CBC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 100 0 0 10 0
   2: 016433C6:83F1 026433C6:CDF6 01 00020600:00000000 01:00000048 0000000D     0        0 177221 3 00000000da6a5577 326 4 1 1 136
   3: 016433C6:83F1 026433C6:CDF6 04 00020601:00000000 01:00000114 0000000E     0        0 0 3 00000000da6a5577 326 4 1 1 136
   4: 0100007F:820B 0100007F:9C40 06 00000000:00000000 03:00000A11 00000000     0        0 0 3 0000000000000000
"""


def dead(state: int, retransmits: int) -> TcpConnection:
    ends = {"address": "198.51.100.1", "peer": "198.51.100.2"}
    return TcpConnection(**ends, port=33777, peer_port=52726, state=state, retransmits=retransmits, probes=0)


def test_real_sockets() -> None:
    assert parse(TCP) == TcpSockets(
        listeners=(Listener(address="127.0.0.1", port=33291), Listener(address="0.0.0.0", port=3260)),
        connections=(dead(1, 13), dead(4, 14)),
    )


def test_six() -> None:
    line = "   0: 00000000000000000000000001000000:0CBC 0000000000000000FFFF0000016433C6:9C40 01 0:0 02:0000AFC8 00000000 0 3 9\n"
    (one,) = parse(line).connections
    assert (one.address, one.port, one.peer, one.probes) == ("::1", 3260, "198.51.100.1", 3)


def test_no_ipv6() -> None:
    found = probe(FakeHost(files={"/proc/net/tcp": TCP}))
    assert isinstance(found, TcpSockets)
    assert len(found.listeners) == 2
    assert isinstance(probe(FakeHost()), Unavailable)


def test_denied() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/proc/net/tcp6")
    assert probe(FakeHost(files={"/proc/net/tcp": TCP, "/proc/net/tcp6": denied})) == denied


@given(st.text())
def test_any_text(text: str) -> None:
    parse(text)
    parse(f"0: {text}:0CBC 0:0 0A 0 0 0 0 0")
    parse(f"0: 0100007F:0CBC 0100007F:0CBC 01 {text} 0 0 0 0 0")
