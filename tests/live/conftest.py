"""Real parts: loop devices, a tgtd of our own, userspace initiators, and a file system that never answers.

Every fixture removes what it made, and nothing else: loop devices by name, processes by pid.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.sshd import Sshd

GIB = 1 << 30
MIB = 1 << 20


def run(*argv: str, check: bool = True) -> str:
    """A tool's stdout; it must succeed unless told otherwise, and end: tgtadm waits for ever for an answer that is lost."""
    done = subprocess.run(argv, text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=120)
    assert not check or done.returncode == 0, f"{argv}: {done.returncode} {done.stderr}"
    return done.stdout


def wait_for(condition: object, seconds: float = 10.0) -> None:
    """Until a condition holds."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@dataclass
class Loops:
    """Loop devices on sparse files in one folder."""

    folder: Path
    attached: list[str] = field(default_factory=list)

    def file(self, name: str, size: int = 64 * MIB) -> Path:
        path = self.folder / name
        with open(path, "wb") as file:
            file.truncate(size)
        return path

    def attach(self, path: Path, *options: str) -> str:
        device = run("losetup", "--find", "--show", *options, str(path)).strip()
        self.attached.append(device)
        return device

    def detach(self, device: str) -> None:
        run("losetup", "--detach", device)

    def close(self) -> None:
        for device in reversed(self.attached):
            with open(f"/sys/block/{device[5:]}/size") as file:
                if int(file.read()) and self.is_ours(device):
                    run("losetup", "--detach", device, check=False)

    def is_ours(self, device: str) -> bool:
        try:
            with open(f"/sys/block/{device[5:]}/loop/backing_file") as file:
                return file.read().startswith(str(self.folder))
        except OSError:
            return False


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[Loops]:
    """A factory of loop devices on files under volumes/ of the test's folder."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    made = Loops(folder=folder)
    yield made
    made.close()


@dataclass
class Tgt:
    """A tgtd of our own: its control port, its portal on loopback, its pid."""

    control_port: int
    portal: str
    process: subprocess.Popen[bytes]
    tids: int = 0

    def admin(self, *options: str, check: bool = True) -> str:
        return run("tgtadm", "-C", str(self.control_port), "--lld", "iscsi", *options, check=check)

    def target(
        self, backing: str, iqn: str | None = None, *, acl: str | None = "127.0.0.1", bstype: str = "rdwr"
    ) -> tuple[int, str]:
        """A target with `backing` as LUN 1 (none when ""), open to `acl`. Returns its id and IQN."""
        self.tids += 1
        tid, iqn = self.tids, iqn or f"iqn.2026-01.org.example:store{self.tids}"
        self.admin("--op", "new", "--mode", "target", "--tid", str(tid), "-T", iqn)
        if backing:
            self.admin("--op", "new", "--mode", "logicalunit", "--tid", str(tid), "--lun", "1", "-b", backing, "-E", bstype)
        if acl:
            self.admin("--op", "bind", "--mode", "target", "--tid", str(tid), "-I", acl)
        return tid, iqn

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def start_tgtd(control_port: int) -> Tgt:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    portal = f"127.0.0.1:{port}"
    process = subprocess.Popen(
        ["tgtd", "-f", "-C", str(control_port), "--iscsi", f"portal={portal}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = Tgt(control_port=control_port, portal=portal, process=process)
    wait_for(lambda: "State: ready" in made.admin("--op", "show", "--mode", "sys", check=False))
    return made


def forget_sockets(control_port: int) -> None:
    """What a killed tgtd leaves behind in its run folder."""
    for name in (f"socket.{control_port}", f"socket.{control_port}.lock"):
        path = f"/var/run/tgtd/{name}"
        if os.path.exists(path):
            os.unlink(path)


@pytest.fixture
def tgt() -> Iterator[Tgt]:
    """A tgtd on loopback with a control port of its own."""
    made = start_tgtd(71)
    yield made
    made.resume()
    made.kill()
    forget_sockets(made.control_port)


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """An sshd on loopback; the test's `ssh` is set up for it (see `sshd.LOGINS` for the hosts it knows)."""
    from tests.live.sshd import serve

    with serve(tmp_path / "sshd") as made:
        monkeypatch.setenv("PATH", f"{made.folder}/bin:{os.environ['PATH']}")
        yield made


_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class DeadMount:
    """A file system whose server never answers: what an unreachable NFS server looks like to stat(2).

    With `take` called, the server reads each request and keeps it: whoever asked then waits in uninterruptible sleep, which
    SIGKILL does not end (fs/fuse/dev.c, request_wait_answer).
    """

    point: Path
    descriptor: int

    def take(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self.descriptor, 1 << 17)
            except OSError:
                return
            _, opcode, unique = struct.unpack_from("=IIQ", request)
            if opcode == 26:  # FUSE_INIT is answered, nothing else is
                body = struct.pack("=IIIIHHIIHHI28x", 7, 31, 4096, 0, 12, 10, 4096, 1, 0, 0, 0)
                os.write(self.descriptor, struct.pack("=IiQ", 16 + len(body), 0, unique) + body)


@pytest.fixture
def dead_mount(tmp_path: Path) -> Iterator[DeadMount]:
    """A FUSE mount that nobody serves."""
    point = tmp_path / "dead"
    point.mkdir()
    descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={descriptor},rootmode=40000,user_id=0,group_id=0".encode()
    assert _LIBC.mount(b"dead", os.fsencode(point), b"fuse", 0, options) == 0, os.strerror(ctypes.get_errno())
    yield DeadMount(point=point, descriptor=descriptor)
    _LIBC.umount2(os.fsencode(point), 1)  # MNT_FORCE aborts what is pending: whoever hangs there gets an error
    _LIBC.umount2(os.fsencode(point), 2)
    os.close(descriptor)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only root may attach loop devices, mount and start a tgtd."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
