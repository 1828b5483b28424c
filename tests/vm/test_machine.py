"""The machine itself: what it returns, and how it ends."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from . import machine as harness
from .machine import CommandFailed, CommandTimeout, Machine, MachineError
from .qemu import Hardware, Powered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STORE = "/var/lib/eucalyptus"
UNIT = r"[Service]\nType=oneshot\nExecStart=touch /run/seen\n[Install]\nWantedBy=multi-user.target\n"


def test_status_and_both_streams_come_back_apart(machine: Machine) -> None:
    done = machine.run("echo out; echo err >&2; exit 7")
    assert (done.status, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_failure_is_an_error_where_success_is_demanded(machine: Machine) -> None:
    with pytest.raises(CommandFailed, match=r"exit status 3(.|\n)*because"):
        machine.check("echo because >&2; exit 3")


def test_a_kernel_of_debian_runs_the_checkout(machine: Machine) -> None:
    assert machine.check("uname -r").strip() == machine.release
    assert machine.check(f"cat {harness.HERE}/initramfs.sh") == (harness.HERE / "initramfs.sh").read_text()


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


def test_systemd_a_reboot_and_a_power_cut(boot: Callable[..., Machine], tmp_path: Path) -> None:
    """One test, since each of its three boots takes 20 s."""
    with boot(systemd=True, disk=tmp_path / "disk") as machine:
        assert machine.check("cat /proc/1/comm; systemctl is-system-running").split() == ["systemd", "running"]
        assert machine.check("systemctl is-active sctune-agent systemd-udevd").split() == ["active"] * 2
        machine.check(f"set -e; mkdir /etc/made; modprobe loop; echo data > {STORE}/volume; truncate -s 64M {STORE}/volume")
        machine.check(f"losetup -f {STORE}/volume; printf '{UNIT}' > /etc/systemd/system/later.service; systemctl enable later")
        assert machine.check(f"losetup -j {STORE}/volume") != ""

        machine.reboot()
        assert machine.check("systemctl is-system-running; systemctl list-units --failed --plain --no-legend").split() == [
            "running"
        ]
        assert machine.check(f"test -d /etc/made && test -e /run/seen && head -n 1 {STORE}/volume") == "data\n"
        assert machine.check(f"losetup -j {STORE}/volume") == ""
        machine.check("echo synced > /root/synced; sync; echo lost > /root/lost")

        machine.reset()
        assert machine.check("cat /root/synced; systemctl is-system-running").split() == ["synced", "running"]
        # Written within the last seconds before the cut and never synced: the kernel had no reason to write it yet.
        assert machine.run("test -s /root/lost").status == 1
        folder = machine.folder
    assert not folder.exists()
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["layer", "scratch"]


def test_without_systemd_the_disks_survive_too(boot: Callable[..., Machine], tmp_path: Path) -> None:
    with boot(disk=tmp_path) as machine:
        machine.check(f"mkdir /etc/made; echo data > {STORE}/volume")
        machine.reboot()
        assert machine.check(f"test -d /etc/made && cat {STORE}/volume") == "data\n"
    with boot(disk=tmp_path) as machine:
        assert machine.check(f"test -d /etc/made && cat {STORE}/volume") == "data\n"


def test_a_machine_that_keeps_nothing_is_not_rebooted(machine: Machine) -> None:
    with pytest.raises(ValueError, match="disk="):
        machine.reboot()
    with pytest.raises(ValueError, match="disk="):
        machine.reset()


def test_a_boot_that_dies_ends_the_run(boot: Callable[..., Machine]) -> None:
    with pytest.raises(
        MachineError, match=r"ended while it booted \(kernel panic\); QEMU: exit status 0(.|\n)*Attempted to kill init"
    ):
        boot(python="/bin/false")


def test_a_boot_that_never_comes_up_ends_the_run(boot: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "BOOT_SECONDS", 1.0)
    with pytest.raises(MachineError, match="gave no answer while it booted; QEMU: still running, killed now"):
        boot()


def test_a_panic_ends_the_run_with_the_console(boot: Callable[[], Machine]) -> None:
    with boot() as machine:
        folder = machine.folder
        with pytest.raises(MachineError, match=r"kernel panic(.|\n)*(sysrq triggered crash|Call Trace)"):
            machine.run("echo c > /proc/sysrq-trigger")
    assert not folder.exists()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[tuple[Machine, socket.socket]]:
    """The harness over a process that is no machine, and the far end of its channel."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["sleep", "4323"])
    powered = Powered(process=process, agent=ours, terminal=socket.socket(), sizes=socket.socket())
    (tmp_path / "console.log").write_text("[    1.0] last words\n")
    hardware = Hardware(vmlinux=tmp_path, folder=tmp_path, drives=())
    with theirs, Machine(hardware=hardware, powered=powered, release="none") as machine:
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
