"""The script on this machine, under each shell: what the doctor says of what it wrote is what it says of the machine."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.bundle import read_bundle
from sctune.host.capture import CaptureHost
from sctune.script.generate import script
from sctune.unavailable import Reason, Unavailable
from tests.live.conftest import run
from tests.live.diagnosis import faults, look
from tests.unit.test_script_tools import OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.host.answers import Answers
    from sctune.model.report import Report
    from tests.live.conftest import DeadMount, Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]
SHELLS = ("dash", "bash --posix", "busybox sh")
IQN = "iqn.2026-01.org.example"
SECRET = "zQ7neverWriteThis"


def captured(folder: Path, shell: str, *options: str, tools: Path | None = None) -> tuple[Answers, bytes]:
    """What the script writes under a shell; with `tools` it finds these before those of the system."""
    if not shutil.which(shell.split(maxsplit=1)[0]):
        pytest.skip(f"no {shell}")
    program, output = folder / "sctune-capture.sh", folder / f"{shell.split(maxsplit=1)[0]}.txt"
    text = script("0.1.0")
    if tools is not None:
        assert text.count("\nPATH=") == 1
        text = text.replace("\nPATH=", f"\nPATH={tools}:")
    program.write_text(text)
    before = {path.name for path in folder.iterdir()}
    done = subprocess.run(
        [*shell.split(), str(program), "-o", str(output), *options], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in folder.iterdir()} - before == {output.name}
    assert output.stat().st_mode & 0o777 == 0o600
    return read_bundle(str(output)), output.read_bytes()


def _outcomes(report: Report) -> dict[str, tuple[str, int]]:
    return {check.check: (check.status.value, check.examined) for check in report.checks}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_same_findings_and_no_secret(tmp_path: Path, loops: Loops, tgt: Tgt, shell: str) -> None:
    gone = loops.file("gone with a % and a blank")
    tgt.target(loops.attach(gone))
    gone.unlink()
    tgt.target(loops.attach(loops.file("open")), acl="ALL")
    deleted = loops.file("direct")
    tgt.target(str(deleted))
    deleted.unlink()
    twice = loops.file("twice")
    loops.attach(twice)
    loops.attach(twice)
    tgt.admin("--op", "new", "--mode", "account", "--user", "u", "--password", SECRET)
    holder = subprocess.Popen(["sh", "-c", "sleep 60; exit 0", "tgtadm", "--password", SECRET], stdout=subprocess.DEVNULL)
    try:
        answers, written = captured(tmp_path, shell)
        marks = (IQN, loops.folder)
        live = look()
        again = diagnose(CaptureHost(answers), Config(), strict=True)
    finally:
        holder.kill()
        holder.wait()
    assert faults(again, *marks) == faults(live, *marks) != set()
    assert _outcomes(again) == _outcomes(live)
    assert SECRET.encode() not in written


def test_the_tools_of_busybox_tell_the_same(tmp_path: Path, loops: Loops, tgt: Tgt) -> None:
    """They have fewer options than those of any distribution."""
    if not shutil.which("busybox"):
        pytest.skip("no busybox")
    tools, folder = tmp_path / "tools", tmp_path / "out"
    tools.mkdir()
    folder.mkdir()
    for name in sorted(set(OPTIONS) & set(run("busybox", "--list").split())):
        (tools / name).symlink_to(shutil.which("busybox") or "")
    assert {path.name for path in tools.iterdir()} >= {"awk", "cat", "date", "grep", "head", "ls", "sed", "stat", "tr"}
    gone = loops.file("gone with a % and a blank")
    tgt.target(loops.attach(gone))
    gone.unlink()
    answers, _ = captured(folder, "dash", tools=tools)
    live = look()
    again = diagnose(CaptureHost(answers), Config(), strict=True)
    marks = (IQN, loops.folder)
    assert faults(again, *marks) == faults(live, *marks) != set()
    assert _outcomes(again) == _outcomes(live)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_dead_mount_does_not_stop_it(tmp_path: Path, dead_mount: DeadMount, shell: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    began = time.monotonic()
    answers, _ = captured(folder, shell, "-s", str(dead_mount.point))
    assert time.monotonic() - began < 40.0
    found = answers.store_stats[str(dead_mount.point)]
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.TIMEOUT
    assert answers.stats


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text(script("0.1.0"))
    (tmp_path / "there").write_text("mine")
    done = subprocess.run(
        ["sh", str(tmp_path / "s.sh"), "-o", str(tmp_path / "there")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, (tmp_path / "there").read_text()) == (1, "mine")
    assert "exists" in done.stderr
    assert run("ls", str(tmp_path)).split() == ["s.sh", "there"]
