"""How fast a host writes, measured when it is asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sctune.commands.measuring import measured
from sctune.errors import UserError
from sctune.host import jobs
from sctune.host.children import Outcome
from sctune.host.flushing import MOST, SPARE, SPARE_SHARE, FlushSpeed, judge, measure_flush
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024


def test_pieces_are_written_flushed_and_gone(tmp_path: Path) -> None:
    told = list(jobs.flush(str(tmp_path), 16 * MIB, 10.0, 0, 0.0))
    assert [one[0] for one in told] == [8 * MIB, 16 * MIB]
    assert 0 < told[0][1] < told[1][1]
    assert os.listdir(tmp_path) == []


def test_it_ends_when_its_time_is_over(tmp_path: Path) -> None:
    assert len(list(jobs.flush(str(tmp_path), 1 << 40, 0.05, -(1 << 60), -1e9))) < 1000


def test_what_would_fill_the_file_system_is_not_written(tmp_path: Path) -> None:
    assert list(jobs.flush(str(tmp_path), 1 << 60, 10.0, SPARE, SPARE_SHARE)) == [("room",)]


@pytest.mark.parametrize("folder", ["/nonexistent", "\0"])
def test_a_folder_that_takes_none(folder: str) -> None:
    (told,) = jobs.flush(folder, 1, 1.0, -(1 << 60), -1e9)
    assert isinstance(told[0], int)


@pytest.mark.spawns
def test_measured_in_a_child(tmp_path: Path) -> None:
    found = measure_flush(str(tmp_path))
    if isinstance(found, Unavailable):  # a small or slow disk says so
        assert "free" in found.detail or "too little" in found.detail
    else:
        assert 0 < found.written <= MOST
        assert found.speed > 0
    assert os.listdir(tmp_path) == []
    assert isinstance(measure_flush("/nonexistent"), Unavailable)


def _outcome(*items: tuple[object, ...], finished: bool = True) -> Outcome:
    return Outcome(items=items, finished=finished, seconds=15.0)


def test_what_the_child_says() -> None:
    assert judge(_outcome((8 * MIB, 0.1), (16 * MIB, 0.25)), "/x") == FlushSpeed(written=16 * MIB, seconds=0.25)
    reasons = [judge(one, "/x") for one in (_outcome(("room",)), _outcome((MIB, 9.0)), _outcome((28,)), _outcome(finished=False))]
    assert [one.reason for one in reasons if isinstance(one, Unavailable)] == [
        Reason.FAILED,
        Reason.FAILED,
        Reason.FAILED,
        Reason.TIMEOUT,
    ]


def test_the_number_takes_the_place_of_the_folder() -> None:
    said: list[str] = []
    given = ("vm.swappiness=1", "flush_speed = measured:/srv/volumes")
    found = measured(given, live=True, tell=said.append, measure=lambda _: FlushSpeed(written=256 * MIB, seconds=1.25))
    assert found == ("vm.swappiness=1", "flush_speed=204MiB/s")
    assert said == ["measured in /srv/volumes: 256 MiB written and flushed in 1.2 s, 204 MiB/s"]


@pytest.mark.parametrize(
    ("text", "live", "said"),
    [
        ("flush_speed=measured:", True, "expected a folder"),
        ("flush_speed=measured:volumes", True, "expected a folder"),
        ("flush_speed=measured:/srv", False, "only the machine that sctune runs on"),
        ("flush_speed=measured:/srv", True, "could not be measured: /srv: failed"),
    ],
)
def test_what_cannot_be_measured(text: str, live: bool, said: str) -> None:
    refused = Unavailable(reason=Reason.FAILED, what="/srv", detail="no")
    with pytest.raises(UserError, match=said):
        measured((text,), live=live, tell=lambda _: None, measure=lambda _: refused)
