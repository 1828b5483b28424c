"""Whatever hangs, the doctor ends within 15 s, says what hangs, and leaves no process of its own behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.command import TOOL_PATH
from sctune.host.live import LiveHost
from sctune.model.report import Status
from sctune.report.layout import style_for
from sctune.report.text import render
from tests.live.conftest import forget_sockets, start_tgtd, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.findings import Finding
    from sctune.model.report import Report
    from tests.live.conftest import DeadMount, Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

LIMIT = 15.0
CHECKOUT = Path(__file__).parents[2]


def timed(config: Config, tool_path: str | None = None) -> tuple[Report, float]:
    """One run, its findings and how long it took, the host's end included."""
    began = time.monotonic()
    with LiveHost(tool_path=tool_path) as host:
        report = diagnose(host, config, strict=True)
    return report, time.monotonic() - began


def of(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def descendants() -> set[int]:
    """Our children and theirs, zombies of others not counted."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                state, ppid = file.read().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(name)] = int(ppid)
    found = {os.getpid()}
    while more := {pid for pid, ppid in parents.items() if ppid in found} - found:
        found |= more
    return found - {os.getpid()}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No process is left that a test started, in whatever group or session it is. (Those in uninterruptible sleep are nobody's
    child any more; the tests that make them look for them by pid.)"""
    before = descendants()
    yield
    wait_for(lambda: descendants() <= before, 5)


def fake_lvm(folder: Path, script: str) -> str:
    """A tool path on which `lvm` is a shell script."""
    folder.mkdir()
    tool = folder / "lvm"
    tool.write_text("#!/bin/sh\n" + script)
    tool.chmod(0o755)
    return f"{folder}:{TOOL_PATH}"


def test_a_volume_store_that_does_not_answer(dead_mount: DeadMount) -> None:
    report, seconds = timed(Config(stores=(str(dead_mount.point),)))
    assert seconds < LIMIT
    (finding,) = of(report, "STORE_UNREACHABLE")
    assert finding.subject.id == str(dead_mount.point)
    # FUSE lets go of a killed process as long as its server has not taken the request.
    assert report.abandoned == ()


def test_a_child_that_cannot_be_killed_is_named(dead_mount: DeadMount) -> None:
    dead_mount.take()
    report, seconds = timed(Config(stores=(str(dead_mount.point),)))
    assert seconds < LIMIT
    assert [finding.subject.id for finding in of(report, "STORE_UNREACHABLE")] == [str(dead_mount.point)]
    assert report.abandoned
    for pid in report.abandoned:
        with open(f"/proc/{pid}/stat") as file:
            assert file.read().rpartition(")")[2].split()[0] == "D"
    text = render(report, style=style_for(is_terminal=False, environment={}), codes={})
    assert all(str(pid) in text for pid in report.abandoned)


def test_nobody_waits_for_it_at_the_end_of_our_output(dead_mount: DeadMount, tmp_path: Path) -> None:
    """It must not hold our standard output: `sctune doctor | less` would never end."""
    dead_mount.take()
    configuration = tmp_path / "sctune.yaml"
    configuration.write_text(f"stores: [{dead_mount.point}]\n")
    command = [sys.executable, "-m", "sctune", "doctor", "--format", "json", "--config", str(configuration)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
    assert time.monotonic() - began < LIMIT
    assert (done.returncode, done.stderr) == (1, "")
    codes = {finding["code"] for finding in json.loads(done.stdout)["findings"]}
    assert "STORE_UNREACHABLE" in codes


@pytest.mark.parametrize(
    "script",
    [
        "trap '' TERM INT HUP; sleep 600 & sleep 600 & (trap '' TERM; sleep 600) & while :; do sleep 600; done",
        "echo '{'; sleep 600",
        "exec >&- 2>&-; sleep 600",
    ],
)
def test_an_lvm_that_hangs(tmp_path: Path, script: str) -> None:
    report, seconds = timed(Config(), fake_lvm(tmp_path / "bin", script))
    assert seconds < LIMIT
    (finding,) = of(report, "LVM_UNRESPONSIVE")
    assert finding.severity.value == "critical"
    by_name = {check.check: check.status for check in report.checks}
    assert by_name["lvm-physical-volumes"] is Status.UNKNOWN


@pytest.mark.parametrize("script", ["exit 5", "kill -9 $$", "echo garbage", "cat /dev/urandom | head -c 1000000", "exit 0"])
def test_an_lvm_that_fails_is_unknown_and_no_hang(tmp_path: Path, script: str) -> None:
    report, seconds = timed(Config(), fake_lvm(tmp_path / "bin", script))
    assert seconds < LIMIT
    assert of(report, "LVM_UNRESPONSIVE") == []
    by_name = {check.check: check.status for check in report.checks}
    assert by_name["lvm-physical-volumes"] is Status.UNKNOWN


def test_a_lock_that_somebody_holds_on_lvm_does_not_hold_us(loops: Loops) -> None:
    """An LVM command that waits for a dead disk keeps its locks; a plain `lvs` would wait behind it."""
    device = loops.attach(loops.file("vol-00000B01"))
    subprocess.run(["pvcreate", "-q", device], check=True, stdout=subprocess.DEVNULL)
    os.makedirs("/run/lock/lvm", exist_ok=True)
    lock = "/run/lock/lvm/P_global"
    existed = os.path.exists(lock)
    holder = subprocess.Popen(["flock", "-o", lock, "sleep", "60"], start_new_session=True)
    try:
        wait_for(lambda: subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 1)
        report, seconds = timed(Config())
        assert seconds < 8
        assert of(report, "LVM_UNRESPONSIVE") == []
        by_name = {check.check: check.status for check in report.checks}
        assert by_name["lvm-physical-volumes"] is not Status.UNKNOWN
    finally:
        os.killpg(holder.pid, 9)
        holder.wait()
        if not existed and os.path.exists(lock):
            os.unlink(lock)


def test_a_stopped_tgtd(tgt: Tgt) -> None:
    tgt.stop()
    report, seconds = timed(Config())
    assert seconds < LIMIT
    assert len(of(report, "TGT_UNRESPONSIVE")) == 1


def test_everything_at_once(tgt: Tgt, dead_mount: DeadMount, tmp_path: Path) -> None:
    dead_mount.take()
    tgt.target("")
    tgt.stop()
    stores = tuple(f"{dead_mount.point}/{name}" for name in ("", "one", "two", "three", "four"))
    report, seconds = timed(Config(stores=stores), fake_lvm(tmp_path / "bin", "trap '' TERM; sleep 600 & sleep 600"))
    assert seconds < LIMIT
    codes = {finding.code for finding in report.findings}
    assert {"STORE_UNREACHABLE", "LVM_UNRESPONSIVE", "TGT_UNRESPONSIVE"} <= codes
    assert report.abandoned


def test_loop_devices_whose_files_are_out_of_reach(dead_mount: DeadMount, loops: Loops, tmp_path: Path) -> None:
    """Twenty devices, whose store is then mounted over by what never answers: one deadline, not twenty."""
    hidden = loops.folder / "store"
    hidden.mkdir()
    for number in range(20):
        loops.attach(loops.file(f"store/vol-00000C{number:02X}"))
    subprocess.run(["mount", "--bind", str(dead_mount.point), str(hidden)], check=False, timeout=10)
    try:
        report, seconds = timed(Config())
    finally:
        subprocess.run(["umount", "-l", str(hidden)], check=False, timeout=10)
    assert seconds < LIMIT
    assert [finding.subject.id for finding in of(report, "STORE_UNREACHABLE")] == [str(hidden)]


def test_two_stopped_daemons_cost_one_deadline(tgt: Tgt) -> None:
    other = start_tgtd(72)
    try:
        tgt.stop()
        other.stop()
        report, seconds = timed(Config())
    finally:
        other.resume()
        other.kill()
        forget_sockets(72)
    assert seconds < 8
    assert len(of(report, "TGT_UNRESPONSIVE")) == 2
