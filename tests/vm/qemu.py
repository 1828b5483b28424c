"""QEMU for the test machine: its options, its process and the channels into it.

Emulation (TCG) is used always, so that a result does not depend on whether the host has KVM. One processor: two cost half as much
again, and make the kernel distrust the TSC and read the clock through emulated hardware.
"""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .agent import PORT_NAME
from .kernel import find_program

if TYPE_CHECKING:
    from pathlib import Path

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 2048
CONSOLE_TAIL = 40
# "quiet" and what follows leave out what costs emulated time and what no test is about.
KERNEL_PARAMETERS = (
    "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic random.trust_cpu=on "
    "mitigations=off init_on_alloc=0 audit=0 apparmor=0 nowatchdog rcupdate.rcu_expedited=1"
)
# The terminal of an interactive shell and, beside it, the port on which the sizes of its window are told.
TERMINAL = "/dev/hvc0"
SIZES = "/dev/vport0p2"
SO_SNDBUFFORCE = 32  # socket(7); Python does not name it
TERMINAL_ROOM = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What stays the same from one power-on to the next. *folder* holds the initramfs and receives the console."""

    vmlinux: Path
    folder: Path
    drives: tuple[Path, ...]
    parameters: str = ""

    def console(self) -> str:
        """All that the machine said on its console since it was last switched on, and what QEMU itself complained about."""
        logs = (self.folder / "console.log", self.folder / "qemu.log")
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())


@dataclass(frozen=True, slots=True, kw_only=True)
class Powered:
    """A machine that is switched on: QEMU's process and the host's ends of its channels."""

    process: subprocess.Popen[bytes]
    agent: socket.socket
    terminal: socket.socket
    sizes: socket.socket

    def off(self) -> None:
        """Cut the power."""
        self.process.kill()
        self.process.wait(timeout=30)
        self.close()

    def close(self) -> None:
        """Close the channels."""
        for channel in (self.agent, self.terminal, self.sizes):
            channel.close()


def power_on(hardware: Hardware) -> Powered:
    """Start QEMU.

    :raises MachineUnavailable: it is not installed.
    """
    program = find_program(QEMU, "qemu-system-x86")
    pairs = [socket.socketpair() for _ in range(3)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    make_room(theirs[1])
    try:
        with (hardware.folder / "qemu.log").open("wb") as log:
            process = subprocess.Popen(
                [program, *_options(hardware, *(end.fileno() for end in theirs))],
                pass_fds=[end.fileno() for end in theirs],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                # ^C at the terminal is for the shell in the machine, or for the harness, which ends QEMU itself.
                start_new_session=True,
            )
    except BaseException:
        for end in ours:
            end.close()
        raise
    finally:
        for end in theirs:
            end.close()
    return Powered(process=process, agent=ours[0], terminal=ours[1], sizes=ours[2])


def make_room(end: socket.socket) -> None:
    """Lets QEMU write some screens of the terminal ahead of whoever reads: of a console it drops what does not fit. The kernel
    hands it 16 bytes at a time, of which a socket as it is made takes 4 KiB, less than a report of the doctor."""
    try:
        end.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, TERMINAL_ROOM)
    except PermissionError:  # as an ordinary user: as much as the system allows
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, TERMINAL_ROOM)


def _options(hardware: Hardware, agent: int, terminal: int, sizes: int) -> list[str]:
    """QEMU's options. A panic ends QEMU (panic=-1, -no-reboot), so that it is noticed at once and not by a timeout."""
    options = [
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "q35,accel=tcg", "-cpu", "max,la57=off", "-smp", "1", "-m", str(MEMORY_MIB)),
        *("-kernel", str(hardware.vmlinux), "-initrd", str(hardware.folder / "initramfs")),
        *("-append", f"{KERNEL_PARAMETERS} {hardware.parameters}"),
        *("-serial", f"file:{hardware.folder / 'console.log'}"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", f"socket,id=terminal,fd={terminal}", "-device", "virtconsole,chardev=terminal,nr=0"),
        *("-chardev", f"socket,id=agent,fd={agent}", "-device", f"virtserialport,chardev=agent,nr=1,name={PORT_NAME}"),
        *("-chardev", f"socket,id=sizes,fd={sizes}", "-device", "virtserialport,chardev=sizes,nr=2,name=sctune.sizes"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
    ]
    for drive in hardware.drives:
        # unsafe: the host does not sync. What the machine has synced is with the host's kernel, which outlives QEMU.
        options += ["-drive", f"file={drive},format=raw,if=virtio,cache=unsafe,discard=unmap"]
    return options
