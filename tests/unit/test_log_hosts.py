"""A log on the live machine and in a file tree: rolled, compressed, denied, gone, of another zone."""

from __future__ import annotations

import gzip
import time
import zoneinfo
from typing import TYPE_CHECKING

import pytest

from sctune.host.base import LogQuery
from sctune.host.live import LiveHost
from sctune.host.root import RootHost
from sctune.host.zone import LOCALTIME, LocalTime
from sctune.unavailable import Reason, Unavailable
from tests.unit.cloud_logs import info

if TYPE_CHECKING:
    from pathlib import Path

QUERY = LogQuery(words=("loopback",), pattern="loopback device", since=0.0)


@pytest.fixture
def log(tmp_path: Path) -> str:
    (tmp_path / "x.log").write_text(info(1_500_000_200.0, "a loopback device: é?"))
    (tmp_path / "x.log.1").write_bytes(
        info(1_500_000_100.0, "loopback devices").encode() + b"2017-07-14 02:40:00  INFO | loopback \xff"
    )
    (tmp_path / "x.log.2.gz").write_bytes(gzip.compress(info(1_500_000_000.0, "no loopback device").encode()))
    return f"{tmp_path}/x.log"


@pytest.mark.spawns
def test_the_live_machine(log: str) -> None:
    with LiveHost() as host:
        found = host.log_lines(log, QUERY)
        assert not isinstance(found, Unavailable)
        assert [one.text for one in found.lines] == ["a loopback device: é?", "loopback devices", "no loopback device"]
        assert found.whole
        try:
            with open(LOCALTIME, "rb") as file:
                zone = LocalTime(file.read())
        except OSError:
            zone = LocalTime(None)
        assert found.lines[-1].last == zone.seconds(time.gmtime(1_500_000_000.0)[:3], time.gmtime(1_500_000_000.0)[3:6])
        absent = host.log_lines(f"{log}.none", QUERY)
        assert isinstance(absent, Unavailable)
        assert absent.reason is Reason.ABSENT
        nowhere = host.log_lines("/nonexistent/x.log", QUERY)
        assert isinstance(nowhere, Unavailable)
        assert nowhere.reason is Reason.ABSENT


@pytest.mark.spawns
def test_a_folder_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "x.log").mkdir()
    with LiveHost() as host:
        found = host.log_lines(f"{tmp_path}/x.log", QUERY)
    assert isinstance(found, Unavailable)


def test_a_tree_has_its_own_zone(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/log").mkdir(parents=True)
    with open(f"{zoneinfo.TZPATH[0]}/America/New_York", "rb") as file:
        (tmp_path / "etc/localtime").write_bytes(file.read())
    (tmp_path / "var/log/x.log").write_text("2015-06-01 10:11:12  INFO | loopback device\n")
    (tmp_path / "var/log/x.log.1").symlink_to("/etc/shadow")
    found = RootHost(str(tmp_path)).log_lines("/var/log/x.log", QUERY)
    assert not isinstance(found, Unavailable)
    assert [one.last for one in found.lines] == [1433167872.0]
    assert (found.zone.split()[0][0], found.whole) == ("E", True)
    (tmp_path / "etc/localtime").unlink()
    utc = RootHost(str(tmp_path)).log_lines("/var/log/x.log", QUERY)
    assert not isinstance(utc, Unavailable)
    assert [one.last for one in utc.lines] == [1433153472.0]


def test_a_tree_without_logs(tmp_path: Path) -> None:
    missing = RootHost(str(tmp_path)).log_lines("/var/log/x.log", QUERY)
    assert isinstance(missing, Unavailable)
    assert missing.reason is Reason.ABSENT
