"""The shell in a storage host, as `make vm` gives it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .machine import Machine

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 30.0


@pytest.mark.spawns
def test_a_pipe_is_a_script(machine: Machine, tmp_path: Path) -> None:
    assert machine.release  # else there can be none here, and the test is skipped with the reason
    script = "sctune doctor --fail-on never --format text | grep LOOP_BACKING_DELETED\necho complaint >&2\nexit 4\n"
    done = subprocess.run(
        [sys.executable, "-m", "tests.vm.shell", "--fault", "backing-deleted"],
        input=script,
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stdout.startswith("CRITICAL  LOOP_BACKING_DELETED"), done.stderr
    assert "with a fault (LOOP_BACKING_DELETED" in done.stderr
    assert done.stderr.endswith("complaint\n")
    assert list(tmp_path.iterdir()) == []


class Terminal:
    """Somebody at a terminal: types, and waits for what appears."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of its window."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def expect(self, text: str) -> None:
        """Wait until *text* appears, after what was waited for before."""
        end = time.monotonic() + SECONDS
        while text.encode() not in self.seen:
            if not select.select([self.master], [], [], max(end - time.monotonic(), 0.0))[0]:
                raise AssertionError(f"{text!r} did not appear; what did: {self.seen!r}")
            self.seen += os.read(self.master, 4096)
        self.seen = self.seen.partition(text.encode())[2]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of 40 rows and 120 columns."""
    made = Terminal()
    made.resize(40, 120)
    yield made
    os.close(made.master)
    os.close(made.slave)


def test_a_terminal_is_a_shell(machine: Machine, terminal: Terminal) -> None:
    wrong: list[BaseException] = []

    def sit_at_it() -> None:
        try:
            terminal.expect("storage-host")
            terminal.type("stty size; tty\n")
            terminal.expect("40 120\r\n/dev/hvc0\r\n")
            terminal.resize(50, 100)
            os.kill(os.getpid(), signal.SIGWINCH)
            terminal.type("until [ \"$(stty size)\" = '50 100' ]; do :; done; echo re''sized\n")
            terminal.expect("resized\r\n")
            # Said by the job itself: a ^C while bash is still handing the terminal over to one ends the shell.
            terminal.type("sh -c 'echo be\"\"gun; exec sleep 4324'\n")
            terminal.expect("begun\r\n")
            terminal.type("\x03")  # ^C is for what runs there, not for this test
            terminal.expect("# ")
            terminal.type("echo $?.\n")
            terminal.expect("130.\r\n")
            terminal.expect("# ")
            terminal.type("\x04")
        except BaseException as error:
            wrong.append(error)
            os.write(machine.terminal.fileno(), b"\x03\x04exit\n")

    person = threading.Thread(target=sit_at_it)
    before = termios.tcgetattr(terminal.slave)
    person.start()
    shell.interactive(machine, terminal.slave, terminal.slave)
    person.join()
    if wrong:
        raise wrong[0]
    assert termios.tcgetattr(terminal.slave) == before
    assert machine.run("pgrep -x bash").status == 1
