"""A test machine: Debian's stock kernel under QEMU, this host's root file system below a writable overlay, commands run as root.

Own initramfs, not virtme-ng: it boots in a third of the time, and one machine takes any number of commands (figures:
docs/testing.md, which also tells of limits and traps).

    with Machine.boot() as machine:
        print(machine.run("uname -r").stdout)

What a test must know: a fork costs about 0.1 s and Python runs about ten times slower than on the host, so commands are best sent
in batches; the checkout and everything else of the host is visible at its own path, read-only below and writable above, in memory
or on a disk; a scratch disk is mounted at /var/lib/eucalyptus.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .kernel import find_program, obtain, run_program, write_initramfs
from .qemu import CONSOLE_TAIL, Hardware, Powered, power_on

if TYPE_CHECKING:
    import socket
    from types import TracebackType

HERE = Path(__file__).resolve().parent
BOOT_SECONDS = 120.0
STARTED_SECONDS = 180.0
REBOOT_SECONDS = 120.0
SCRATCH_BYTES = 16 << 30
LAYER_BYTES = 8 << 30
# The agent kills what is late by itself; this much later without an answer, the machine itself is gone.
GRACE_SECONDS = 20.0
PANIC = "Kernel panic"


class MachineError(RuntimeError):
    """The machine died, panicked or went silent; the message ends with what its console said last."""


class CommandTimeout(MachineError):
    """One command outlived its deadline and was killed (or left, where it sleeps uninterruptibly); the machine lives on."""


class CommandFailed(MachineError):
    """A command that had to succeed did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What one shell command did. *status* is the exit status, or the negative number of the signal that ended the shell."""

    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float


class Machine:
    """A booted machine. Made by :meth:`boot`, ended by :meth:`close` or the end of its ``with`` block."""

    def __init__(
        self, *, hardware: Hardware, powered: Powered, release: str, systemd: bool = False, persistent: bool = False
    ) -> None:
        self._hardware = hardware
        self._powered = powered
        self._pending = b""
        self.folder = hardware.folder
        self.release = release
        self.systemd = systemd
        self.persistent = persistent

    @classmethod
    def boot(
        cls,
        *,
        python: str = sys.executable,
        scratch_bytes: int = SCRATCH_BYTES,
        systemd: bool = False,
        disk: Path | None = None,
    ) -> Self:
        """Start a machine and wait until it takes commands; with systemd, until that has started everything.

        :param python: interpreter that runs the agent in the machine; a path of the host.
        :param scratch_bytes: size of the sparse scratch disk.
        :param systemd: the first program is this host's systemd and the agent a service, else the agent alone.
        :param disk: a folder for the images of the writable layer and the scratch disk, which are made where they are missing and
            stay when the machine is closed. Without it both are gone then, and :meth:`reboot` and :meth:`reset` cannot be used.
        :raises MachineUnavailable: the kernel, QEMU, busybox or systemd is missing.
        :raises MachineError: it did not come up.
        """
        if systemd:
            find_program("systemctl", "systemd")
        kernel = obtain()
        folder = Path(tempfile.mkdtemp(prefix="sctune-vm-"))
        try:
            drives = [_image((disk or folder) / "scratch", scratch_bytes)]
            if disk is not None:
                drives.append(_image(disk / "layer", LAYER_BYTES))
            init = (HERE / "initramfs.sh").read_text()
            filled = {
                "RELEASE": kernel.release,
                "MODULES": str(kernel.modules),
                "PYTHON": python,
                "FOLDER": str(HERE),
                "FIRST": "systemd" if systemd else "agent",
                "UPPER": "tmpfs" if disk is None else "/dev/vdb",
            }
            for name, value in filled.items():
                init = init.replace(f"@{name}@", value)
            write_initramfs(kernel, init, folder / "initramfs")
            hardware = Hardware(
                vmlinux=kernel.vmlinux,
                folder=folder,
                drives=tuple(drives),
                parameters="systemd.unit=multi-user.target systemd.show_status=yes" if systemd else "",
            )
            powered = power_on(hardware)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        machine = cls(hardware=hardware, powered=powered, release=kernel.release, systemd=systemd, persistent=disk is not None)
        try:
            machine._await_boot()
        except BaseException:
            machine.close()
            raise
        return machine

    def run(self, command: str, *, timeout: float = 60.0) -> Completed:
        """Run *command* with ``/bin/sh -c`` as root in the machine.

        What the command leaves running in the background stays; its output up to the end of the shell is returned.

        :param timeout: seconds until the command's process group is killed.
        :raises CommandTimeout: it was. The machine can be used further.
        :raises MachineError: the machine is gone.
        """
        started = time.monotonic()
        self._send(command, timeout)
        answer = self._answer(started + timeout + GRACE_SECONDS, f"during: {command}")
        out, err = (base64.b64decode(answer[name]).decode(errors="replace") for name in ("stdout", "stderr"))
        if answer["status"] is None:
            raise CommandTimeout(f"no end after {timeout:.0f} s: {command}\n--- stdout\n{out[-2000:]}\n--- stderr\n{err[-2000:]}")
        return Completed(command=command, status=int(answer["status"]), stdout=out, stderr=err, seconds=time.monotonic() - started)

    def check(self, command: str, *, timeout: float = 60.0) -> str:
        """Run *command*, which must succeed, and return its standard output.

        :raises CommandFailed: its exit status is not 0.
        """
        done = self.run(command, timeout=timeout)
        if done.status != 0:
            raise CommandFailed(
                f"exit status {done.status}: {command}\n--- stdout\n{done.stdout[-2000:]}\n--- stderr\n{done.stderr[-2000:]}"
            )
        return done.stdout

    def reboot(self) -> None:
        """An orderly reboot (systemd's; without it, sync and reset); then the machine takes commands again.

        :raises MachineError: it did not go down in time, panicked, or did not come up again.
        """
        self._demand_disk()
        self._send("systemctl reboot" if self.systemd else "sync; echo b > /proc/sysrq-trigger", REBOOT_SECONDS)
        self._await_end(time.monotonic() + REBOOT_SECONDS)
        self._restart()

    def reset(self) -> None:
        """Cut the power and switch on again: what was synced is there, what was not may be lost; no program is told.

        :raises MachineError: it did not come up again.
        """
        self._demand_disk()
        self._powered.off()
        self._restart()

    @property
    def terminal(self) -> socket.socket:
        """The host's end of the machine's second console, :data:`tests.vm.qemu.TERMINAL`."""
        return self._powered.terminal

    @property
    def sizes(self) -> socket.socket:
        """The host's end of the port :data:`tests.vm.qemu.SIZES`."""
        return self._powered.sizes

    def console(self, lines: int = CONSOLE_TAIL) -> str:
        """The last lines of the machine's console, with what QEMU itself complained about."""
        return "\n".join(self._hardware.console().splitlines()[-lines:])

    def close(self) -> None:
        """End the machine and remove everything it used on the host but *disk*. Nothing of it is worth an orderly shutdown."""
        self._powered.off()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _demand_disk(self) -> None:
        if not self.persistent:
            raise ValueError("this machine keeps nothing: boot it with disk=FOLDER to reboot it")

    def _restart(self) -> None:
        self._pending = b""
        self._powered = power_on(self._hardware)
        self._await_boot()

    def _await_boot(self) -> None:
        self._answer(time.monotonic() + BOOT_SECONDS, "while it booted")
        if not self.systemd:
            return
        try:
            # Exit status 1 is "degraded": a unit failed. That is for a test to judge.
            self.run("systemctl is-system-running --wait", timeout=STARTED_SECONDS)
        except CommandTimeout as error:
            jobs = self.run("systemctl list-jobs --no-pager").stdout
            raise self._lost(f"was not started after {STARTED_SECONDS:.0f} s; systemd still has to do:\n{jobs}") from error

    def _await_end(self, end: float) -> None:
        """Wait until the machine has switched itself off, which is how a reboot looks from here."""
        try:
            while chunk := self._receive(end):
                self._pending += chunk
                if self._pending.endswith(b"\n"):  # it answered, which it need not
                    answer = json.loads(self._pending)
                    if answer["status"] != 0:
                        raise self._lost(f"would not reboot: {base64.b64decode(answer['stderr']).decode(errors='replace')}")
            status = self._powered.process.wait(timeout=10.0)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise self._lost(f"did not go down in {REBOOT_SECONDS:.0f} s") from error
        if status != 0 or PANIC in self._hardware.console():
            raise self._lost("died while it went down")
        self._powered.close()

    def _send(self, command: str, timeout: float) -> None:
        request = json.dumps({"command": command, "deadline": timeout}).encode() + b"\n"
        try:
            self._powered.agent.settimeout(GRACE_SECONDS)
            self._powered.agent.sendall(request)
        except OSError as error:
            raise self._lost(f"would not take the command: {command}") from error

    def _receive(self, end: float) -> bytes:
        """What the agent says next, nothing when QEMU has ended; TimeoutError at *end*."""
        self._powered.agent.settimeout(max(end - time.monotonic(), 0.001))
        try:
            return self._powered.agent.recv(1 << 20)
        except ConnectionResetError:
            return b""

    def _answer(self, end: float, when: str) -> dict[str, str]:
        while b"\n" not in self._pending:
            try:
                chunk = self._receive(end)
            except TimeoutError as error:
                raise self._lost(f"gave no answer {when}") from error
            except OSError as error:
                raise self._lost(f"closed its channel {when}") from error
            if not chunk:
                raise self._lost(f"ended {when}")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        answer: dict[str, str] = json.loads(line)
        return answer

    def _lost(self, what: str) -> MachineError:
        """The error for a machine that can not be used any more; it is killed, lest a later command waits for it again."""
        try:
            status: int | None = self._powered.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            status = None
            self._powered.process.kill()
        panic = " (kernel panic)" if PANIC in self._hardware.console() else ""
        state = "still running, killed now" if status is None else f"exit status {status}"
        return MachineError(f"the test machine {what}{panic}; QEMU: {state}; end of its console:\n{self.console()}")


def _image(path: Path, size: int) -> Path:
    """A sparse image with an empty ext4 file system, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with new.open("wb") as image:
            image.truncate(size)
        run_program(["mke2fs", "-q", "-F", "-t", "ext4", str(new)], package="e2fsprogs")
        new.rename(path)
    return path
