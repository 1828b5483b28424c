"""Two target daemons on one port, and what tells who listens where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks import target_portals
from sctune.model.lio import LioPortal
from sctune.model.system import Listener
from sctune.probes.lio import parse_portal, probe_portals
from sctune.probes.listeners import parse
from sctune.tgt_process import wanted_portals
from sctune.unavailable import CannotLook, Reason
from tests.fakes import FakeHost
from tests.unit.tgt_hosts import NO_TGT, daemon, only, process, processes, run, state, target, unavailable

(PORTALS,) = target_portals.CHECKS
NO_LIO = unavailable(Reason.ABSENT, "/sys/kernel/config/target/iscsi")
BOTH = ("0.0.0.0", "::")
# Of this project's test machine, a tgtd on 127.0.0.1:33291 and one on all addresses.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:820B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 00000000:0CBC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 100 0 0 10 0
   2: 0100007F:820B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0000000000000000 100 0 0 10 0
"""


def lio(address: str, port: int = 3260) -> LioPortal:
    return LioPortal(iqn="iqn.lio", address=address, port=port)


def judge(*argv: str, live: tuple[str, ...] = BOTH, **parts: Any) -> Any:
    defaults: dict[str, Any] = {"lio_portals": NO_LIO, "listeners": tuple(Listener(address=a, port=3260) for a in live)}
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
    heard = (*(Listener(address=a, port=3260) for a in BOTH), Listener(address="127.0.0.1", port=33291))
    finding = only(judge("--iscsi", "portal=127.0.0.1:33291,nop_count=5", listeners=heard))
    assert "did not get 127.0.0.1:33291" in finding.summary


def test_a_portal_that_nobody_has_was_taken_away_on_purpose() -> None:
    assert judge("--iscsi", "portal=127.0.0.1:33291").findings == ()
    elsewhere = (Listener(address="127.0.0.1", port=33291),)  # tgtd's own are not seen: another network namespace
    assert judge("--iscsi", "portal=127.0.0.1:33291", listeners=elsewhere).findings == ()


def test_what_could_not_be_looked_at_is_unknown() -> None:
    denied = unavailable(Reason.DENIED, "/sys/kernel/config")
    assert [item.reason for item in judge(lio_portals=denied).unexamined] == [Reason.DENIED]
    assert [item.reason for item in judge("--iscsi", "portal=10.0.0.1", listeners=denied).unexamined] == [Reason.DENIED]
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


def test_listening_sockets() -> None:
    assert parse(TCP) == [Listener(address="127.0.0.1", port=33291), Listener(address="0.0.0.0", port=3260)]
    six = "   0: 00000000000000000000000001000000:0CBC 0:0 0A 0\n"
    assert parse(six) == [Listener(address="::1", port=3260)]


@given(st.text())
def test_any_text(text: str) -> None:
    parse(text)
    parse(f"0: {text}:0CBC 0:0 0A")
    parse_portal("iqn.x", text)


def test_portals_of_lio() -> None:
    group = "/sys/kernel/config/target/iscsi/iqn.x/tpgt_1"
    host = FakeHost(files={f"{group}/np/10.0.0.1:3260/iser": "0", f"{group}/np/[::]:3260/iser": "0", f"{group}/enable": "1"})
    assert probe_portals(host, lio=("iqn.x", "iqn.gone")) == (
        LioPortal(iqn="iqn.x", address="10.0.0.1", port=3260),
        LioPortal(iqn="iqn.x", address="::", port=3260),
    )
    assert probe_portals(host, lio=NO_LIO) == NO_LIO
