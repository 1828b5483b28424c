"""Volumes that come and go while the doctor looks, and two doctors at once: nothing critical is said of what is in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.host.live import LiveHost
from tests.live.conftest import run
from tests.live.diagnosis import mentions

if TYPE_CHECKING:
    from sctune.model.report import Report
    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

LOOKS = 12
IQN = "iqn.2026-01.org.example:churn"


class Cloud(threading.Thread):
    """Makes and deletes volumes in the order in which a storage controller does, again and again: file, loop device, export; then
    export, loop device, file."""

    def __init__(self, loops: Loops, tgt: Tgt, first: int) -> None:
        super().__init__(daemon=True)
        self.loops, self.tgt, self.first = loops, tgt, first
        self.over = threading.Event()
        self.made = 0
        self.wrong: list[BaseException] = []

    def run(self) -> None:
        try:
            while not self.over.is_set():
                # No cloud gives an identity twice: what is seen twice is one thing that stayed.
                self.volume(self.first + self.made)
                self.made += 1
        except BaseException as error:
            self.wrong.append(error)

    def volume(self, tid: int) -> None:
        path = self.loops.file(f"vol-{tid:08X}")
        device = run("losetup", "--find", "--show", str(path)).strip()
        target = ("--mode", "target", "--tid", str(tid))
        lun = ("--mode", "logicalunit", "--tid", str(tid), "--lun", "1")
        self.tgt.admin("--op", "new", *target, "-T", f"{IQN}{tid}")
        self.tgt.admin("--op", "new", *lun, "-b", device)
        self.tgt.admin("--op", "bind", *target, "-I", "127.0.0.1")
        self.tgt.admin("--op", "unbind", *target, "-I", "127.0.0.1")
        self.tgt.admin("--op", "delete", *lun)
        self.tgt.admin("--op", "delete", *target)
        run("losetup", "--detach", device)
        path.unlink()


def look(_: int) -> Report:
    with LiveHost() as host:
        return diagnose(host, Config(), strict=True)


def test_nothing_critical_is_said_of_what_is_being_made_or_deleted(loops: Loops, tgt: Tgt) -> None:
    stays = loops.attach(loops.file("vol-00000001"))
    tgt.target(stays)
    clouds = [Cloud(loops, tgt, first) for first in (1000, 2000)]
    for cloud in clouds:
        cloud.start()
    try:
        with ThreadPoolExecutor(2) as doctors:
            reports = list(doctors.map(look, range(LOOKS)))
    finally:
        for cloud in clouds:
            cloud.over.set()
        for cloud in clouds:
            cloud.join()
    assert [cloud.wrong for cloud in clouds] == [[], []]
    assert all(cloud.made > LOOKS for cloud in clouds), "nothing came or went during the looks"
    for report in reports:
        said = [finding for finding in report.findings if mentions(finding, (IQN, loops.folder, "tgtd"))]
        assert [f"{one.code} {one.subject.id}: {one.summary}" for one in said if one.severity is Severity.CRITICAL] == []
        assert [check.check for check in report.checks if "defect" in (check.reason or "")] == []
