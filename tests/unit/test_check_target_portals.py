"""Two target daemons on one port, and what tells who listens where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks import target_portals
from sctune.model.lio import LioPortal
from sctune.model.system import Listener, TcpSockets
from sctune.probes.lio import parse_portal, probe_portals
from sctune.tgt_process import wanted_portals
from sctune.unavailable import CannotLook, Reason
from tests.fakes import FakeHost
from tests.unit.tgt_hosts import NO_TGT, daemon, only, process, processes, run, state, target, unavailable

(PORTALS,) = target_portals.CHECKS
NO_LIO = unavailable(Reason.ABSENT, "/sys/kernel/config/target/iscsi")
BOTH = ("0.0.0.0", "::")


def lio(address: str, port: int = 3260) -> LioPortal:
    return LioPortal(iqn="iqn.lio", address=address, port=port)


def heard(*listeners: Listener) -> TcpSockets:
    return TcpSockets(listeners=listeners, connections=())


def judge(*argv: str, live: tuple[str, ...] = BOTH, **parts: Any) -> Any:
    defaults: dict[str, Any] = {"lio_portals": NO_LIO, "tcp": heard(*(Listener(address=a, port=3260) for a in live))}
    tgt = state(daemon(target(), portals=live))
    return run(PORTALS, tgt=tgt, processes=processes(process(argv=("tgtd", *argv))), **(defaults | parts))


def test_healthy() -> None:
    result = judge()
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_lio_on_a_port_that_tgtd_takes_on_all_addresses() -> None:
    finding = only(judge(live=("127.0.0.1",), lio_portals=(lio("10.20.0.1"),)))
    assert (finding.code, finding.subject.id) == ("TARGET_PORTAL_CONFLICT", "host")


@pytest.mark.parametrize("other", [lio("10.20.0.1", 3261), lio("10.20.0.1"), lio("::1")])
def test_an_address_or_a_port_each(other: LioPortal) -> None:
    assert judge("--iscsi", "portal=127.0.0.1:3260", live=("127.0.0.1",), lio_portals=(other,)).findings == ()


def test_a_portal_that_somebody_else_has() -> None:
    """tgt 1.0.85 then listens on port 3260 of all addresses, and says nothing but in its log."""
    sockets = heard(*(Listener(address=a, port=3260) for a in BOTH), Listener(address="127.0.0.1", port=33291))
    finding = only(judge("--iscsi", "portal=127.0.0.1:33291,nop_count=5", tcp=sockets))
    assert "did not get 127.0.0.1:33291" in finding.summary


def test_a_portal_that_nobody_has_was_taken_away_on_purpose() -> None:
    assert judge("--iscsi", "portal=127.0.0.1:33291").findings == ()
    elsewhere = heard(Listener(address="127.0.0.1", port=33291))  # tgtd's own are not seen: another network namespace
    assert judge("--iscsi", "portal=127.0.0.1:33291", tcp=elsewhere).findings == ()


def test_what_could_not_be_looked_at_is_unknown() -> None:
    denied = unavailable(Reason.DENIED, "/sys/kernel/config")
    assert [item.reason for item in judge(lio_portals=denied).unexamined] == [Reason.DENIED]
    assert [item.reason for item in judge("--iscsi", "portal=10.0.0.1", tcp=denied).unexamined] == [Reason.DENIED]
    blind = run(PORTALS, processes=processes(), lio_portals=(lio("10.20.0.1"),))
    assert (blind.findings, [item.reason for item in blind.unexamined]) == ((), [Reason.FAILED])
    with pytest.raises(CannotLook):
        run(PORTALS, tgt=NO_TGT)


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (("-f",), (("0.0.0.0", 3260), ("::", 3260))),
        (("--iscsi", "portal=10.0.0.1"), (("10.0.0.1", 3260),)),
        (("--iscsi", "portal=[fd00::1]:9,portal=10.0.0.1:8"), (("fd00::1", 9), ("10.0.0.1", 8))),
        (("--iscsi=nop_count=5",), (("0.0.0.0", 3260), ("::", 3260))),
        (("--iscsi",), (("0.0.0.0", 3260), ("::", 3260))),
    ],
)
def test_what_tgtd_was_told(argv: tuple[str, ...], wanted: object) -> None:
    assert wanted_portals(process(argv=("tgtd", *argv))) == wanted


@given(st.text())
def test_any_name_of_a_portal(text: str) -> None:
    parse_portal("iqn.x", text)


def test_portals_of_lio() -> None:
    group = "/sys/kernel/config/target/iscsi/iqn.x/tpgt_1"
    host = FakeHost(files={f"{group}/np/10.0.0.1:3260/iser": "0", f"{group}/np/[::]:3260/iser": "0", f"{group}/enable": "1"})
    assert probe_portals(host, lio=("iqn.x", "iqn.gone")) == (
        LioPortal(iqn="iqn.x", address="10.0.0.1", port=3260),
        LioPortal(iqn="iqn.x", address="::", port=3260),
    )
    assert probe_portals(host, lio=NO_LIO) == NO_LIO
