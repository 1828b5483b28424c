"""The live machine, as far as any Linux machine shows it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sctune.host.base import DmQuery, FileKind, FileStat
from sctune.host.live import READ_LIMIT, LiveHost
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.spawns


@pytest.fixture
def host() -> Iterator[LiveHost]:
    with LiveHost() as made:
        yield made


def reason(answer: object) -> Reason:
    assert isinstance(answer, Unavailable)
    return answer.reason


def test_reads_a_file_of_any_size_up_to_the_limit(host: LiveHost, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x" * 300_000)
    assert host.read(str(tmp_path / "f")) == "x" * 300_000
    (tmp_path / "g").write_bytes(b"x" * (READ_LIMIT + 1))
    assert reason(host.read(str(tmp_path / "g"))) is Reason.FAILED


def test_reading_says_why_not(host: LiveHost, tmp_path: Path) -> None:
    assert reason(host.read(str(tmp_path / "no"))) is Reason.ABSENT
    assert reason(host.read(str(tmp_path))) is Reason.FAILED
    assert reason(host.read("/etc/passwd/x")) is Reason.ABSENT
    assert reason(host.read("/a\0b")) is Reason.FAILED


def test_a_fifo_does_not_stop_us(host: LiveHost, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    began = time.monotonic()
    host.read(str(tmp_path / "fifo"))
    assert time.monotonic() - began < 1


def test_names_that_are_not_text_can_be_asked_for_again(host: LiveHost, tmp_path: Path) -> None:
    with open(os.fsencode(str(tmp_path)) + b"/\xff", "w") as file:
        file.write("found")
    names = host.list(str(tmp_path))
    assert not isinstance(names, Unavailable)
    assert host.read(f"{tmp_path}/{names[0]}") == "found"


def test_store_files_are_told_apart(host: LiveHost, tmp_path: Path) -> None:
    sparse = tmp_path / "vol"
    with open(sparse, "wb") as file:
        file.truncate(1 << 20)
    found, missing, folder = host.stat_files([str(sparse), str(tmp_path / "no"), str(tmp_path)])
    assert isinstance(found, FileStat)
    assert (found.size, found.allocated) == (1 << 20, 0)
    assert found.inode == os.stat(sparse).st_ino
    assert reason(missing) is Reason.ABSENT
    assert isinstance(folder, FileStat)
    assert folder.kind is FileKind.DIRECTORY


def test_store_files_are_read_up_to_a_mebibyte(host: LiveHost, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff text\n")
    (tmp_path / "most").write_text("x" * (1 << 20))
    (tmp_path / "long").write_text("x" * ((1 << 20) + 1))
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    names = ("a", "most", "long", "empty", "fifo", "", "no", "b\0c")
    short, most, long, empty, *others = host.read_files([f"{tmp_path}/{name}" for name in names])
    assert (short, empty) == ("\udcff text\n", "")
    assert isinstance(most, str)
    assert len(most) == 1 << 20
    assert reason(long) is Reason.FAILED
    assert [reason(answer) for answer in others] == [Reason.FAILED, Reason.FAILED, Reason.ABSENT, Reason.FAILED]
    assert host.read_files(()) == ()


def test_a_folder_is_listed_with_its_broken_links(host: LiveHost, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    entries = host.list_files(str(tmp_path))
    assert not isinstance(entries, Unavailable)
    assert [entry.name for entry in entries] == ["a", "broken"]
    assert reason(entries[1].stat) is Reason.ABSENT
    assert reason(host.list_files(str(tmp_path / "no"))) is Reason.ABSENT


def test_space_is_that_of_the_file_system(host: LiveHost, tmp_path: Path) -> None:
    space = host.space(str(tmp_path))
    assert not isinstance(space, Unavailable)
    assert space.total == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    assert reason(host.space(str(tmp_path / "no"))) is Reason.ABSENT


def test_our_own_process_is_in_the_table(host: LiveHost) -> None:
    table = host.processes()
    assert not isinstance(table, Unavailable)
    me = next(process for process in table if process.pid == os.getpid())
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    assert me.started == pytest.approx(ticks / os.sysconf("SC_CLK_TCK"), abs=1.1)
    assert me.argv
    assert me.started <= host.clock().boot + 1
    assert not any(process.ppid == 2 for process in table)


def test_device_mapper_answers_or_says_why_not(host: LiveHost) -> None:
    answer = host.dm(DmQuery.STATUS)
    if os.path.exists("/sys/class/misc/device-mapper"):
        assert isinstance(answer, str) or answer.reason is Reason.DENIED
    else:
        assert reason(answer) is Reason.ABSENT


def test_it_leaves_no_process_behind() -> None:
    before = set(os.listdir("/proc"))
    with LiveHost() as host:
        host.space("/")
    children = [pid for pid in set(os.listdir("/proc")) - before if pid.isdigit() and parent_of(pid) == os.getpid()]
    assert not children


def parent_of(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0
