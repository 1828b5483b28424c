"""Uploads of snapshots by the cloud's logs, read again and again, and by the parts in the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.exporters.prometheus.collector import Memory
from sctune.exporters.prometheus.collectors.uploads import COLLECTOR as UPLOADS
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.upload_log import BEGUN, KEPT, UploadLog
from sctune.host.base import Clock, FileEntry, FileKind, FileStat
from sctune.model.units import MIB
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.chain_hosts import euca
from tests.unit.cloud_logs import HOUR, LOGS, NOW, error, info
from tests.unit.collecting import collect
from tests.unit.tgt_hosts import NO_TGT

if TYPE_CHECKING:
    from sctune.model.cloud import Cloud
    from tests.unit.collecting import Run

S, T = "snap-C2DF3CF2", "snap-00000001"
OUTPUT, ERROR = f"{LOGS}/cloud-output.log", f"{LOGS}/cloud-error.log"
BEGINS = "Upload entire content of snapshot {}"
ENDS = "Uploaded {} to object storage gateway, etag result - 0f343b0931126a20f133d67c2b018a3b"
FAILS = "Failed to upload snapshot {} due to: "
DELETES = "Processing DeleteStorageSnapshot request for snapshot {}"


class Cloudy:
    """A host whose clock goes on and whose log grows, with the memory of an exporter that looks at it."""

    def __init__(self, cloud: Cloud) -> None:
        self.host = FakeHost(files={OUTPUT: "", ERROR: ""})
        self.cloud = cloud
        self.memory = Memory()
        self.processes: object = Unavailable(reason=Reason.ABSENT, what="processes")

    def log(self, ago: float, text: str, snapshot: str = S, file: str = OUTPUT) -> None:
        line = info if file == OUTPUT else error
        self.host.files[file] = str(self.host.files[file]) + line(self.host.now - ago, text.format(snapshot))

    def look(self, after: float = 2 * KEPT, **options: Any) -> Run:
        self.host.now += after
        run = collect(
            UPLOADS,
            self.host,
            memory=self.memory,
            options=Options(**options),
            cloud=self.cloud,
            processes=self.processes,
            clock=Clock(now=self.host.now, boot=1e6),
        )
        return run


@pytest.fixture
def cloudy() -> Cloudy:
    return Cloudy(euca("4.4.2"))


def test_what_happened_before_anybody_looked_is_told_and_not_counted(cloudy: Cloudy) -> None:
    cloudy.log(2 * HOUR, BEGINS)
    cloudy.log(HOUR, ENDS)
    run = cloudy.look(0)
    assert run.why == ""
    assert run.of("sctune_snapshot_uploads_total") == {(): 0}
    assert run.of("sctune_snapshot_upload_success_timestamp_seconds") == {(S,): NOW - HOUR}
    assert run.of("sctune_snapshot_upload_last_success_timestamp_seconds") == {(): NOW - HOUR}
    assert run.of("sctune_snapshot_uploads_in_progress") == {(): 0}
    once = Cloudy(cloudy.cloud)
    once.host.files = dict(cloudy.host.files)
    assert once.look(0, once=True).of("sctune_snapshot_uploads_total") == {(): 1}


def test_an_upload_from_its_beginning_to_its_end(cloudy: Cloudy) -> None:
    cloudy.look()
    cloudy.log(1, BEGINS)
    run = cloudy.look()
    assert run.of("sctune_snapshot_uploads_in_progress") == {(): 1}
    assert set(run.of("sctune_snapshot_upload_begun_timestamp_seconds")) == {(S,)}
    cloudy.log(1, ENDS)
    for _ in range(3):  # the last minute is read again, and counts once
        run = cloudy.look()
        assert run.of("sctune_snapshot_uploads_total") == {(): 1}
        assert run.of("sctune_snapshot_uploads_in_progress") == {(): 0}
    cloudy.log(1, DELETES)
    run = cloudy.look()
    assert run.of("sctune_snapshot_upload_success_timestamp_seconds") == {}
    assert run.of("sctune_snapshot_uploads_total") == {(): 1}
    assert run.of("sctune_snapshot_upload_last_success_timestamp_seconds") != {}


def test_many_messages_about_one_failure_are_one(cloudy: Cloudy) -> None:
    cloudy.look()
    cloudy.log(20, BEGINS)
    for ago, file in ((12, OUTPUT), (11, OUTPUT), (11, ERROR), (3, OUTPUT)):
        cloudy.log(ago, FAILS, file=file)
    cloudy.log(3, FAILS, snapshot=T)
    run = cloudy.look()
    assert run.of("sctune_snapshot_upload_failures_total") == {(): 2}
    assert run.of("sctune_snapshot_uploads_in_progress") == {(): 0}
    cloudy.log(0, FAILS)
    assert cloudy.look(600).of("sctune_snapshot_upload_failures_total") == {(): 3}


def test_each_look_reads_what_is_new_and_a_moment_later_nothing(cloudy: Cloudy, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    log_lines = cloudy.host.log_lines

    def watched(path: str, query: Any) -> Any:
        asked.append(round(cloudy.host.now - query.since))
        return log_lines(path, query)

    monkeypatch.setattr(cloudy.host, "log_lines", watched)
    first = cloudy.look()
    cloudy.look(300)
    again = cloudy.look(KEPT / 2)
    assert asked == [86400, 86400, 360, 360]
    assert first.series == again.series


def test_an_upload_that_a_restart_cut_off_does_not_run() -> None:
    log = UploadLog()
    log._last = {S: {BEGUN: 100.0}}
    assert (log.running(None), log.running(50.0), log.running(200.0)) == ((S,), (S,), ())


def test_parts_in_the_spool(cloudy: Cloudy) -> None:
    def part(number: int, mtime: float) -> FileEntry:
        stat = FileStat(kind=FileKind.FILE, size=100 * MIB, allocated=100 * MIB, device=1, inode=number, mtime=mtime)
        return FileEntry(name=f"{S}-4711-{number}", stat=stat)

    cloudy.host.folders["/var/tmp"] = (part(1, NOW - 60), part(2, NOW - 5))
    run = cloudy.look()
    assert run.of("sctune_snapshot_transfer_parts") == {(S,): 2}
    assert run.of("sctune_snapshot_transfer_parts_bytes") == {(S,): 200 * MIB}
    assert run.of("sctune_snapshot_transfer_parts_modified_timestamp_seconds") == {(S,): NOW - 5}


def test_what_cannot_be_read_is_said(cloudy: Cloudy) -> None:
    denied = Unavailable(reason=Reason.DENIED, what=OUTPUT)
    cloudy.host.logs[OUTPUT] = denied
    for after in (60.0, 1.0):
        run = cloudy.look(after)
        assert run.why == f"{OUTPUT}: denied"
        assert run.of("sctune_snapshot_uploads_total") == {(): 0}
    cloudy.host.logs[ERROR] = denied
    nothing = cloudy.look()
    assert nothing.why == f"{OUTPUT}: denied"


def test_a_host_of_no_cloud_has_no_uploads() -> None:
    run = collect(UPLOADS, cloud=NO_TGT)
    assert (run.why, run.series) == ("", {})
    assert not UPLOADS.default
