"""I/O counters of block devices: what the kernel prints, and what two looks make of it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.live import LiveHost
from sctune.io_rates import MEANING, WRAP_SECONDS, difference
from sctune.model.block import BlockKind
from sctune.model.io import IoCounters, IoTally, ScsiCounters
from sctune.probes.block import outline
from sctune.probes.disk_io import parse_count, parse_stat, probe, probe_scsi, read_io, read_scsi
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

# Linux 6.18: a virtio disk, and a loop device that was read through the page cache.
VDA = (
    "  431813    46894 14617114   301463  1651558   265086 88624312   481066        0   118784   819587"
    "   230888       40 347401040    22919   236150    14136\n"
)
LOOP0 = (
    "    3851        0  3049960    15228      116        0     3875        3        0     8736    15231"
    "        0        0        0        0        0        0\n"
)
# Documentation/admin-guide/iostats.rst: the line of 2.6, and with the discards of 4.18.
OLD = "  446216   784926  9550688  4382310   424847   312726  5922052 19310380        0  3376340 23705160\n"
WITH_DISCARDS = OLD.rstrip("\n") + " 7 0 16 5\n"


# Linux 6.1: what lies under one volume while its session's disk is read and written: an LV, its loop device, and the disk itself.
LAYERS = {
    "dm-2": "    2180        0    40944     7532      801        0     6400     2276        0      536     9808 0 0 0 0 0 0\n",
    "loop1": "     337     2020    53968      843       32      791     8067       40        0      608      891 0 0 0 0 1 7\n",
    "sda": "     352        0    32424     2224       51        0     6400      243        0     1604     2572 0 0 0 0 1 104\n",
}


def counters(text: str, name: str = "vda") -> IoCounters:
    found = parse_stat(text, name)
    assert isinstance(found, IoCounters)
    return found


def test_a_line_of_today() -> None:
    vda = counters(VDA)
    assert vda.reads == IoTally(completed=431813, merged=46894, bytes=14617114 * 512, waited=301.463)
    assert vda.writes == IoTally(completed=1651558, merged=265086, bytes=88624312 * 512, waited=481.066)
    assert vda.discards == IoTally(completed=230888, merged=40, bytes=347401040 * 512, waited=22.919)
    assert vda.flushes == IoTally(completed=236150, merged=0, bytes=0, waited=14.136)
    assert (vda.in_flight, vda.busy, vda.queued) == (0, 118.784, 819.587)
    assert counters(LOOP0).reads.bytes == 3049960 * 512


def test_the_layers_of_a_volume() -> None:
    host = FakeHost(files={f"/sys/block/{name}/stat": text for name, text in LAYERS.items()})
    lv, loop, disk = (one for one in read_io(host, LAYERS) if isinstance(one, IoCounters))
    assert lv.writes == IoTally(completed=801, merged=0, bytes=6400 * 512, waited=2.276)
    assert disk.writes.bytes == lv.writes.bytes <= loop.writes.bytes
    # Device-mapper counts no flush: it passes them on. The loop device below has done one.
    assert (lv.flushes, loop.flushes) == (tally(), tally(1, waited=0.007))


def test_lines_of_older_kernels() -> None:
    old = counters(OLD)
    assert old.writes == IoTally(completed=424847, merged=312726, bytes=5922052 * 512, waited=19310.380)
    assert (old.discards, old.flushes) == (None, None)
    middle = counters(WITH_DISCARDS)
    assert middle.discards == IoTally(completed=7, merged=0, bytes=8192, waited=0.005)
    assert middle.flushes is None


@pytest.mark.parametrize(
    "text", ["", "\n", "1 2 3\n", OLD.replace("446216", "-1"), OLD.replace("446216", "²"), OLD.replace(" 0 ", " x ")]
)
def test_what_are_no_counters(text: str) -> None:
    found = parse_stat(text, "sda")
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


@given(text=st.text(max_size=200) | st.lists(st.integers(0, 2**64), min_size=9, max_size=20).map(lambda n: " ".join(map(str, n))))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = parse_stat(text, "sda")
    assert isinstance(found, IoCounters) or found.reason is Reason.MALFORMED


def test_only_what_was_asked_for_is_read() -> None:
    host = FakeHost(files={"/sys/block/vda/stat": VDA})
    first, gone = read_io(host, ("vda", "dm-9"))
    assert isinstance(first, IoCounters)
    assert isinstance(gone, Unavailable)
    assert (gone.reason, gone.what) == (Reason.ABSENT, "/sys/block/dm-9/stat")


@pytest.mark.spawns
def test_this_machine_counts() -> None:
    with LiveHost() as host:
        devices = outline(host)
        found = probe(host, devices)
    assert not isinstance(devices, Unavailable)
    assert not isinstance(found, Unavailable)
    sized = {device.name for device in devices if device.size}
    assert {one.name for one in found if isinstance(one, IoCounters)} == sized
    assert any(one.reads.completed for one in found if isinstance(one, IoCounters))


def test_what_could_not_be_listed_stays_so() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/sys/block")
    assert probe(FakeHost(), denied) is denied
    assert probe_scsi(FakeHost(), denied) is denied


def tally(completed: int = 0, merged: int = 0, size: int = 0, waited: float = 0.0) -> IoTally:
    return IoTally(completed=completed, merged=merged, bytes=size, waited=waited)


def look(**changes: object) -> IoCounters:
    base = IoCounters(
        name="dm-3", reads=tally(), writes=tally(), discards=tally(), flushes=tally(), in_flight=0, busy=0.0, queued=0.0
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def test_a_difference() -> None:
    before = look(reads=tally(100, 0, 1 << 20, 1.0), busy=10.0, queued=5.0)
    after = look(reads=tally(300, 10, 3 << 20, 1.5), busy=11.0, queued=6.0, in_flight=4)
    found = difference(before, after, 2.0)
    assert found is not None
    assert (found.reads.ios, found.reads.bytes, found.reads.latency, found.reads.size) == (100.0, 1 << 20, 0.0025, 10485.76)
    assert (found.writes.ios, found.writes.latency, found.writes.size) == (0.0, None, None)
    assert (found.busy_ratio, found.depth, found.in_flight) == (0.5, 0.5, 4)


def test_milliseconds_begin_anew_and_the_rest_does_not() -> None:
    before = look(writes=tally(10, 0, 512, WRAP_SECONDS - 0.25))
    after = look(writes=tally(20, 0, 1024, 0.75))
    found = difference(before, after, 1.0)
    assert found is not None
    assert found.writes.latency == pytest.approx(0.1)


@pytest.mark.parametrize(
    "after",
    [
        look(reads=tally(99, 0, 2 << 20, 2.0)),
        look(reads=tally(101, 0, 1 << 19, 2.0)),
        look(reads=tally(101, 0, 2 << 20, 0.5)),
        look(reads=tally(101, 0, 2 << 20, 2.0), busy=1.0),
        look(reads=tally(101, 0, 2 << 20, 2.0), busy=10.0, queued=1.0),
        look(reads=tally(101, 0, 2 << 20, 2.0), busy=10.0, queued=5.0, name="dm-4"),
    ],
)
def test_a_device_that_was_made_anew_has_no_rate(after: IoCounters) -> None:
    before = look(reads=tally(100, 0, 1 << 20, 1.0), busy=10.0, queued=5.0)
    assert difference(before, after, 1.0) is None
    assert difference(before, before, 0.0) is None
    assert difference(before, before, 1.0) is not None


def test_discards_and_flushes_are_compared_where_both_looks_have_them() -> None:
    assert difference(look(discards=tally(5)), look(discards=tally(4)), 1.0) is None
    assert difference(look(flushes=tally(5)), look(flushes=tally(4)), 1.0) is None
    found = difference(look(discards=None, flushes=None), look(), 1.0)
    assert found is not None
    assert (found.discards, found.flushes) == (None, None)


def test_busy_is_never_more_than_the_time() -> None:
    found = difference(look(), look(busy=1.004), 1.0)
    assert found is not None
    assert found.busy_ratio == 1.0


def test_every_kind_of_device_says_what_its_time_is() -> None:
    assert set(MEANING) == set(BlockKind)


SCSI = {"iorequest_cnt": "0x5c4\n", "iodone_cnt": "0x5c3\n", "ioerr_cnt": "0x2\n", "iotmo_cnt": "0x1\n"}


def test_what_scsi_counts() -> None:
    files = {f"/sys/block/sda/device/{name}": text for name, text in SCSI.items()}
    (found,) = read_scsi(FakeHost(files=dict(files)), ("sda",))
    assert found == ScsiCounters(name="sda", sent=0x5C4, completed=0x5C3, errors=2, timeouts=1)
    del files["/sys/block/sda/device/iotmo_cnt"]
    (older,) = read_scsi(FakeHost(files=dict(files)), ("sda",))
    assert isinstance(older, ScsiCounters)
    assert older.timeouts is None
    files["/sys/block/sda/device/ioerr_cnt"] = "two\n"
    (wrong,) = read_scsi(FakeHost(files=dict(files)), ("sda",))
    assert isinstance(wrong, Unavailable)
    assert wrong.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("text", "count"), [("0x0\n", 0), ("0xFf", 255), ("12", None), ("0x", None), ("0x" + "1" * 17, None), ("0x1²", None)]
)
def test_hexadecimal_counts(text: str, count: int | None) -> None:
    assert parse_count(text) == count
