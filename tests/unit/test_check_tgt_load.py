"""tgtd's main thread and its NOP-Ins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks import tgt_load as check_module
from sctune.checks import tgt_nop
from sctune.config.model import Config, Thresholds
from sctune.model.tgt_tuning import TgtLoad
from sctune.probes.tgt_load import parse_schedstat, parse_uptime, probe
from sctune.probes.tgt_parameters import parse as parse_parameters
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.tgt_hosts import IQN, NO_TGT, codes, daemon, only, process, processes, run, state, target, unavailable

(LOAD,) = check_module.CHECKS
(NOP,) = tgt_nop.CHECKS
TGTD = processes(process(pid=77, argv=("tgtd", "-C", "3")))


def host(seconds: float, ran: float) -> FakeHost:
    """Two readings `seconds` apart, between which the thread ran for `ran`."""
    return FakeHost(
        files={
            "/proc/uptime": "1000.00 5.00\n",
            "/proc/77/task/77/schedstat": "5000000000 1 2\n",
            "/proc/./uptime": f"{1000 + seconds:.2f} 5.00\n",
            "/proc/77/schedstat": f"{5_000_000_000 + int(ran * 1e9)} 1 2\n",
        }
    )


@pytest.mark.parametrize(
    ("seconds", "ran", "share"),
    [
        (0.5, 0.45, 0.9),
        (0.5, 0.0, 0.0),
        (0.05, 0.0, 0.0),
        (0.0, 0.001, 0.05),
        (0.05, 0.045, None),
        (0.0, 0.02, None),
        (0.6, 0.9, 1.0),
    ],
)
def test_two_readings(seconds: float, ran: float, share: float | None) -> None:
    answer = probe(host(seconds, ran), processes=TGTD)
    assert not isinstance(answer, Unavailable)
    (item,) = answer
    assert (item.control_port, item.pid) == (3, 77)
    assert item.share == (None if share is None else pytest.approx(share))


def test_readings_that_cannot_be_had() -> None:
    absent = probe(FakeHost(), processes=processes())
    assert isinstance(absent, Unavailable)
    assert absent.reason is Reason.ABSENT
    for files in ({"/proc/uptime": "x"}, {"/proc/uptime": "1.00 1.00", "/proc/77/task/77/schedstat": "1 2"}):
        odd = probe(FakeHost(files=dict(files)), processes=TGTD)
        assert isinstance(odd, Unavailable)
        assert odd.reason is Reason.MALFORMED
    denied = unavailable(Reason.DENIED)
    assert probe(FakeHost(), processes=denied) == denied


@given(st.text())
def test_any_text(text: str) -> None:
    parse_uptime(text)
    parse_schedstat(text)


def loaded(share: float | None) -> tuple[TgtLoad, ...]:
    return (TgtLoad(control_port=0, pid=77, share=share, seconds=0.6),)


def test_it_fires_at_its_threshold() -> None:
    assert codes(run(LOAD, tgt_load=loaded(0.85))) == [("TGT_CPU_SATURATED", "warning", "tgtd")]
    assert run(LOAD, tgt_load=loaded(0.849)).findings == ()
    lenient = Config(thresholds=Thresholds(tgt_cpu=0.95))
    assert run(LOAD, lenient, tgt_load=loaded(0.9)).findings == ()
    unknown = run(LOAD, tgt_load=loaded(None))
    assert (unknown.findings, [item.reason for item in unknown.unexamined]) == ((), [Reason.FAILED])
    with pytest.raises(CannotLook):
        run(LOAD, tgt_load=NO_TGT)


def parameters(text: str) -> Any:
    return (parse_parameters(text, control_port=0, iqn=IQN),)


def test_nop_ins() -> None:
    tgt = state(daemon(target()))
    assert codes(run(NOP, tgt=tgt, tgt_defaults=parameters("nop_interval=0\nnop_count=0\n"))) == [("TGT_NOP_OFF", "info", "tgtd")]
    cutting = only(run(NOP, tgt=tgt, tgt_defaults=parameters("nop_interval=1\nnop_count=0\n")))
    assert str(cutting.severity) == "warning"
    assert cutting.remedy.commands == ("tgtadm --lld iscsi --mode target --op update --tid 1 --name nop_count --value 5",)
    assert run(NOP, tgt=tgt, tgt_defaults=parameters("nop_interval=5\nnop_count=5\n")).findings == ()
    assert run(NOP, tgt=tgt, tgt_defaults=parameters("MaxConnections=1\n")).not_applicable == "this tgt has no NOP-Ins"
    with pytest.raises(CannotLook):
        run(NOP, tgt=tgt, tgt_defaults=unavailable(Reason.TIMEOUT))
