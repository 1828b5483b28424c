"""The doctor over a real sshd on loopback: it says what a local look says, or in one line why it cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.fleet import look_around
from sctune.host.base import Source
from sctune.host.ssh import SshHost, SshLook, look_at
from sctune.model.report import Report
from sctune.records import replace
from sctune.registry import load_checks
from sctune.script.generate import script
from sctune.unavailable import Reason, Unavailable
from sctune.version import VERSION
from tests.live.diagnosis import faults, look

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Loops, Tgt
    from tests.live.sshd import Sshd

pytestmark = [pytest.mark.live, pytest.mark.spawns]
LOOK = SshLook(script=script(VERSION))
SHORT = SshLook(script=LOOK.script, seconds=5.0)
IQN = "iqn.2026-01.org.example"


def sctune(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sctune", "doctor", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def outcomes(report: Report) -> dict[str, tuple[str, int]]:
    return {check.check: (check.status.value, check.examined) for check in report.checks}


def left_behind() -> set[str]:
    return {
        f"{folder}/{name}"
        for folder in ("/dev/shm", "/run", "/tmp", "/var/tmp", "/", os.path.expanduser("~"))
        for name in os.listdir(folder)
        if name.startswith((".sctune", "sctune-capture"))
    }


@pytest.mark.parametrize("address", ["us", "noisy", "busybox"])
def test_the_same_findings_as_a_local_look(sshd: Sshd, loops: Loops, tgt: Tgt, address: str) -> None:
    gone = loops.file("gone with a % and a blank")
    tgt.target(loops.attach(gone))
    gone.unlink()
    tgt.target(loops.attach(loops.file("open")), acl="ALL")
    deleted = loops.file("direct")
    tgt.target(str(deleted))
    deleted.unlink()
    if address == "busybox" and not shutil.which("busybox"):
        pytest.skip("no busybox")
    there = left_behind()
    local = look()
    (one,) = look_around([address], LOOK, Config(), load_checks(), jobs=1).hosts
    assert isinstance(one.outcome, Report), one.outcome
    assert one.outcome.source is Source.SSH
    marks = (IQN, loops.folder)
    assert faults(one.outcome, *marks) == faults(local, *marks) != set()
    assert outcomes(one.outcome) == outcomes(local)
    assert left_behind() == there


def test_as_an_ordinary_user(sshd: Sshd, loops: Loops) -> None:
    gone = loops.file("gone")
    loops.attach(gone)
    gone.unlink()
    host = look_at("nobody", LOOK)
    assert isinstance(host, SshHost), host
    assert not host.identity().privileged
    report = diagnose(host, Config(), strict=True)
    assert report.root_would_help
    assert ("LOOP_BACKING_DELETED" in {code for code, _, _ in faults(report, loops.folder)}) == (
        "LOOP_BACKING_DELETED" in {code for code, _, _ in faults(look(), loops.folder)}
    )
    told = sctune("--host", "nobody")
    assert "looked at over ssh, as an ordinary user" in told.stdout
    assert "--sudo, or root's login, shows the rest" in " ".join(told.stdout.split())


REFUSED = {
    "dead": (Reason.FAILED, "nothing answers for ssh there (connection refused)"),
    "stranger": (Reason.DENIED, "its host key is not known here: connect once with ssh and look at it"),
    "changed": (Reason.DENIED, "its host key is not the one that is known here"),
    "locked": (Reason.DENIED, "it does not accept the keys that are here (publickey)"),
    "nobody-of-this-name@us": (Reason.DENIED, "it does not accept the keys that are here (publickey)"),
    "cut": (Reason.FAILED, "the connection ended before the last answer"),
    "shell-less": (Reason.ABSENT, "there is no sh"),
    "fenced": (Reason.DENIED, "this account may not log in"),
    "terminal": (Reason.DENIED, "sudo wants a terminal there (requiretty)"),
    "wordless": (Reason.FAILED, "no answer came back"),
    "talker": (Reason.FAILED, "no answer came back; it printed: Please choose: [1] menu [2] logout"),
    "silent": (Reason.TIMEOUT, "no answer in 5 s"),
}


@pytest.mark.parametrize("address", REFUSED)
def test_why_it_cannot_look_in_one_line(sshd: Sshd, address: str) -> None:
    found = look_at(address, SHORT)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what, found.detail) == (REFUSED[address][0], address, REFUSED[address][1])


def test_sudo(sshd: Sshd) -> None:
    if not shutil.which("sudo"):
        pytest.skip("no sudo")
    as_root = replace(SHORT, sudo=True, seconds=30.0)
    host = look_at("us", as_root)
    assert isinstance(host, SshHost), host
    assert host.identity().privileged
    refused = look_at("nobody", as_root)
    assert isinstance(refused, Unavailable)
    assert (refused.reason, refused.detail) == (Reason.DENIED, "sudo wants a password there")


def test_a_server_that_hangs_ends_by_the_deadline(sshd: Sshd) -> None:
    sshd.stop()
    began = time.monotonic()
    found = look_at("us", SHORT)
    assert time.monotonic() - began < SHORT.seconds + 3
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.TIMEOUT


def test_what_a_dead_connection_leaves_there_ends(sshd: Sshd) -> None:
    """The deadline strikes in the middle of the script: it is alone then, and has no name in the file system."""
    there = left_behind()
    found = look_at("us", SshLook(script=LOOK.script.replace("\nprocesses\n", "\nsleep 3\nprocesses\n"), seconds=2.0))
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.TIMEOUT
    assert left_behind() == there
    time.sleep(4)
    assert left_behind() == there


def test_three_hosts_of_which_one_is_dead(sshd: Sshd, tmp_path: Path, loops: Loops) -> None:
    gone = loops.file("gone")
    loops.attach(gone)
    gone.unlink()
    (tmp_path / "list").write_text("# ours\n\nnoisy   # the second\nus\ndead\n")
    done = sctune("--host", "us", "--hosts", str(tmp_path / "list"), "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    value = json.loads(done.stdout)
    assert [host["host"] for host in value["hosts"]] == ["us", "noisy", "dead"]
    root, noisy, dead = value["hosts"]
    assert dead["verdict"] == "unreachable"
    assert dead["report"] is None
    for host in (root, noisy):
        assert str(loops.folder) in json.dumps(host["report"]["findings"])
    text = sctune("--host", "us", "--host", "noisy", "--host", "dead")
    assert text.returncode == 1
    assert "connection refused" in text.stdout
    assert text.stdout.count("== ") == 2


@pytest.mark.parametrize("passing", [True, False])
def test_a_second_connection_drops_what_was_only_passing(
    sshd: Sshd, loops: Loops, monkeypatch: pytest.MonkeyPatch, passing: bool
) -> None:
    import sctune.fleet

    gone = loops.file("gone")
    device = loops.attach(gone)
    gone.unlink()
    asked: list[str] = []

    def changing(address: str, how: SshLook) -> SshHost | Unavailable:
        found = look_at(address, how)
        if passing and not asked:
            loops.detach(device)
        asked.append(address)
        return found

    monkeypatch.setattr(sctune.fleet, "look_at", changing)
    (one,) = look_around(["us"], LOOK, Config(), load_checks(), jobs=1).hosts
    assert isinstance(one.outcome, Report)
    assert (asked, bool(faults(one.outcome, loops.folder))) == (["us", "us"], not passing)
