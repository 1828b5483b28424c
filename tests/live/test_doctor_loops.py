"""Real loop devices: a healthy one is not called ill, and each fault is exactly its code on exactly its subject."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.findings import Severity
from tests.live.conftest import MIB, run
from tests.live.diagnosis import advice, faults, look

if TYPE_CHECKING:
    from tests.live.conftest import Loops

pytestmark = [pytest.mark.live, pytest.mark.spawns]


def test_healthy_devices_are_no_fault(loops: Loops) -> None:
    loops.attach(loops.file("vol-00000A01"))
    loops.attach(loops.file("image with spaces"))
    loops.attach(loops.file("ends in (deleted)"))
    loops.attach(loops.file("read-only"), "--read-only")
    loops.attach(loops.file("part", 10 * MIB), "--offset", str(MIB), "--sizelimit", str(2 * MIB))
    assert faults(look(), loops.folder) == set()


def test_a_deleted_backing_file(loops: Loops) -> None:
    path = loops.file("vol-00000A02")
    loops.attach(path)
    loops.attach(loops.file("vol-00000A03"))
    path.unlink()
    assert faults(look(), loops.folder) == {("LOOP_BACKING_DELETED", "volume", "vol-00000A02")}


def test_a_deleted_backing_file_whose_name_is_taken_again(loops: Loops) -> None:
    path = loops.file("image")
    loops.attach(path)
    path.unlink()
    loops.file("image")
    assert faults(look(), loops.folder) == {("LOOP_BACKING_DELETED", "loop", str(path))}


def test_two_devices_on_one_file(loops: Loops) -> None:
    path = loops.file("vol-00000A04")
    loops.attach(path)
    loops.attach(path)
    assert faults(look(), loops.folder) == {("LOOP_DUPLICATE_BACKING", "volume", "vol-00000A04")}


def test_two_devices_on_one_file_by_two_names(loops: Loops) -> None:
    path = loops.file("one")
    os.link(path, loops.folder / "two")
    loops.attach(path)
    loops.attach(loops.folder / "two")
    found = faults(look(), loops.folder)
    assert {code for code, _, _ in found} == {"LOOP_DUPLICATE_BACKING"}
    assert len(found) == 1


def test_two_devices_on_two_parts_of_one_file(loops: Loops) -> None:
    path = loops.file("parts")
    loops.attach(path, "--sizelimit", str(MIB))
    loops.attach(path, "--offset", str(MIB))
    assert faults(look(), loops.folder) == set()


def test_a_lazy_detach_is_pending(loops: Loops) -> None:
    path = loops.file("vol-00000A05")
    device = loops.attach(path)
    with open(device, "rb"):
        loops.detach(device)
        report = look()
        assert faults(report, loops.folder) == set()
        assert ("LOOP_DETACH_PENDING", "volume", "vol-00000A05") in advice(report, loops.folder)


def test_a_file_that_grew_or_shrank_underneath(loops: Loops) -> None:
    grown, shrunk = loops.file("vol-00000A06"), loops.file("vol-00000A07")
    loops.attach(grown)
    loops.attach(shrunk)
    os.truncate(grown, 128 * MIB)
    os.truncate(shrunk, 32 * MIB)
    assert faults(look(), loops.folder) == {
        ("LOOP_SIZE_MISMATCH", "volume", "vol-00000A06"),
        ("LOOP_SIZE_MISMATCH", "volume", "vol-00000A07"),
    }


def test_direct_io_is_told_from_buffered(loops: Loops) -> None:
    loops.attach(loops.file("vol-00000A08"), "--direct-io=on")
    loops.attach(loops.file("vol-00000A09"), "--direct-io=off")
    found = {(code, name) for code, _, name in advice(look(), loops.folder) if code == "LOOP_BUFFERED"}
    assert found == {("LOOP_BUFFERED", "vol-00000A09")}
    wanted = look(Config(wanted=frozenset({"LOOP_BUFFERED"})))
    assert faults(wanted, loops.folder) == {("LOOP_BUFFERED", "volume", "vol-00000A09")}


def test_three_hundred_devices(loops: Loops) -> None:
    for number in range(300):
        loops.attach(loops.file(f"image-{number}", MIB))
    attached = len(run("losetup", "--noheadings", "--list", "--output", "NAME").split())
    began = time.monotonic()
    report = look(Config(loop_limit=attached * 10))
    assert time.monotonic() - began < 15
    assert faults(report, loops.folder, "loop.limit") == set()
    for limit, severity in ((int(attached / 0.85), Severity.WARNING), (attached, Severity.CRITICAL)):
        near = [finding for finding in look(Config(loop_limit=limit)).findings if finding.code == "LOOP_LIMIT_NEAR"]
        assert [(finding.severity, dict(finding.evidence)["limit"]) for finding in near] == [(severity, limit)]
