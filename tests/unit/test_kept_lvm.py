"""LVM's report between scrapes: asked for when something changes, without what has gone meanwhile."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sctune.commands.metrics import run_metrics
from sctune.config.model import Config
from sctune.exporters.prometheus import kept_lvm
from sctune.exporters.prometheus.kept_lvm import KeptLvm, state_of, without_lost
from sctune.exporters.prometheus.look_inventory import LookInventory, Looks, lvm_age
from sctune.host.base import DmQuery, FileKind, FileStat
from sctune.inventory import Inventory
from sctune.unavailable import Reason, Unavailable
from tests.synthetic import SyntheticHost, name_of, storage_controller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sctune.model.lvm import LvmReport


class Lvm:
    """A host, and how often LVM was asked on it."""

    def __init__(self, volumes: int = 3) -> None:
        self.host = storage_controller(volumes)
        self.asked = 0
        self.gate: threading.Event | None = None
        self.kept = KeptLvm(self._ask)

    def _ask(self) -> Inventory:
        self.asked += 1
        inventory = Inventory(self.host, Config())
        if self.gate is not None:
            _ = state_of(inventory)
            self.gate.wait(20)
        return inventory

    def look(self, host: SyntheticHost | None = None) -> LookInventory:
        return LookInventory(host or self.host, Config(), self.kept)

    def detach(self, number: int) -> None:
        """One volume less: its loop device and its LV are gone."""
        smaller = storage_controller(number)
        self.host.files, self.host.links = smaller.files, smaller.links
        self.host.dm_answers, self.host.tree = smaller.dm_answers, smaller.tree


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kept_lvm, "_WAIT", 0.2)
    yield


def names(report: LvmReport | Unavailable) -> list[str]:
    assert not isinstance(report, Unavailable)
    return sorted(lv.name for lv in report.logical_volumes)


def test_a_host_at_rest_is_asked_once() -> None:
    lvm = Lvm()
    reports = [lvm.look().lvm for _ in range(5)]
    assert lvm.asked == 1
    assert all(report == reports[0] for report in reports)
    assert len(names(reports[0])) == 3


def test_a_thread_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lvm = Lvm()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        found = lvm.look().lvm
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.TIMEOUT
    monkeypatch.setattr(kept_lvm, "_AGAIN", 0.0)
    assert len(names(lvm.look().lvm)) == 3


def test_what_is_used_of_a_snapshot_changes_nothing_but_a_state_does() -> None:
    lvm = Lvm()
    _ = lvm.look().lvm
    status = lvm.host.dm_answers[DmQuery.STATUS]
    assert isinstance(status, str)
    _ = lvm.look().lvm
    assert lvm.asked == 1
    before = state_of(lvm.look())
    lvm.host.dm_answers[DmQuery.TABLE] = str(lvm.host.dm_answers[DmQuery.TABLE]).replace("linear 7:0", "linear 7:9", 1)
    assert state_of(lvm.look()) != before


def test_a_change_is_asked_about() -> None:
    lvm = Lvm()
    assert len(names(lvm.look().lvm)) == 3
    lvm.host = storage_controller(4)
    look = lvm.look()
    assert len(names(look.lvm)) == 4
    assert lvm.asked == 2
    age = lvm_age(look)
    assert age is not None
    assert not age.stale


def test_a_deleted_volume_does_not_live_on_while_lvm_does_not_answer() -> None:
    lvm = Lvm()
    assert len(names(lvm.look().lvm)) == 3
    lvm.gate = threading.Event()
    report = lvm.host.lvm_report
    lvm.detach(2)
    lvm.host.lvm_report = report  # what LVM would say if it were asked now
    look = lvm.look()
    found = look.lvm
    assert not isinstance(found, Unavailable)
    gone = name_of(2)
    assert len(names(found)) == 2
    assert not any(gone in text for text in (*names(found), *(vg.name for vg in found.volume_groups)))
    assert len(found.physical_volumes) == 2
    age = lvm_age(look)
    assert age is not None
    assert age.stale
    # Nobody asks a second time beside it, and nobody waits for it a second time.
    time.sleep(0.2)
    before = time.monotonic()
    _ = lvm.look().lvm
    assert time.monotonic() - before < 0.2
    assert lvm.asked == 2
    lvm.gate.set()


def test_a_loop_device_with_another_file_is_another_device() -> None:
    lvm = Lvm()
    look = lvm.look()
    report = look.lvm
    assert not isinstance(report, Unavailable)
    then = state_of(look)
    number = report.physical_volumes[0].device
    assert number is not None
    now = kept_lvm.State(devices={**then.devices, number: ("loop0", 1, "another file")}, dm=then.dm, rest=then.rest)
    left = without_lost(report, then, now)
    assert len(left.physical_volumes) == 2
    assert {vg.name for vg in report.volume_groups} - {vg.name for vg in left.volume_groups} == {report.physical_volumes[0].vg}
    assert without_lost(report, then, then) == report


def test_an_answer_that_failed_is_no_old_report(monkeypatch: pytest.MonkeyPatch) -> None:
    lvm = Lvm()
    assert not isinstance(lvm.look().lvm, Unavailable)
    lvm.host = storage_controller(4)
    lvm.host.lvm_report = "no JSON"
    assert isinstance(lvm.look().lvm, Unavailable)
    # It is asked again, but not at once.
    assert isinstance(lvm.look().lvm, Unavailable)
    assert lvm.asked == 2
    monkeypatch.setattr(kept_lvm, "_AGAIN", 0.0)
    lvm.host = storage_controller(4)
    assert len(names(lvm.look().lvm)) == 4


def test_a_defect_in_the_background_is_an_answer_that_failed() -> None:
    def broken() -> Inventory:
        raise RuntimeError("secret")

    found = LookInventory(storage_controller(1), Config(), KeptLvm(broken)).lvm
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.FAILED
    assert "secret" not in str(found)


def test_a_host_without_lvm_is_asked_once() -> None:
    lvm = Lvm()
    lvm.host.run = lambda argv, *, timeout: Unavailable(reason=Reason.ABSENT, what="lvm")  # type: ignore[method-assign]
    for _ in range(3):
        found = lvm.look().lvm
        assert isinstance(found, Unavailable)
        assert found.reason is Reason.ABSENT
    assert lvm.asked == 1


@pytest.mark.spawns
def test_a_single_look_waits_for_an_lvm_that_takes_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(_: Looks) -> Inventory:
        time.sleep(1.0)
        return Inventory(storage_controller(1), Config())

    monkeypatch.setattr(kept_lvm, "_FIRST_WAIT", 0.1)
    monkeypatch.setattr(Looks, "_asking", slow)
    run_metrics(
        from_path=None, root=None, output=str(tmp_path / "out"), textfile=None, openmetrics=False, on=("lvm",), off=(),
        defaults=False, detail=None, config_path=None,
    )  # fmt: skip
    assert "first answer is not there yet" not in capsys.readouterr().err
    assert "sctune_lvm_report_timestamp_seconds " in (tmp_path / "out").read_text()


def test_a_report_of_some_age_is_asked_for_again_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    lvm = Lvm()
    first = lvm.look().lvm
    lvm.gate = threading.Event()
    lvm.host.lvm_report = storage_controller(2).lvm_report  # nothing that a scrape reads has changed
    assert lvm.look().lvm == first
    assert lvm.asked == 1
    monkeypatch.setattr(kept_lvm, "_OLDEST", 0.0)
    began = time.monotonic()
    look = lvm.look()
    assert look.lvm == first
    age = lvm_age(look)
    assert age is not None
    assert not age.stale
    assert time.monotonic() - began < 0.2
    monkeypatch.setattr(kept_lvm, "_OLDEST", 600.0)
    lvm.gate.set()
    end = time.monotonic() + 10
    while len(names(lvm.look().lvm)) != 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert lvm.asked == 2


@pytest.mark.parametrize("path", ["/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf", "/etc/lvm/devices/system.devices"])
def test_another_configuration_of_lvm_is_a_change(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lvm = Lvm()
    before = state_of(lvm.look())
    stat = lvm.host.stat
    written = FileStat(kind=FileKind.OTHER, size=9, allocated=0, device=1, inode=7, mtime=5.0)
    monkeypatch.setattr(lvm.host, "stat", lambda asked: written if asked == path else stat(asked))
    assert state_of(lvm.look()) != before
