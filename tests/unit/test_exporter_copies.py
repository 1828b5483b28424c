"""Snapshots as files, and copies on their way: recorded hosts, and every way in which a copy's progress is not known."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.config.model import Config
from sctune.exporters.prometheus.collectors.copies import COLLECTOR as COPIES
from sctune.exporters.prometheus.collectors.snapshot_files import COLLECTOR as FILES
from sctune.host.base import Process
from sctune.host.live import LiveHost
from sctune.inventory import Inventory
from sctune.model.process import Copy, CopyTool, Processes
from sctune.model.units import GIB, MIB
from sctune.probes.copy_io import parse_written, probe
from sctune.probes.processes import select
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.collecting import collect, recorded
from tests.unit.storage_hosts import store, store_file

if TYPE_CHECKING:
    from tests.unit.collecting import Run

COPYING = "operator-notes-copying"
SAVED = ("snap-C2DF3CF2", "vol-D02E43C2", "save")
RESTORED = ("snap-26EE3E3A", "vol-D02E43C2", "restore")
HUNG = Unavailable(reason=Reason.TIMEOUT, what="x")


def processes(*copies: Copy) -> Processes:
    return replace(select(()), copies=copies)


def dd(source: str, destination: str, pid: int = 77) -> Copy:
    process = Process(pid=pid, ppid=1, name="dd", state="D", argv=(), started=10.0, cpu_seconds=0.0, uid=0)
    return Copy(process=process, tool=CopyTool.DD, source=source, destination=destination)


def restoring(written: object) -> Run:
    """A volume is made from a snapshot's file."""
    host = recorded(COPYING)
    chains = Inventory(host, Config()).chains
    assert not isinstance(chains, Unavailable)
    (chain,) = (one for one in chains.chains if one.id == RESTORED[1])
    assert chain.lv is not None
    running = processes(dd(f"/var/lib/eucalyptus/volumes/{RESTORED[0]}", chain.lv.path))
    return collect(COPIES, host, processes=running, copy_io={77: written} if written is not None else {})


def test_a_snapshot_that_is_being_made() -> None:
    """Of the operator's own notes: 20.02 % of 15 GiB."""
    run = collect(COPIES, recorded(COPYING))
    assert run.why == ""
    assert run.of("sctune_snapshot_copy_size_bytes") == {SAVED: 15 * GIB}
    assert run.of("sctune_snapshot_copy_done_bytes") == {SAVED: 3224145920}
    assert run.of("sctune_snapshot_copy_start_timestamp_seconds") == {SAVED: pytest.approx(1327938245, abs=1)}


def test_a_volume_that_is_made_from_a_snapshot() -> None:
    run = restoring(5 * GIB)
    assert (run.why, run.skipped) == ("", {})
    assert run.of("sctune_snapshot_copy_size_bytes") == {RESTORED: 8 * GIB}
    assert run.of("sctune_snapshot_copy_done_bytes") == {RESTORED: 5 * GIB}


@pytest.mark.parametrize(
    ("written", "skipped", "why"),
    [
        (Unavailable(reason=Reason.DENIED, what="/proc/77/io"), {"permission": 1}, ""),
        (Unavailable(reason=Reason.MALFORMED, what="/proc/77/io"), {}, "/proc/77/io: malformed"),
        (None, {}, ""),
    ],
)
def test_how_far_it_is_may_not_be_known(written: object, skipped: dict[str, int], why: str) -> None:
    run = restoring(written)
    assert (run.why, run.skipped) == (why, skipped)
    assert run.of("sctune_snapshot_copy_done_bytes") == {}
    assert run.of("sctune_snapshot_copy_size_bytes") == {RESTORED: 8 * GIB}


def test_what_is_written_beyond_the_size_is_not_told() -> None:
    assert restoring(9 * GIB).of("sctune_snapshot_copy_done_bytes") == {RESTORED: 8 * GIB}


def test_a_snapshot_that_is_read_for_something_else_than_a_volume() -> None:
    running = processes(dd(f"/var/lib/eucalyptus/volumes/{RESTORED[0]}", "/backup/it"))
    run = collect(COPIES, recorded(COPYING), processes=running, copy_io={77: GIB})
    assert run.of("sctune_snapshot_copy_done_bytes") == {(RESTORED[0], "", "read"): GIB}


def test_a_copy_of_no_snapshot_is_none_of_these() -> None:
    host = recorded(COPYING)
    run = collect(COPIES, host, processes=processes(dd("/dev/zero", "/var/lib/eucalyptus/volumes/vol-D02E43C2")), copy_io={})
    assert (run.why, run.series) == ("", {})


@pytest.mark.parametrize("part", ["processes", "chains"])
def test_no_copy_is_told_where_nobody_could_look(part: str) -> None:
    parts: dict[str, Any] = {part: HUNG}
    run = collect(COPIES, recorded(COPYING), **parts)
    assert (run.why, run.series) == ("x: timeout", {})


def test_files_of_snapshots() -> None:
    run = collect(FILES, recorded(COPYING))
    assert run.why == ""
    assert run.of("sctune_snapshot_files") == {(): 3}
    sizes = run.of("sctune_snapshot_file_size_bytes")
    assert sizes == {("snap-26EE3E3A",): 8 * GIB, ("snap-C2DF3CF2",): 3224145920, ("snap-D7E53AC0",): 5 * GIB}
    assert run.of("sctune_snapshot_files_size_bytes") == {(): sum(sizes.values())}
    assert set(run.of("sctune_snapshot_file_modified_timestamp_seconds")) == set(sizes)
    assert collect(FILES, recorded(COPYING), detail=False).of("sctune_snapshot_file_size_bytes") == {}


def test_a_snapshot_is_found_on_a_host_that_has_no_volume() -> None:
    host, config = FakeHost(), Config(backend="eucalyptus-overlay")
    file = replace(store_file("snap-00000001", GIB), mtime=5.0)
    nothing = Unavailable(reason=Reason.ABSENT, what="x")
    parts: dict[str, Any] = {
        name: nothing for name in ["loops", "lvm", "dm", "tgt", "sessions", "block", "cloud", "processes", "guests"]
    }
    run = collect(FILES, host, config=config, stores=(store(files=(file,)),), **parts)
    assert run.why == ""
    assert run.of("sctune_snapshot_file_modified_timestamp_seconds") == {("snap-00000001",): 5.0}
    copying = processes(dd("/dev/elsewhere", f"/srv/{file.name}"))
    run = collect(COPIES, host, config=config, stores=(store(files=(file,)),), **parts | {"processes": copying})
    assert run.of("sctune_snapshot_copy_done_bytes") == {("snap-00000001", "", "save"): GIB}


def test_files_that_nobody_could_look_at_are_not_said_to_be_none() -> None:
    for run in (collect(FILES, recorded("store-nfs-server-stopped")), collect(FILES, recorded(COPYING), stores=HUNG)):
        assert "timeout" in run.why
        assert not run.series
    absent = Unavailable(reason=Reason.ABSENT, what="stores")
    none = collect(FILES, recorded(COPYING), stores=absent)
    assert (none.why, none.series) == ("", {})


def test_the_kernels_account_of_a_process() -> None:
    text = "rchar: 3224150000\nwchar: 3224145920\nsyscr: 1\nsyscw: 2\nread_bytes: 0\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n"
    assert parse_written(text) == 3224145920
    host = FakeHost(files={"/proc/1/io": text, "/proc/2/io": "wchar: a lot\n"})
    found = probe(host, processes=processes(*(dd("/a", "/b", pid) for pid in (1, 2, 3))))
    assert not isinstance(found, Unavailable)
    assert found[1] == 3224145920
    assert isinstance(found[2], Unavailable)
    assert 3 not in found  # it has ended
    assert probe(host, processes=HUNG) is HUNG


@given(st.text())
def test_no_text_is_a_surprise(text: str) -> None:
    assert parse_written(text) is None or "wchar" in text


@pytest.mark.spawns
def test_a_real_copy() -> None:
    with (
        LiveHost() as host,
        subprocess.Popen(("dd", "if=/dev/zero", "bs=1M"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running,
    ):
        assert running.stdout is not None
        read = sum(len(running.stdout.read(MIB)) for _ in range(3))
        time.sleep(0.1)
        table = host.processes()
        assert not isinstance(table, Unavailable)
        copies = select(table)
        found = probe(host, processes=replace(copies, copies=tuple(one for one in copies.copies if one.process.pid == running.pid)))
        running.kill()
    assert not isinstance(found, Unavailable)
    written = found[running.pid]
    assert isinstance(written, int)
    assert read <= written <= read + 2 * MIB
