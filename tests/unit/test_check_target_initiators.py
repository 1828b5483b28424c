"""Initiators that are logged in to tgtd and do not answer."""

from __future__ import annotations

from typing import Any

import pytest

from sctune.check import not_applicable
from sctune.checks import target_initiators
from sctune.findings import Risk
from sctune.model.system import Listener, TcpConnection, TcpSockets
from sctune.unavailable import CannotLook, Reason
from tests.unit.serving_hosts import chains
from tests.unit.tgt_hosts import DENIED, HUNG, IQN, NO_TGT, daemon, nexus, only, run, state, target

(INITIATORS,) = target_initiators.CHECKS
FAR = "10.0.0.9"


def socket(peer: str = FAR, *, port: int = 3260, state: int = 1, retransmits: int = 0, probes: int = 0) -> TcpConnection:
    ends: dict[str, Any] = {"address": "10.0.0.5", "peer_port": 40000}
    return TcpConnection(**ends, peer=peer, port=port, state=state, retransmits=retransmits, probes=probes)


def judge(*sockets: TcpConnection, heard: str = "0.0.0.0", peer: str = FAR, **parts: Any) -> Any:
    table = TcpSockets(listeners=(Listener(address=heard, port=3260),), connections=sockets)
    tgt = state(daemon(target(nexuses=(nexus(peer),))))
    return run(INITIATORS, **({"tgt": tgt, "tcp": table, "chains": chains()} | parts))


@pytest.mark.parametrize(
    "sockets",
    [
        (socket(),),
        (socket(retransmits=7, probes=1),),  # a lost packet, and a probe that was just sent
        (socket(retransmits=13), socket()),  # which of its sessions is dead cannot be told from addresses
    ],
)
def test_alive(sockets: tuple[TcpConnection, ...]) -> None:
    result = judge(*sockets)
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


@pytest.mark.parametrize(
    ("sockets", "why"),
    [
        ((socket(retransmits=8),), "data sent 8 times again, not acknowledged"),
        ((socket(probes=2),), "2 probes not answered"),
        ((socket(probes=3), socket(retransmits=9)), "data sent 9 times again, not acknowledged"),
        ((), "no connection is established"),
        ((socket(state=8),), "no connection is established"),  # the initiator closed it, tgtd did not
        ((socket("10.0.0.8"), socket(port=22)), "no connection is established"),
    ],
)
def test_dead(sockets: tuple[TcpConnection, ...], why: str) -> None:
    finding = only(judge(*sockets))
    assert (finding.code, finding.subject.id, finding.remedy.risk) == ("TARGET_INITIATOR_DEAD", IQN, Risk.DISRUPTIVE)
    assert finding.summary == f"iqn.i at 10.0.0.9 is logged in to {IQN} and does not answer: {why}"
    assert finding.remedy.commands == ("tgtadm --lld iscsi --mode conn --op delete --tid 1 --sid 1 --cid 0",)


def test_an_initiator_by_way_of_an_ipv6_portal() -> None:
    assert judge(socket(), peer=f"::ffff:{FAR}").findings == ()
    assert only(judge(peer=f"::ffff:{FAR}"))


def test_one_finding_a_target_names_all() -> None:
    tgt = state(daemon(target(nexuses=(nexus(), nexus("10.0.0.8"))), target(iqn="iqn.two", tid=2, nexuses=(nexus("10.0.0.7"),))))
    finding = only(judge(socket("10.0.0.7"), tgt=tgt))
    assert finding.summary.startswith("iqn.i and 1 more at 10.0.0.9 is logged in")
    assert dict(finding.evidence)["addresses"] == (FAR, "10.0.0.8")


def test_sockets_of_another_namespace_tell_nothing() -> None:
    result = judge(heard="127.0.0.1")
    assert (result.findings, [item.reason for item in result.unexamined]) == ((), [Reason.NOT_COLLECTED])


def test_what_could_not_be_looked_at_is_unknown() -> None:
    assert [item.reason for item in judge(tgt=state(unanswered=(HUNG,))).unexamined] == [Reason.TIMEOUT]
    with pytest.raises(CannotLook):
        judge(tgt=NO_TGT)
    with pytest.raises(CannotLook):
        judge(tcp=DENIED)


def test_nobody_logged_in_needs_no_sockets() -> None:
    assert judge(tgt=state(daemon(target())), tcp=DENIED) == not_applicable("no initiator is logged in")
