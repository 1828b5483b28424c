"""What hangs costs its own deadline, and the child that cannot be killed is named."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sctune.host.base import FileStat, LogQuery
from sctune.host.live import LiveHost
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from tests.live.conftest import DeadMount

pytestmark = [pytest.mark.live, pytest.mark.spawns]


def test_a_dead_mount_is_a_timeout_and_other_paths_are_still_told(dead_mount: DeadMount) -> None:
    began = time.monotonic()
    with LiveHost() as host:
        answers = host.stat_files(["/etc/passwd", f"{dead_mount.point}/a", f"{dead_mount.point}/b", "/etc/fstab"])
    assert isinstance(answers[0], FileStat)
    assert isinstance(answers[3], FileStat)
    for answer in answers[1:3]:
        assert isinstance(answer, Unavailable)
        assert answer.reason is Reason.TIMEOUT
    assert time.monotonic() - began < 4


def test_a_child_in_uninterruptible_sleep_is_abandoned_and_named(dead_mount: DeadMount) -> None:
    dead_mount.take()
    began = time.monotonic()
    with LiveHost() as host:
        answer = host.list_files(str(dead_mount.point))
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.TIMEOUT
    assert time.monotonic() - began < 4
    (pid,) = answer.pids
    with open(f"/proc/{pid}/stat") as file:
        assert file.read().rpartition(")")[2].split()[0] == "D"
    os.kill(pid, 0)


def test_a_text_on_a_dead_mount_is_a_timeout_and_others_are_read(dead_mount: DeadMount) -> None:
    began = time.monotonic()
    with LiveHost() as host:
        first, dead, same, last = host.read_files(["/etc/passwd", f"{dead_mount.point}/a", f"{dead_mount.point}/b", "/etc/fstab"])
    assert isinstance(first, str)
    assert isinstance(last, str)
    assert [getattr(answer, "reason", None) for answer in (dead, same)] == [Reason.TIMEOUT, Reason.TIMEOUT]
    assert time.monotonic() - began < 4


def test_a_log_on_a_dead_mount_is_given_up_once(dead_mount: DeadMount) -> None:
    query = LogQuery(words=("x",), pattern="x", since=0.0)
    began = time.monotonic()
    with LiveHost() as host:
        answers = [host.log_lines(f"{dead_mount.point}/{name}.log", query) for name in ("a", "b", "c")]
    for answer in answers:
        assert isinstance(answer, Unavailable)
        assert answer.reason is Reason.TIMEOUT
    assert time.monotonic() - began < 6
