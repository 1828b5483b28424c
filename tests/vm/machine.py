"""A test machine: Debian's stock kernel under QEMU, this host's root file system below a throw-away overlay, commands run as root.

Why no virtme-ng, which boots the same kernel unmodified: it needs 18 s to the first command (most of it udev's cold plug) where
this needs about 6 s, and it runs one script a boot, while a test run wants one machine for many commands, and the end of its
console when it dies. Emulation (TCG) is used always, so that a result does not depend on whether the host has KVM.

    with Machine.boot() as machine:
        print(machine.run("uname -r").stdout)

What a test must know: a fork costs about 0.1 s and Python runs about ten times slower than on the host, so commands are best sent
in batches; the checkout and everything else of the host is visible at its own path, read-only below and writable above in memory; a
scratch disk is mounted at /var/lib/eucalyptus.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .agent import PORT_NAME
from .kernel import find_program, obtain, run_program, write_initramfs

if TYPE_CHECKING:
    from types import TracebackType

HERE = Path(__file__).resolve().parent
QEMU = "qemu-system-x86_64"
BOOT_SECONDS = 90.0
SCRATCH_BYTES = 16 << 30
SCRATCH_MOUNT = "/var/lib/eucalyptus"
MEMORY_MIB = 2048
CONSOLE_TAIL = 40
# The second line leaves out what costs emulated time and what no test is about. One processor (below): two cost half as much again,
# and make the kernel distrust the TSC and read the clock through emulated hardware.
KERNEL_PARAMETERS = (
    "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic random.trust_cpu=on "
    "mitigations=off init_on_alloc=0 audit=0 apparmor=0 nowatchdog rcupdate.rcu_expedited=1"
)
# The agent kills what is late by itself; this much later without an answer, the machine itself is gone.
GRACE_SECONDS = 20.0
SETUP = f"modprobe -a virtio_blk ext4 && mount -t ext4 /dev/vda {SCRATCH_MOUNT}"


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

    def __init__(self, *, process: subprocess.Popen[bytes], channel: socket.socket, folder: Path, release: str) -> None:
        self._process = process
        self._channel = channel
        self._pending = b""
        self.folder = folder
        self.release = release

    @classmethod
    def boot(cls, *, python: str = sys.executable, scratch_bytes: int = SCRATCH_BYTES) -> Self:
        """Start a machine and wait until it takes commands.

        :param python: interpreter that runs the agent in the machine; a path of the host.
        :param scratch_bytes: size of the sparse scratch disk.
        :raises MachineUnavailable: the kernel, QEMU or busybox is missing.
        :raises MachineError: it did not come up.
        """
        qemu = find_program(QEMU, "qemu-system-x86")
        kernel = obtain()
        folder = Path(tempfile.mkdtemp(prefix="sctune-vm-"))
        ours, theirs = socket.socketpair()
        try:
            init = (HERE / "init.sh").read_text()
            filled = {"RELEASE": kernel.release, "MODULES": str(kernel.modules), "PYTHON": python, "AGENT": str(HERE / "agent.py")}
            for name, value in filled.items():
                init = init.replace(f"@{name}@", value)
            write_initramfs(kernel, init, folder / "initramfs")
            with (folder / "scratch").open("wb") as scratch:
                scratch.truncate(scratch_bytes)
            run_program(["mke2fs", "-q", "-F", "-t", "ext4", str(folder / "scratch")], package="e2fsprogs")
            process = subprocess.Popen(
                [qemu, *_arguments(kernel.vmlinux, folder, theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(folder / "qemu.log").open("wb"),
            )
        except BaseException:
            ours.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            theirs.close()
        machine = cls(process=process, channel=ours, folder=folder, release=kernel.release)
        try:
            machine._answer(time.monotonic() + BOOT_SECONDS, "while it booted")
            machine.check(SETUP)
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
        request = json.dumps({"command": command, "deadline": timeout}).encode() + b"\n"
        try:
            self._channel.settimeout(GRACE_SECONDS)
            self._channel.sendall(request)
        except OSError as error:
            raise self._lost(f"would not take the command: {command}") from error
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

    def console(self, lines: int = CONSOLE_TAIL) -> str:
        """The last lines of the machine's console, with what QEMU itself complained about."""
        text = ""
        for name in ("console.log", "qemu.log"):
            if (self.folder / name).exists():
                text += (self.folder / name).read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """End the machine and remove everything it used on the host. Nothing of it is worth an orderly shutdown."""
        self._process.kill()
        self._process.wait(timeout=30)
        self._channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _answer(self, end: float, when: str) -> dict[str, str]:
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0:
                raise self._lost(f"gave no answer {when}")
            self._channel.settimeout(left)
            try:
                chunk = self._channel.recv(1 << 20)
            except TimeoutError:
                continue
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
            status: int | None = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            status = None
            self._process.kill()
        console = self.console()
        panic = " (kernel panic)" if "Kernel panic" in console else ""
        state = "still running, killed now" if status is None else f"exit status {status}"
        return MachineError(f"the test machine {what}{panic}; QEMU: {state}; end of its console:\n{console}")


def _arguments(vmlinux: Path, folder: Path, channel: int) -> list[str]:
    """QEMU's options. A panic ends QEMU (panic=-1, -no-reboot), so that it is noticed at once and not by a timeout."""
    return [
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "q35,accel=tcg", "-cpu", "max,la57=off", "-smp", "1", "-m", str(MEMORY_MIB)),
        *("-kernel", str(vmlinux), "-initrd", str(folder / "initramfs")),
        *("-append", KERNEL_PARAMETERS),
        *("-serial", f"file:{folder / 'console.log'}"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={channel}"),
        *("-device", f"virtserialport,chardev=agent,name={PORT_NAME}"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        *("-drive", f"file={folder / 'scratch'},format=raw,if=virtio,cache=unsafe,discard=unmap"),
    ]
