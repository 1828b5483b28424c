"""An sshd of our own on loopback, and the machine's ssh set up for it alone.

All logins are root's; which key is used says what happens then, and stands for what goes wrong on other machines.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.conftest import run, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
_RUN = Path("/run/sshd")  # sshd wants it, and Debian's unit makes it
_ASKED = 'sh -c "$SSH_ORIGINAL_COMMAND"'
LOGINS = {
    "us": f"exec {_ASKED}",
    # What a login prints, half a line of it on standard output, and something at the end.
    "noisy": f'echo "Welcome to $(uname -n)"; printf "half a line"; echo "sudo: a lecture" >&2; {_ASKED}; echo bye',
    "nobody": f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {_ASKED}",
    "busybox": "exec busybox $SSH_ORIGINAL_COMMAND",
    "cut": f"{_ASKED} | head -c 2000",
    "silent": "exec sleep 300",
    "shell-less": 'echo "ksh: sh: not found" >&2; exit 127',
    "fenced": 'echo "This account is currently not available."; exit 1',
    "terminal": 'echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1',
    "wordless": "exit 0",
    "talker": 'echo "Please choose: [1] menu [2] logout"; exit 0',
}
_SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Banner {folder}/banner
PidFile none
LogLevel ERROR
"""
_CLIENT = """
Host dead
  Port {dead}
Host stranger
  UserKnownHostsFile /dev/null
Host changed
  UserKnownHostsFile {folder}/other_hosts
Host *
  HostName 127.0.0.1
  HostKeyAlias us
  Port {port}
  User root
  IdentityFile {folder}/key-%n
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  LocalForward 127.0.0.1:1 127.0.0.1:1
  RemoteCommand /bin/false
  RequestTTY force
"""


@dataclass
class Sshd:
    """The server's port and process, and a folder whose `ssh` is the system's with a configuration for this server. What that
    asks for (a terminal, another command, a forwarded port that cannot be had) must not disturb a look."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def _key(folder: Path, name: str) -> str:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    return (folder / f"{name}.pub").read_text()


def _write(folder: Path, port: int) -> None:
    for file, key in (("known_hosts", "host_key"), ("other_hosts", "other_host_key")):
        (folder / file).write_text(f"us {_key(folder, key)}")
    _key(folder, "key-locked")
    with open(folder / "authorized_keys", "w") as keys:
        for name, commands in LOGINS.items():
            program = folder / f"login-{name}"
            program.write_text(f"#!/bin/sh\n{commands}\n")
            program.chmod(0o755)
            keys.write(f'command="{program}" {_key(folder, f"key-{name}")}')
    (folder / "banner").write_text("Authorised use only. Permission denied (to everybody else).\n")
    (folder / "server").write_text(_SERVER.format(port=port, folder=folder))
    (folder / "client").write_text(_CLIENT.format(port=port, folder=folder, dead=_free_port()))
    (folder / "bin").mkdir()
    program = folder / "bin" / "ssh"
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    program.chmod(0o755)


@contextmanager
def serve(folder: Path) -> Iterator[Sshd]:
    """Runs it on a port of its own until it is left; `folder` is made."""
    server = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if server is None or not shutil.which("ssh-keygen"):
        pytest.skip("no OpenSSH server")
    port = _free_port()
    folder.mkdir()
    _write(folder, port)
    made = not _RUN.exists()
    if made:
        _RUN.mkdir(mode=0o755)
    log = (folder / "log").open("wb")
    process = subprocess.Popen([server, "-D", "-e", "-f", str(folder / "server")], stdin=subprocess.DEVNULL, stderr=log)
    try:
        wait_for(lambda: _listens(port))
        yield Sshd(folder=folder, port=port, process=process)
    finally:
        process.kill()
        process.wait()
        log.close()
        if made:
            _RUN.rmdir()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
