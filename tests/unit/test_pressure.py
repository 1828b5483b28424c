from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Look
from sctune.checks import pressure as topic
from sctune.config.model import Config, Level, Thresholds
from sctune.host.base import Process
from sctune.model.loop import LoopState
from sctune.model.process import Copy, CopyTool
from sctune.model.store import Mount
from sctune.model.system import IoWaiting, Memory, Pressure, Stall
from sctune.probes import io_waiting
from sctune.probes.pressure import parse, probe
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import GIB, NO_PROCESSES, chain, chains, codes, look, look_at, loop

# cat /proc/pressure/io, Linux 6.18, while a test suite ran
RECORDED = "some avg10=0.00 avg60=0.01 avg300=0.11 total=3342347\nfull avg10=0.00 avg60=0.00 avg300=0.07 total=2580187\n"
ABSENT = Unavailable(reason=Reason.ABSENT, what="/proc/pressure/io")
COPY = Copy(
    process=Process(pid=5, ppid=1, name="dd", state="D", argv=("dd",), started=1.0, cpu_seconds=0.0, uid=0),
    tool=CopyTool.DD,
    source="/dev/vg/lv",
    destination="/snap",
)
STAT = "cpu  1 2 3 4\nctxt 5\nprocs_running 2\nprocs_blocked {}\nsoftirq 0 0\n"
# /proc/diskstats, Linux 6.18 and 2.6.32
DISKS = """   7       0 loop0 800 0 123200 195 48 0 3348 1 9 99999 196 0 0 0 0 0 0
 254       0 vda {} 0 6400 40 200 0 9000 90 {} {} 130 0 0 0 0 0 0
   8       1 sda1 1 0 8 1 0 0 0 0 0 1 1
"""


def mount(filesystem: str) -> Mount:
    return Mount(point="/", device=(8, 1), filesystem=filesystem, source="x", options=())


def stall(avg60: float = 0.0, avg300: float | None = None) -> Stall:
    return Stall(avg10=0.0, avg60=avg60, avg300=avg60 if avg300 is None else avg300)


def pressure(io: float = 0.0, memory: float = 0.0, lasting: float | None = None) -> Pressure:
    return Pressure(io_some=stall(io), io_full=stall(io, lasting), memory_some=stall(memory), memory_full=stall(memory))


def waiting(*tasks: int, busy: float = 0.95) -> IoWaiting:
    return IoWaiting(tasks=tasks, seconds=1.4, disk="vda", busy=busy)


SEVERAL = waiting(4, 3, 0, 5)
LOCAL = mount("ext4")


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


def host(*blocked: int, io_time: tuple[int, int] = (1000, 1900), held: int = 0) -> FakeHost:
    stats = {io_waiting.path_of(number): STAT.format(count) for number, count in enumerate(blocked)}
    return FakeHost(
        files={
            **stats,
            "/proc/diskstats": DISKS.format(100, held, io_time[0]),
            "/proc/./diskstats": DISKS.format(200, held, io_time[1]),
            "/proc/././uptime": "100.00 1.00\n",
            "/proc/./././uptime": "101.50 1.00\n",
        }
    )


def test_who_waits_is_asked_where_anybody_does() -> None:
    found = io_waiting.probe(host(*range(12)), pressure=pressure(io=0.05), level=0.05)
    assert found == IoWaiting(tasks=tuple(range(12)), seconds=1.5, disk="vda", busy=0.6)
    assert found.together == 6.0
    nothing = io_waiting.probe(FakeHost(), pressure=pressure(io=0.04), level=0.05)
    assert isinstance(nothing, Unavailable)
    assert nothing.reason is Reason.ABSENT
    assert io_waiting.probe(FakeHost(), pressure=ABSENT, level=0.05) is ABSENT


def test_a_capture_that_has_fewer_readings_or_none() -> None:
    found = io_waiting.probe(host(3, 0), pressure=pressure(io=0.5), level=0.05)
    assert isinstance(found, IoWaiting)
    assert (found.tasks, found.together) == ((3, 0), 3.0)
    missing = io_waiting.probe(FakeHost(), pressure=pressure(io=0.5), level=0.05)
    assert isinstance(missing, Unavailable)
    assert missing.what == "/proc/stat"


def test_a_disk_that_ends_nothing_is_busy() -> None:
    found = io_waiting.probe(host(9, 9, io_time=(1000, 1000), held=3), pressure=pressure(io=0.5), level=0.05)
    assert isinstance(found, IoWaiting)
    assert (found.disk, found.busy) == ("vda", 1.0)


@pytest.mark.parametrize("text", ["", "procs_blocked", "procs_blocked x", "procs_blocked -1", "procs_blocked 9999999999"])
def test_malformed_stat(text: str) -> None:
    found = io_waiting.probe(FakeHost(files={"/proc/stat": text}), pressure=pressure(io=0.5), level=0.05)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


@given(st.text(), st.floats(min_value=0, max_value=10))
def test_no_text_breaks_the_readings(text: str, seconds: float) -> None:
    count = io_waiting.parse_blocked(text)
    assert count is None or count >= 0
    disks = io_waiting.parse_disks(text + DISKS.format(1, 0, 5))
    assert 0 <= io_waiting.busiest(disks, disks, seconds)[1] <= 1


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
    found = topic.run_io(look(pressure=pressure(io=share), io_waiting=SEVERAL, mounts=(LOCAL,)))
    assert (found.examined, found.unexamined) == (1, ())
    assert codes(found) == ([("IO_PRESSURE_HIGH", severity, "host")] if severity else [])
    if severity:
        assert "4.0 tasks wait at once, and vda is busy for 95% of the time" in found.findings[0].summary


def test_a_burst_is_not_critical() -> None:
    found = topic.run_io(look(pressure=pressure(io=0.6, lasting=0.19), io_waiting=SEVERAL, mounts=(LOCAL,)))
    assert codes(found) == [("IO_PRESSURE_HIGH", "warning", "host")]


@pytest.mark.parametrize(
    ("readings", "mounts", "copies", "said"),
    [
        # Measured: dd oflag=dsync and oflag=direct alone, on this kernel and in the test machine (docs/precision.md).
        (waiting(1, 1, 0, 1, 1), (LOCAL,), 0, "one task at a time waits"),
        (waiting(1, 2, 1, 0, 1), (LOCAL,), 0, "one task at a time waits"),
        (waiting(0, 0, 0), (LOCAL,), 0, "nobody waits any more"),
        (waiting(2, 2, 2), (LOCAL,), 1, "but for copies hardly anybody waits; a copy is running"),
        (waiting(9, 9, 9, busy=0.02), (LOCAL,), 0, "no disk is busy"),
    ],
)
def test_what_holds_up_nobody(readings: IoWaiting, mounts: tuple[Mount, ...], copies: int, said: str) -> None:
    processes = dataclasses.replace(NO_PROCESSES, copies=(COPY,) * copies)
    parts = {"pressure": pressure(io=0.9), "io_waiting": readings, "mounts": mounts, "processes": processes}
    found = topic.run_io(look_at(parts))
    assert codes(found) == [("IO_PRESSURE_HIGH", "info", "host")]
    assert said in found.findings[0].summary


@pytest.mark.parametrize(
    ("readings", "mounts", "copies"),
    [
        (waiting(2, 2, 1, 2), (LOCAL,), 0),
        # Others stand beside a copy.
        (waiting(4, 3, 4), (LOCAL,), 1),
        # What waits for a server on the network keeps no disk busy, and of mounts that cannot be read nothing is known.
        (waiting(9, 9, 9, busy=0.0), (LOCAL, mount("nfs4")), 0),
        (waiting(9, 9, 9, busy=0.0), ABSENT, 0),
    ],
)
def test_what_holds_up_others(readings: IoWaiting, mounts: object, copies: int) -> None:
    processes = dataclasses.replace(NO_PROCESSES, copies=(COPY,) * copies)
    parts = {"pressure": pressure(io=0.9), "io_waiting": readings, "mounts": mounts, "processes": processes}
    assert codes(topic.run_io(look_at(parts))) == [("IO_PRESSURE_HIGH", "critical", "host")]


@pytest.mark.parametrize(
    ("direct", "read_only", "severity"), [(False, False, "info"), (True, False, "critical"), (False, True, "critical")]
)
def test_one_writer_through_a_loop_device_counts_twice(direct: bool, read_only: bool, severity: str) -> None:
    """Measured: 1.99 wait, of whom one is the kernel's thread of the loop device."""
    device = dataclasses.replace(loop(0, GIB), direct_io=direct, read_only=read_only)
    loops = LoopState(devices=(device,), nodes=1, max_loop=0, control=True)
    parts = {"pressure": pressure(io=0.9), "io_waiting": waiting(2, 2, 2, 1, 2), "mounts": (LOCAL,), "loops": loops}
    assert codes(topic.run_io(look_at(parts))) == [("IO_PRESSURE_HIGH", severity, "host")]


def test_how_many_wait_is_not_known() -> None:
    unread = Unavailable(reason=Reason.NOT_COLLECTED, what="/proc/stat")
    found = topic.run_io(look(pressure=pressure(io=0.9), io_waiting=unread, mounts=(LOCAL,)))
    assert codes(found) == [("IO_PRESSURE_HIGH", "warning", "host")]
    assert [item.what for item in found.unexamined] == ["/proc/stat"]
    assert "could not be read" in found.findings[0].summary
    processes = dataclasses.replace(NO_PROCESSES, copies=(COPY,))
    found = topic.run_io(look(pressure=pressure(io=0.9), io_waiting=unread, mounts=(LOCAL,), processes=processes))
    assert codes(found) == [("IO_PRESSURE_HIGH", "info", "host")]


def test_thresholds_of_the_site() -> None:
    config = Config(thresholds=Thresholds(io_pressure=Level(warning=0.5, critical=0.9), memory_pressure=0.5))
    assert codes(topic.run_io(look(config, pressure=pressure(io=0.49)))) == []
    assert codes(topic.run_memory(look(config, pressure=pressure(memory=0.49), memory=memory()))) == []
    config = Config(thresholds=Thresholds(io_waiting=3.0))
    parts = {"pressure": pressure(io=0.5), "io_waiting": waiting(2, 3, 3), "mounts": (LOCAL,)}
    assert codes(topic.run_io(Look(inventory=look_at(parts).inventory, config=config))) == [("IO_PRESSURE_HIGH", "info", "host")]


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
