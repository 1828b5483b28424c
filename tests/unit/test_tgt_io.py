"""tgtd's own counters."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import TgtMode
from sctune.io_rates import lun_difference
from sctune.model.target import TgtDaemon, TgtState
from sctune.probes.tgt_io import parse, probe, read_luns
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from sctune.model.io import LunIo

VM = Path(__file__).parents[1] / "data/vm"
# tgtadm 1.0.85 while iscsi-perf read.
TITLES = "tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs\n"
RECORDED = (
    TITLES + "  1   0   1            0      0            0      0            0      0            0      0    0\n"
    "  1   1   1    105127968  25667    105123872  25666            0      0            0      0    1\n"
)


def luns(text: str) -> tuple[LunIo, ...]:
    found = parse(text, 7)
    assert not isinstance(found, Unavailable)
    return found


def test_recorded() -> None:
    controller, disk = luns(RECORDED)
    assert (controller.lun, controller.in_flight) == (0, 0)
    assert (disk.control_port, disk.tid, disk.lun, disk.sid) == (7, 1, 1, 1)
    assert (disk.read_bytes_submitted, disk.reads_submitted, disk.read_bytes, disk.reads) == (105127968, 25667, 105123872, 25666)
    assert (disk.in_flight, disk.errors) == (1, 1)
    assert luns(TITLES) == ()


@pytest.mark.parametrize("state", sorted(path.parent.name for path in VM.glob("*/tgtadm-sys-stat.txt")))
def test_every_recorded_state(state: str) -> None:
    text = (VM / state / "tgtadm-sys-stat.txt").read_text()
    if text:  # else tgtd was dead
        assert {one.errors for one in luns(text) if one.lun} <= {0, 1}
        assert all(one.in_flight == 0 and one.read_bytes for one in luns(text))


def test_numbers_longer_than_their_column() -> None:
    (disk,) = luns(TITLES + f"1000 1 65535 {2**64 - 1} {2**32 - 1} {2**64 - 1} {2**32 - 1} 9 9 9 9 12345\n")
    assert (disk.tid, disk.read_bytes, disk.errors) == (1000, 2**64 - 1, 12345)


@pytest.mark.parametrize("text", ["", "Target 1: x\n", TITLES + "  1 1 1\n", TITLES + "  1 1 1 1 1 1 1 1 1 1 1 x\n"])
def test_another_text(text: str) -> None:
    found = parse(text, 0)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


@given(text=st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, TITLES + text):
        found = parse(whole, 0)
        assert not isinstance(found, Unavailable) or found.reason is Reason.MALFORMED


def daemon(port: int) -> TgtDaemon:
    return TgtDaemon(control_port=port, state="ready", targets=(), portals=(), accounts=(), backing_types=())


def test_every_daemon_is_asked_and_one_that_fails_is_named() -> None:
    failed = Unavailable(reason=Reason.TIMEOUT, what="/var/run/tgtd/socket.1")
    host = FakeHost(tgt_answers={(TgtMode.STATISTICS, 0, None): RECORDED, (TgtMode.STATISTICS, 1, None): failed})
    found = probe(host, tgt=TgtState(daemons=(daemon(0), daemon(1)), unanswered=(), stale=()))
    assert not isinstance(found, Unavailable)
    assert [one if isinstance(one, Unavailable) else one.lun for one in found] == [0, 1, failed]
    assert probe(host, tgt=failed) is failed
    assert read_luns(host, 1) is failed


def test_a_difference_over_all_sessions() -> None:
    (_, then) = luns(RECORDED)
    now = dataclasses.replace(
        then, reads=then.reads + 200, reads_submitted=then.reads + 203, read_bytes=then.read_bytes + 4096, errors=2
    )
    new = dataclasses.replace(then, sid=2, reads=10, reads_submitted=10, read_bytes=100, errors=1)
    found = lun_difference((then,), (now, new), 2.0)
    assert found is not None
    assert (found.reads, found.read_bytes, found.errors, found.in_flight) == (105.0, 2098.0, 2, 3)
    assert lun_difference((then, new), (now,), 2.0) is not None
    assert lun_difference((now,), (then,), 2.0) is None
    assert lun_difference((then,), (now,), 0.0) is None


def test_commands_begin_anew_after_32_bits() -> None:
    (_, then) = luns(RECORDED)
    then = dataclasses.replace(then, reads=2**32 - 5, reads_submitted=2**32 - 5)
    now = dataclasses.replace(then, reads=5, reads_submitted=6, read_bytes=then.read_bytes + 1)
    found = lun_difference((then,), (now,), 1.0)
    assert found is not None
    assert (found.reads, found.in_flight) == (10.0, 1)
