"""A store whose files come and go while the doctor reads it: what vanished in between is neither a fault nor a gap in the look."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.host.live import LiveHost
from sctune.registry import load_checks
from tests.live.diagnosis import mentions

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.model.report import Report

pytestmark = [pytest.mark.live, pytest.mark.spawns]

LOOKS = 6
CHECKS = frozenset({"snapshot-files", "volume-files", "store-reachable", "store-space", "store-overcommit", "quotas"})


class Churn(threading.Thread):
    """Makes files of all kinds with lengths that none should have, last written long ago, and deletes them at once. No name is
    given twice, as no cloud does: what is seen twice stayed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.over = threading.Event()
        self.made = 0
        self.wrong: list[BaseException] = []

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.made += 1
                names = (f"vol-{self.made:08X}", f"snap-{self.made:08x}", f"vol-{self.made:08X}MsmGAIzx", f"vol-{self.made:017x}")
                for name in names:
                    path = self.folder / name
                    with open(path, "wb") as file:
                        file.truncate(5)
                    os.utime(path, (1.0, 1.0))
                time.sleep(0.001)
                for name in names:
                    (self.folder / name).unlink()
        except BaseException as error:
            self.wrong.append(error)


def look(folder: Path) -> Report:
    config = Config(backend="eucalyptus-overlay", stores=(str(folder),))
    with LiveHost() as host:
        return diagnose(host, config, [check for check in load_checks() if check.name in CHECKS], strict=True)


def test_files_that_vanish_are_no_fault(tmp_path: Path) -> None:
    # One that stays is found in every look: the others do not hide it.
    with open(tmp_path / "vol-FFFFFFFF", "wb") as file:
        file.truncate(5)
    os.utime(tmp_path / "vol-FFFFFFFF", (1.0, 1.0))
    churn = Churn(tmp_path)
    churn.start()
    try:
        reports = [look(tmp_path) for _ in range(LOOKS)]
    finally:
        churn.over.set()
        churn.join()
    assert churn.wrong == []
    assert churn.made > LOOKS, "nothing came or went during the looks"
    for report in reports:
        said = {
            one.subject.id for one in report.findings if one.severity is not Severity.INFO and mentions(one, (tmp_path, "vol-"))
        }
        assert said == {"vol-FFFFFFFF"}
        unread = [part for check in report.checks if check.check in ("snapshot-files", "volume-files") for part in check.unexamined]
        assert unread == []
