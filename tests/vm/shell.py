"""A shell in a storage host, for everybody who has none: ``python -m tests.vm.shell [--systemd] [--backend NAME | --fault NAME]``.

On a terminal it is an interactive shell; otherwise standard input is run as a script once it has ended, and its exit status is
returned. Either way the machine and everything in it is gone afterwards.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import select
import shlex
import signal
import socket
import sys
import termios
import threading
import tty
from typing import TYPE_CHECKING, NoReturn

from . import crowd, look
from .faults.hosts import HOST_FAULTS
from .faults.volumes import VOLUME_FAULTS
from .hosts.backends import BACKENDS
from .machine import Machine, MachineError
from .qemu import SIZES, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .faults.base import HostFault, VolumeFault

DEFAULT_BACKEND = "eucalyptus-overlay-3.3"
# Sparse: room for the thin volumes of any backend.
SCRATCH_BYTES = 64 << 30
FOR_EVER = 30 * 86400.0
# What is left to be printed when the shell has ended comes within this time.
LAST_WORDS_SECONDS = 0.3
GREETING = """\
A storage host with Debian's kernel {release}: {what}.
It is emulated and takes about ten times as long as a real one; this computer sees nothing of what is done here.

    sctune doctor                 what is wrong here
    sctune explain CODE           more about a finding
    losetup -l; lvs -a            the parts it joins: loop devices, LVM,
    tgtadm -m target -o show      exports,
    iscsiadm -m session -P 1      sessions
"""
FAREWELL = "\nexit or ^D ends the shell and the host; nothing of it stays.\n"


def prepare(machine: Machine, backend: str, fault: HostFault | tuple[VolumeFault, ...] | None) -> str:
    """Makes the machine a sound host of *backend*, or one with *fault*; with `sctune` in its PATH. Returns what to call it."""
    wrapper = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m sctune "$@"\n'
    machine.check(f"printf %s {shlex.quote(wrapper)} > /usr/local/bin/sctune; chmod 755 /usr/local/bin/sctune")
    if fault is None:
        crowd.script(machine, BACKENDS[backend].build())
        return f"a sound {backend}"
    expected, _ = look.make(machine, fault)
    codes = ", ".join(sorted({one.code for one in expected}))
    return f"with a fault ({codes})"


def interactive(machine: Machine, keyboard: int, screen: int) -> None:
    """An interactive shell in the machine on the terminal *keyboard* and *screen*, until it ends.

    :raises MachineError: the machine is gone.
    """
    prompt = r"PS1='\[\e[1m\]storage-host\[\e[0m\]:\w\$ '"
    columns, rows = os.get_terminal_size(screen)
    command = f"""
        export TERM={shlex.quote(os.environ.get("TERM", "dumb"))}
        printf '%s\\n' {shlex.quote(prompt)} > /run/sctune-shell
        # Opened by the leader of a session, the device becomes its controlling terminal; it forgets its size whenever it is closed.
        exec <{TERMINAL} >{TERMINAL} 2>&1
        stty sane rows {rows} cols {columns}
        while read -r rows columns; do stty -F {TERMINAL} rows $rows cols $columns; done <{SIZES} >/dev/null 2>&1 &
        cd; bash --noprofile --rcfile /run/sctune-shell -i
        kill $!
    """
    lost: list[MachineError] = []
    ours, theirs = socket.socketpair()

    def shell() -> None:
        try:
            machine.run(command, timeout=FOR_EVER)
        except MachineError as error:
            lost.append(error)
        finally:
            theirs.close()

    def resized(_signal: int, _frame: object) -> None:
        columns, rows = os.get_terminal_size(screen)
        machine.sizes.sendall(f"{rows} {columns}\n".encode())

    with ours, raw(keyboard):
        before = signal.signal(signal.SIGWINCH, resized)
        try:
            threading.Thread(target=shell, daemon=True).start()
            pump(machine.terminal, keyboard, screen, ours)
        finally:
            signal.signal(signal.SIGWINCH, before)
    if lost:
        raise lost[0]


def pump(terminal: socket.socket, keyboard: int, screen: int, end: socket.socket) -> None:
    """Carry what is typed into the machine and what it prints out of it, until *end* or the keyboard is closed."""
    last = False
    sources: list[socket.socket | int] = [terminal, keyboard, end]
    while True:
        ready = select.select(sources, [], [], LAST_WORDS_SECONDS if last else None)[0]
        if terminal in ready:
            said = terminal.recv(1 << 16)
            while said:
                said = said[os.write(screen, said) :]
        elif last:
            return
        if keyboard in ready:
            typed = os.read(keyboard, 4096)
            if not typed:
                return
            terminal.sendall(typed)
        if end in ready:
            last, sources = True, [terminal]


@contextlib.contextmanager
def raw(keyboard: int) -> Iterator[None]:
    """Every key, ^C too, goes through as it is."""
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def batch(machine: Machine, script: str) -> int:
    """Run *script* with bash, print what it prints, and return its exit status."""
    encoded = base64.b64encode(script.encode()).decode()
    done = machine.run(f"cd; echo {encoded} | base64 -d > /run/sctune-script; exec bash /run/sctune-script", timeout=FOR_EVER)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.status


def main() -> int:
    """Boot, prepare, hand over."""
    parser = argparse.ArgumentParser(prog="tests.vm.shell", description="A shell in a storage host under QEMU.")
    parser.add_argument("--systemd", action="store_true", help="systemd is the first process")
    parser.add_argument("--list", action="store_true", help="name all backends and faults")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--backend", default=DEFAULT_BACKEND, choices=BACKENDS, metavar="NAME", help="a sound host of this one")
    kind.add_argument("--fault", default="", metavar="NAME", help="a host with this fault; A+B: with two faults of volumes")
    options = parser.parse_args()
    if options.list:
        print("BACKEND:", *BACKENDS)
        print("FAULT:  ", *(one.name for one in VOLUME_FAULTS), *(one.name for one in HOST_FAULTS))
        return 0
    try:
        fault = look.find(options.fault) if options.fault else None
    except KeyError as error:
        parser.error(f"no fault is named {error}; --list names them")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    print("Booting, about 20 s …", file=sys.stderr, flush=True)
    wanted = look.boot_options(fault) if fault is not None else {"scratch_bytes": SCRATCH_BYTES}
    if options.systemd:
        wanted["systemd"] = True
    try:
        with Machine.boot(**wanted) as machine:
            what = prepare(machine, options.backend, fault)
            print(GREETING.format(release=machine.release, what=what), file=sys.stderr, flush=True)
            if not sys.stdin.isatty():
                return batch(machine, sys.stdin.read())
            print(FAREWELL, file=sys.stderr, flush=True)
            interactive(machine, sys.stdin.fileno(), sys.stdout.fileno())
    except MachineError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def leave(number: int, _frame: object) -> NoReturn:
    """A signal that ends us ends the machine first, by way of the ``with`` block."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
