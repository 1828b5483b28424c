"""A recording host answers as the host it asks does, and keeps it, from any number of threads."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

from sctune.host.base import Completed, DmQuery, FileEntry, FileKind, FileStat, FilesystemSpace, LogQuery, Process, Source, TgtMode
from sctune.host.bundle import read_bundle, write_bundle
from sctune.host.capture import CaptureHost
from sctune.host.recording import RecordingHost
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.host.base import Host

FILE = FileStat(kind=FileKind.FILE, size=10, allocated=512, device=1, inode=2, mtime=3.5)
QUERY = LogQuery(words=("failed",), pattern="failed", since=0.0)
SLOW = Unavailable(reason=Reason.TIMEOUT, what="/store/b", detail="no answer in 2 s", pids=(99,))


def _host() -> FakeHost:
    return FakeHost(
        files={
            "/var/log/x.log": "2027-01-15 07:00:00  INFO | failed at\tlast: --password topsecret\n",
            "/proc/mounts": "a b c\n",
            "/etc/iscsi/iscsid.conf": "node.session.auth.password = topsecret\n",
        },
        links={"/sys/block/sda/device": "../x"},
        stats={"/dev/sda": FILE, "/store/a": FILE, "/store/b": SLOW},
        mtimes={"/etc/mtab": 7.25},
        folders={"/store": (FileEntry(name="a", stat=FILE), FileEntry(name="b", stat=SLOW))},
        spaces={"/store": FilesystemSpace(total=5, free=4, available=3, inodes=2, inodes_free=1)},
        table=(
            Process(
                pid=1, ppid=0, name="tgtadm", state="S", argv=("tgtadm", "-p", "topsecret"), started=1.5, cpu_seconds=0.25, uid=0
            ),
        ),
        commands={("lvm", "x"): Completed(argv=("lvm", "x"), status=5, stdout="out", stderr="err", seconds=0.5)},
        dm_answers={DmQuery.TABLE: "a: 0 8 linear 7:0 0\n"},
        tgt_answers={(TgtMode.TARGET, 1, None): "Target 1: x\n"},
        source=Source.LIVE,
    )


def _ask_everything(host: Host) -> list[object]:
    return [
        host.read("/proc/mounts"),
        host.read("/etc/iscsi/iscsid.conf"),
        host.read("/proc/none"),
        host.list("/proc"),
        host.readlink("/sys/block/sda/device"),
        host.stat("/dev/sda"),
        host.lstat_mtime("/etc/mtab"),
        host.stat_files(["/store/a", "/store/b", "/store/c"]),
        host.list_files("/store"),
        host.space("/store"),
        host.processes(),
        host.run(["lvm", "x"], timeout=1),
        host.run(["none"], timeout=1),
        host.dm(DmQuery.TABLE),
        host.dm(DmQuery.STATUS),
        host.tgt(TgtMode.TARGET, control_port=1),
        host.tgt(TgtMode.PORTAL),
        host.kernel_log(),
        host.log_lines("/var/log/x.log", QUERY),
        host.log_lines("/var/log/none.log", QUERY),
        host.identity(),
        host.clock(),
    ]


def test_the_replay_says_what_the_look_was_told(tmp_path: Path) -> None:
    host = RecordingHost(_host())
    told = _ask_everything(host)
    write_bundle(host.answers(), f"{tmp_path}/c.tar.gz")
    assert _ask_everything(CaptureHost(read_bundle(f"{tmp_path}/c.tar.gz"))) == told
    assert host.source is Source.LIVE


def test_secrets_are_gone_when_they_are_kept() -> None:
    host = RecordingHost(_host())
    told = _ask_everything(host)
    assert "topsecret" not in repr(host.answers())
    assert "topsecret" not in repr(told)
    assert "node.session.auth.password = ********" in repr(host.answers())


def test_it_answers_as_the_host_does_where_nothing_is_secret() -> None:
    fake = _host()
    fake.files = {"/proc/mounts": "a b c\n", "/var/log/x.log": "2027-01-15 07:00:00  INFO | failed\n"}
    fake.table = ()
    assert _ask_everything(RecordingHost(fake)) == _ask_everything(fake)


def test_the_last_answer_counts() -> None:
    fake = _host()
    host = RecordingHost(fake)
    host.read("/proc/mounts")
    fake.files["/proc/mounts"] = "later\n"
    host.read("/proc/mounts")
    assert host.answers().files["/proc/mounts"] == "later\n"


def test_threads_may_ask_while_answers_are_copied() -> None:
    fake = FakeHost(files={f"/proc/{n}": str(n) for n in range(2000)})
    host = RecordingHost(fake)
    threads = [threading.Thread(target=lambda: [host.read(f"/proc/{n}") for n in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        host.answers()
    for thread in threads:
        thread.join()
    assert len(host.answers().files) == 2000


def test_only_the_owner_may_read_a_capture(tmp_path: Path) -> None:
    host = RecordingHost(_host())
    _ask_everything(host)
    before = os.umask(0)
    try:
        write_bundle(host.answers(), f"{tmp_path}/c.tar.gz")
        write_bundle(host.answers(), f"{tmp_path}/folder/")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "c.tar.gz").stat().st_mode) == 0o600
    for place, _, names in os.walk(tmp_path / "folder"):
        assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(place, name)).st_mode) == 0o600 for name in names)
    assert sorted(os.listdir(tmp_path)) == ["c.tar.gz", "folder"]
