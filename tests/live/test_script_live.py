"""The script on this machine, under each shell: what the doctor says of what it wrote is what it says of the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.base import TgtMode
from sctune.host.bundle import read_bundle
from sctune.host.capture import CaptureHost
from sctune.inventory import Inventory
from sctune.model.guest import GuestOrigin
from sctune.script.generate import script
from sctune.unavailable import Reason, Unavailable
from tests.live.conftest import run
from tests.live.diagnosis import faults, look
from tests.unit.test_guest_xml import VOLUME_31
from tests.unit.test_script_tools import OPTIONS

if TYPE_CHECKING:
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


NODE = """
set -e
mount -t tmpfs none /run
mkdir -p /run/libvirt/qemu {top}/upper {top}/work "{instances}/work/ACCT with blank/i-133F3E53"
mount -t tmpfs none {top}/upper
mkdir {top}/upper/u {top}/upper/w
mount -t overlay overlay -o lowerdir=/etc,upperdir={top}/upper/u,workdir={top}/upper/w /etc
mkdir /etc/eucalyptus
echo 'INSTANCE_PATH="{instances}"  # where' >/etc/eucalyptus/eucalyptus.conf
cp {status} /run/libvirt/qemu/i-133F3E53.xml
cp {top}/vol-391D44BE.xml "{instances}/work/ACCT with blank/i-133F3E53/"
{shell} {top}/sctune-capture.sh -o {top}/script.txt
{python} -m sctune capture -o {top}/own.tar.gz || [ $? = 3 ]
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_guests_of_a_node(tmp_path: Path, loops: Loops, shell: str) -> None:
    """In a mount namespace of its own, where this machine has a guest and an instance."""
    if not shutil.which(shell.split(maxsplit=1)[0]):
        pytest.skip(f"no {shell}")
    device = loops.attach(loops.file("volume"))
    (tmp_path / "vol-391D44BE.xml").write_text(VOLUME_31.replace("/dev/sdd", device))
    (tmp_path / "sctune-capture.sh").write_text(script("0.1.0"))
    commands = NODE.format(
        top=tmp_path,
        instances=tmp_path / "nodes of ours",
        status=Path(__file__).parents[1] / "data/guests/i-133F3E53-status.xml",
        shell=shell,
        python=sys.executable,
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", commands], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = []
    for name in ("script.txt", "own.tar.gz"):
        answers = read_bundle(str(tmp_path / name))
        assert "zQ7" not in repr(answers)
        found.append(Inventory(CaptureHost(answers), Config(), strict=True).guests)
    assert found[0] == found[1]
    assert not isinstance(found[0], Unavailable)
    assert found[0].unread == ()
    volume = next(disk for disk in found[0].disks if disk.origin is GuestOrigin.RECORDED)
    assert (volume.volume, volume.source, volume.device) == ("vol-391D44BE", device, (7, int(device.removeprefix("/dev/loop"))))
    assert len(found[0].disks) == 5


def changed(folder: Path, old: str, new: str) -> Answers:
    """What the script writes with one place of it changed."""
    program, output = folder / "changed.sh", folder / "changed.txt"
    text = script("0.1.0")
    assert text.count(old) == 1
    program.write_text(text.replace(old, new))
    run("sh", str(program), "-o", str(output))
    return read_bundle(str(output))


def test_a_tgtd_that_ends_meanwhile_was_asked(tmp_path: Path, tgt: Tgt) -> None:
    """Its socket was listed, and whoever reads that asks for the daemon."""
    port = tgt.control_port
    gone = f"kill -KILL {tgt.process.pid}; rm -f /var/run/tgtd/socket.{port}*"
    answers = changed(tmp_path, "\nload_after\ntargets\n", f"\n{gone}\nload_after\ntargets\n")
    listed = answers.lists["/var/run/tgtd"]
    assert not isinstance(listed, Unavailable)
    assert f"socket.{port}" in listed
    found = answers.tgt[(TgtMode.TARGET, port, None)]
    assert isinstance(found, Unavailable)
    assert found.reason is not Reason.NOT_COLLECTED


def test_a_tgtd_that_hangs_between_its_targets(tmp_path: Path, tgt: Tgt) -> None:
    for _ in range(3):
        tgt.target("")
    began = time.monotonic()
    try:
        answers = changed(
            tmp_path, "bounded 5 targets_together", f"{{ kill -STOP {tgt.process.pid}; bounded 5 targets_together; }}"
        )
    finally:
        tgt.resume()
    assert time.monotonic() - began < 30.0
    assert isinstance(answers.tgt[(TgtMode.TARGET, tgt.control_port, None)], str)
    told = {tid: found for (_, port, tid), found in answers.tgt.items() if port == tgt.control_port and tid is not None}
    first = told.pop(1)
    assert isinstance(first, Unavailable)
    assert first.reason is Reason.TIMEOUT
    assert told == {}
