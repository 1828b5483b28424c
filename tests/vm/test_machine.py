"""The machine itself: what it returns, and how it ends."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from . import machine as harness
from .machine import CommandFailed, CommandTimeout, Machine, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_status_and_both_streams_come_back_apart(machine: Machine) -> None:
    done = machine.run("echo out; echo err >&2; exit 7")
    assert (done.status, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_failure_is_an_error_where_success_is_demanded(machine: Machine) -> None:
    with pytest.raises(CommandFailed, match=r"exit status 3(.|\n)*because"):
        machine.check("echo because >&2; exit 3")


def test_a_kernel_of_debian_runs_the_checkout(machine: Machine) -> None:
    assert machine.check("uname -r").strip() == machine.release
    assert machine.check(f"cat {harness.HERE}/init.sh") == (harness.HERE / "init.sh").read_text()


def test_the_host_is_not_written_to(machine: Machine) -> None:
    machine.check(f"touch {harness.HERE}/written-in-the-machine && test -e {harness.HERE}/written-in-the-machine")
    assert not (harness.HERE / "written-in-the-machine").exists()


def test_a_late_command_is_killed_with_its_children_and_the_machine_lives_on(machine: Machine) -> None:
    with pytest.raises(CommandTimeout, match="no end after 1 s"):
        machine.run("sleep 4321 & sleep 4321", timeout=1.0)
    assert machine.run("pgrep -f 'sleep [4]321'").status == 1


def test_what_runs_on_in_the_background_holds_nothing_up(machine: Machine) -> None:
    done = machine.run("sleep 4322 & echo started")
    assert done.stdout == "started\n"
    assert done.seconds < 10
    machine.check("pkill -f 'sleep [4]322'")


def test_a_panic_ends_the_run_with_the_console(boot: Callable[[], Machine]) -> None:
    with boot() as machine:
        folder = machine.folder
        with pytest.raises(MachineError, match=r"kernel panic(.|\n)*sysrq triggered crash"):
            machine.run("echo c > /proc/sysrq-trigger")
    assert not folder.exists()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[tuple[Machine, socket.socket]]:
    """The harness over a process that is no machine, and the far end of its channel."""
    process = subprocess.Popen(["sleep", "4323"])
    ours, theirs = socket.socketpair()
    (tmp_path / "console.log").write_text("[    1.0] last words\n")
    with theirs, Machine(process=process, channel=ours, folder=tmp_path, release="none") as machine:
        yield machine, theirs


def test_a_silent_machine_ends_the_run(impostor: tuple[Machine, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "GRACE_SECONDS", 0.2)
    with pytest.raises(MachineError, match=r"gave no answer during: true; QEMU: still running, killed now(.|\n)*last words"):
        impostor[0].run("true", timeout=0.2)


def test_a_lost_channel_ends_the_run(impostor: tuple[Machine, socket.socket]) -> None:
    machine, theirs = impostor
    theirs.close()
    with pytest.raises(MachineError, match=r"would not take the command: true(.|\n)*last words"):
        machine.run("true")
