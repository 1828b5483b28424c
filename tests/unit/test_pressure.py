from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks import pressure as topic
from sctune.config.model import Config, Level, Thresholds
from sctune.host.base import Process
from sctune.model.process import Copy, CopyTool
from sctune.model.system import Memory, Pressure, Stall
from sctune.probes.pressure import parse, probe
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import GIB, NO_PROCESSES, chain, chains, codes, look, look_at

# cat /proc/pressure/io, Linux 6.18, while a test suite ran
RECORDED = "some avg10=0.00 avg60=0.01 avg300=0.11 total=3342347\nfull avg10=0.00 avg60=0.00 avg300=0.07 total=2580187\n"
ABSENT = Unavailable(reason=Reason.ABSENT, what="/proc/pressure/io")


def stall(avg60: float = 0.0) -> Stall:
    return Stall(avg10=0.0, avg60=avg60, avg300=0.0)


def pressure(io: float = 0.0, memory: float = 0.0) -> Pressure:
    return Pressure(io_some=stall(io), io_full=stall(io), memory_some=stall(memory), memory_full=stall(memory))


def memory(available: int | None = 8 * GIB, swap: int = 0, swapped: int = 0) -> Memory:
    return Memory(total=16 * GIB, available=available, free=GIB, dirty=0, writeback=0, swap_total=swap, swap_free=swap - swapped)


def test_recorded() -> None:
    assert parse(RECORDED) == (Stall(avg10=0.0, avg60=0.0001, avg300=0.0011), Stall(avg10=0.0, avg60=0.0, avg300=0.0007))
    found = probe(FakeHost(files={"/proc/pressure/io": RECORDED, "/proc/pressure/memory": RECORDED}))
    assert isinstance(found, Pressure)
    assert found.memory_some.avg60 == 0.0001


def test_not_measured() -> None:
    off = Unavailable(reason=Reason.FAILED, what="/proc/pressure/io", detail="Operation not supported")
    for files in ({}, {"/proc/pressure/io": off}):
        found = probe(FakeHost(files=dict(files)))
        assert isinstance(found, Unavailable)
        assert found.reason is Reason.ABSENT
    denied = Unavailable(reason=Reason.DENIED, what="/proc/pressure/io")
    assert probe(FakeHost(files={"/proc/pressure/io": denied})) is denied


@pytest.mark.parametrize(
    "text",
    [
        "",
        RECORDED.splitlines()[0],
        RECORDED.replace("avg60", "avg6"),
        RECORDED.replace("0.00", "nan"),
        RECORDED.replace("0.0", "200.0"),
    ],
)
def test_malformed(text: str) -> None:
    found = probe(FakeHost(files={"/proc/pressure/io": text}))
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


@given(st.text(alphabet="somefulavg103=.\n \0٣"), st.text())
def test_no_text_breaks_the_parser(text: str, other: str) -> None:
    for raw in (text, other):
        found = parse(raw)
        assert found is None or all(0 <= item.avg60 <= 1 for item in found)


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.0, None), (0.0499, None), (0.05, "warning"), (0.1999, "warning"), (0.20, "critical"), (1.0, "critical")],
)
def test_waiting_for_disks(share: float, severity: str | None) -> None:
    found = topic.run_io(look(pressure=pressure(io=share)))
    assert found.examined == 1
    assert codes(found) == ([("IO_PRESSURE_HIGH", severity, "host")] if severity else [])


def test_a_copy_waits_by_itself() -> None:
    dd = Process(pid=5, ppid=1, name="dd", state="D", argv=("dd",), started=1.0, cpu_seconds=0.0, uid=0)
    copy = Copy(process=dd, tool=CopyTool.DD, source="/dev/vg/lv", destination="/snap")
    processes = dataclasses.replace(NO_PROCESSES, copies=(copy,))
    found = topic.run_io(look(pressure=pressure(io=0.9), processes=processes))
    assert codes(found) == [("IO_PRESSURE_HIGH", "info", "host")]
    assert "a copy is running" in found.findings[0].summary


def test_thresholds_of_the_site() -> None:
    config = Config(thresholds=Thresholds(io_pressure=Level(warning=0.5, critical=0.9), memory_pressure=0.5))
    assert codes(topic.run_io(look(config, pressure=pressure(io=0.49)))) == []
    assert codes(topic.run_memory(look(config, pressure=pressure(memory=0.49), memory=memory()))) == []


@pytest.mark.parametrize(("share", "found"), [(0.0499, 0), (0.05, 1)])
def test_waiting_for_memory(share: float, found: int) -> None:
    assert len(topic.run_memory(look(pressure=pressure(memory=share), memory=memory())).findings) == found


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (memory(), 0),
        (memory(available=16 * GIB // 20 + 1, swap=4 * GIB, swapped=4 * GIB), 0),
        (memory(available=16 * GIB // 20, swap=10 * GIB, swapped=GIB), 1),
        (memory(available=16 * GIB // 20, swap=10 * GIB, swapped=GIB - 1), 0),
        (memory(available=GIB // 2), 0),
        (memory(available=None, swap=GIB, swapped=GIB), 0),
    ],
)
def test_memory_that_is_left(facts: Memory, found: int) -> None:
    result = topic.run_memory(look(pressure=ABSENT, memory=facts))
    assert (result.examined, len(result.findings), result.unexamined) == (1, found, ())
    assert all(item.code == "MEMORY_PRESSURE" for item in result.findings)


def test_what_is_not_measured_or_not_told() -> None:
    with pytest.raises(CannotLook) as caught:
        topic.run_io(look(pressure=ABSENT))
    assert caught.value.unavailable is ABSENT
    denied = Unavailable(reason=Reason.DENIED, what="/proc/pressure/io")
    assert [item.reason for item in topic.run_memory(look(pressure=denied, memory=memory())).unexamined] == [Reason.DENIED]


def test_a_laptop_may_wait() -> None:
    alone = {"chains": chains(chain("vg/root", ours=False)), "pressure": pressure(0.9, 0.9), "memory": memory()}
    assert topic.run_io(look_at(alone)).not_applicable
    assert topic.run_memory(look_at(alone)).not_applicable
