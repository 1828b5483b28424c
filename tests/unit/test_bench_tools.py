"""What fio and iscsi-perf said, read again: recorded output, noise before it, and answers that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.bench import fio, iscsi_perf
from sctune.bench.model import Job, Layer, Measured, Options, Place, Tool
from sctune.unavailable import Reason, Unavailable

DATA = Path(__file__).resolve().parent.parent / "data" / "bench"
OPTIONS = Options(size=64 << 20, runtime=7, ramp=2, runs=3)
PLACE = Place(layer=Layer.LOOP, address="/dev/loop3", size=64 << 20, device="loop3")


def recorded(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def measured(name: str) -> Measured:
    found = fio.parse(recorded(name))
    assert isinstance(found, Measured), found
    return found


def test_reads_and_writes_are_one_figure() -> None:
    found = measured("mixed.json")
    assert found.operations_per_second == pytest.approx(found.bytes_per_second / 4096, rel=0.001)
    assert found.latency is not None
    assert 0 < found.latency.p50 < found.latency.p95 < found.latency.p99 < found.latency.p999 < 10
    assert found.sync is None
    assert found.lowest is None  # samples of two directions do not add up
    assert found.seconds == pytest.approx(2, abs=0.1)


def test_flushes_are_told_and_noise_before_the_json_is_passed_over() -> None:
    text = recorded("sync-write-noise.json")
    assert text.startswith("note: both iodepth >= 1 and synchronous I/O engine are selected")
    found = measured("sync-write-noise.json")
    assert found.sync is not None
    assert found.latency is not None
    assert found.sync.p50 > found.latency.p50  # the write goes to memory, the flush to the disk


def test_a_stream_has_its_samples() -> None:
    found = measured("sequential-read.json")
    assert found.lowest is not None
    assert found.highest is not None
    assert found.lowest <= found.bytes_per_second <= found.highest * 1.5


def test_a_full_disk_is_said() -> None:
    found = fio.parse(recorded("full.json"))
    assert isinstance(found, Unavailable)
    assert found.detail == "no space left on device"


def test_noise_with_braces_is_no_json() -> None:
    found = fio.parse("fio: {odd} name\n{ not yet\n" + recorded("mixed.json"))
    assert isinstance(found, Measured)


@pytest.mark.parametrize(
    "text", ["", "{", "{}\n", '{\n"jobs": []}', '{\n"jobs": [{}]}', '{\n"jobs": [1]}', "fio: pid=1, got signal=9\n"]
)
def test_what_is_no_answer(text: str) -> None:
    found = fio.parse(text)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


def test_cut_answers_are_no_answers() -> None:
    text = recorded("mixed.json")
    for end in range(0, len(text.rstrip()) - 1, 97):
        assert isinstance(fio.parse(text[:end]), Unavailable)


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    fio.parse(text)
    iscsi_perf.parse(text, 1.0)


def test_engines() -> None:
    found = fio.engines(recorded("enghelp.txt"))
    assert {"libaio", "psync", "io_uring"} <= found
    assert "libiscsi" not in found
    assert "Available IO engines:" not in found


def test_a_run_is_bounded_and_in_one_process() -> None:
    for job in Job:
        argv = fio.argv(job, PLACE, OPTIONS, name="n", engine="libaio")
        assert "--thread" in argv  # its processes would have sessions of their own, and outlive us
        assert "--runtime=7" in argv
        assert "--allow_file_create=0" in argv
        assert ("--readonly" in argv) == (job in (Job.RANDOM_READ, Job.READ_LATENCY, Job.SEQUENTIAL_READ))
    # Over and over again into memory is no write to a disk.
    assert "--time_based" not in fio.argv(Job.BUFFERED_WRITE, PLACE, OPTIONS, name="n", engine="libaio")


def test_a_colon_in_a_path_is_no_second_file() -> None:
    place = Place(layer=Layer.FILE, address="/a:b\\c", size=1 << 20)
    assert "--filename=/a\\:b\\\\c" in fio.argv(Job.MIXED, place, OPTIONS, name="n", engine="libaio")


def test_through_libiscsi() -> None:
    place = Place(layer=Layer.TARGET, address="iscsi://127.0.0.1:3260/iqn.x:1/1", size=1 << 20, tool=Tool.FIO_LIBISCSI)
    argv = fio.argv(Job.SYNC_WRITE, place, OPTIONS, name="n", engine="libaio")
    assert "--ioengine=libiscsi" in argv
    assert "--ioengine=psync" not in argv


def test_iscsi_perf() -> None:
    found = iscsi_perf.parse(recorded("iscsi-perf.txt"), 2.0)
    assert isinstance(found, Measured)
    assert (found.operations_per_second, found.bytes_per_second) == (45903, 45903 * 4096)
    assert found.latency is None
    place = Place(layer=Layer.TARGET, address="iscsi://127.0.0.1:3260/iqn.x:1/1", size=1 << 20, tool=Tool.ISCSI_PERF)
    argv = iscsi_perf.argv(Job.RANDOM_READ, place, OPTIONS)
    assert argv[1:] == ("-i", iscsi_perf.INITIATOR, "-m", "32", "-b", "8", "-t", "7", "-r", place.address)


def test_an_iscsi_perf_that_was_ended() -> None:
    text = recorded("iscsi-perf.txt").replace("finished.", "")
    assert isinstance(iscsi_perf.parse(text, 2.0), Unavailable)
    refused = iscsi_perf.parse("Login Failed. Failed to log in to target. Status: Target not found(515)\n", 1.0)
    assert isinstance(refused, Unavailable)
    assert "Target not found" in refused.detail
