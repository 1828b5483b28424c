"""What a child reads ahead is what would be read now, once, and only while it is fresh."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sctune.host import ahead
from sctune.host.live import LiveHost
from sctune.probes import block, loop
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

pytestmark = pytest.mark.spawns


@pytest.fixture
def sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /sys/block with one attached and one idle loop device, and a disk that is none of its business."""
    for name, size in (("loop0", "8192"), ("loop1", "0"), ("sda", "100")):
        (tmp_path / name / "loop").mkdir(parents=True)
        (tmp_path / name / "size").write_text(f"{size}\n")
    (tmp_path / "loop0/loop/backing_file").write_text("/srv/a\n")
    (tmp_path / "loop0/loop/offset").write_text("0\n")
    monkeypatch.setattr(ahead, "BLOCK", str(tmp_path))
    return tmp_path


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_what_was_read(sysfs: Path) -> None:
    reader = ahead.Ahead()
    try:
        assert reader.take(f"{sysfs}/loop1/size") == b"0\n"
        assert reader.take(f"{sysfs}/loop0/size") == b"8192\n"
        assert reader.take(f"{sysfs}/sda/size") is None
        assert reader.take(f"{sysfs}/loop0/loop/backing_file") == b"/srv/a\n"
        assert reader.take(f"{sysfs}/loop0/loop/dio") == 2  # ENOENT
        assert reader.take(f"{sysfs}/loop1/loop/backing_file") == 2
        assert reader.take(f"{sysfs}/loop1/loop/offset") is None  # idle: nobody asks
        # With the rest comes the size once more, for the second probe that wants it.
        assert reader.take(f"{sysfs}/loop0/size") == b"8192\n"
        assert reader.take(f"{sysfs}/loop0/size") is None
    finally:
        reader.close()
    assert not children()


def test_what_is_old_is_not_used(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_FRESH", 0.0)
    reader = ahead.Ahead()
    try:
        assert reader.take(f"{sysfs}/loop0/size") is None
    finally:
        reader.close()


def test_a_child_that_died_leaves_all_to_be_read(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_output: int, _answers: object) -> None:
        os._exit(1)

    monkeypatch.setattr(ahead, "_send", die)
    reader = ahead.Ahead()
    try:
        assert reader.take(f"{sysfs}/loop0/size") is None
        assert reader.take(f"{sysfs}/loop0/loop/offset") is None
    finally:
        reader.close()
        reader.close()
    assert not children()


def test_it_is_closed_before_it_is_done(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_read", lambda *_: time.sleep(60))
    ahead.Ahead().close()
    assert not children()


def test_it_is_started_where_it_can_pay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ahead, "BLOCK", str(tmp_path))
    assert ahead.begin() is None
    (tmp_path / "loop0").mkdir()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert ahead.begin() is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    reader = ahead.begin()
    assert reader is not None
    reader.close()


def test_a_host_answers_with_it(sysfs: Path) -> None:
    class Said:
        """Answers for paths below /sys, which no test can make."""

        def take(self, path: str) -> bytes | int | None:
            if path == "/sys/block/loop0/size":
                return b"7\n"
            return 13 if path == "/sys/block/loop0/loop/offset" else None

    with LiveHost(ahead=Said()) as host:  # type: ignore[arg-type]
        assert host.read("/sys/block/loop0/size") == "7\n"
        denied = host.read("/sys/block/loop0/loop/offset")
        assert isinstance(denied, Unavailable)
        assert (denied.reason, denied.what) == (Reason.DENIED, "/sys/block/loop0/loop/offset")
        assert host.read("/proc/sys/kernel/ostype") == "Linux\n"


def test_all_that_the_probes_read_of_an_attached_device_is_read_ahead() -> None:
    asked: set[str] = set()

    class Listening(FakeHost):
        def read(self, path: str) -> str | Unavailable:
            asked.add(path)
            return super().read(path)

    folder = "/sys/block/loop0"
    host = Listening(files={f"{folder}/{name}": "0\n" for name in (*ahead.ATTRIBUTES, "removable", "queue/rotational", "dev")})
    host.files |= {f"{folder}/size": "8192\n", f"{folder}/loop/backing_file": "/srv/a\n"}
    loop.probe(host)
    block.with_queues(host, block.outline(host))
    assert {path.removeprefix(f"{folder}/") for path in asked if path.startswith(folder)} == set(ahead.ATTRIBUTES)
