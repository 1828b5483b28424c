"""Silence that was waited for is told from silence that was not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from sctune.host.children import Outcome
from sctune.host.live import LiveHost
from sctune.host.silence import STALL, gave_up, heard
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

LATE = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport", detail="no answer in 0.1 s")


def test_a_job_that_was_waited_for_is_silent() -> None:
    found = gave_up(Outcome(items=(), finished=False, seconds=STALL, abandoned=7), "/store")
    assert (found.reason, found.detail, found.pids) == (Reason.TIMEOUT, "no answer in 2 s", (7,))


def test_a_job_for_which_no_time_was_left_proves_nothing() -> None:
    found = gave_up(Outcome(items=(), finished=False, seconds=0.01), "/store")
    assert found.reason is Reason.NOT_COLLECTED


def test_a_tool_for_which_no_time_was_left_proves_nothing() -> None:
    found = heard(LATE, 8.0, 0.1)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.NOT_COLLECTED, LATE.what)
    assert heard(LATE, 8.0, 8.0) is LATE
    assert heard("text", 8.0, 0.1) == "text"


@pytest.mark.spawns
def test_after_the_end_of_the_look_nothing_is_called_silent(tmp_path: Path) -> None:
    with LiveHost(budget=0.0) as host:
        (file,) = host.stat_files((str(tmp_path),))
        answers: list[object] = [file, host.space(str(tmp_path)), host.list_files(str(tmp_path))]
        began = time.monotonic()
        answers.append(host.run(("sleep", "5"), timeout=5.0))
        assert time.monotonic() - began < 3.0
    assert [answer.reason for answer in answers if isinstance(answer, Unavailable)] == [Reason.NOT_COLLECTED] * 4
