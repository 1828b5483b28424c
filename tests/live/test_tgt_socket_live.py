"""The management socket of a real tgtd: every request, word for word what tgtadm prints, and every way of not answering."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.host.base import TgtMode
from sctune.host.live import LiveHost
from sctune.host.tgtsocket import REFUSED, SOCKET_FOLDER, ask, tgtadm_argv
from sctune.inventory import Inventory
from sctune.io_rates import lun_difference
from sctune.probes.tgt import probe
from sctune.probes.tgt_io import parse as parse_luns
from sctune.probes.tgt_io import read_luns
from sctune.probes.tgt_text import parse_targets
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

SECRET = "notSecret0123"
DEADLINE = 0.3


@pytest.fixture
def served(tgt: Tgt, loops: Loops) -> Iterator[Tgt]:
    """Two disks and CHAP both ways under one target, ACLs of every kind on another, a session on a third, two portals."""
    tgt.target(loops.attach(loops.file("one")), acl="ALL")
    tgt.admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "2", "-b", str(loops.file("with space")))
    for user, outgoing in (("in", []), ("out", ["--outgoing"])):
        tgt.admin("--op", "new", "--mode", "account", "--user", user, "--password", SECRET)
        tgt.admin("--op", "bind", "--mode", "account", "--tid", "1", "--user", user, *outgoing)
    tgt.target("", acl="192.0.2.0/24")
    tgt.admin("--op", "bind", "--mode", "target", "--tid", "2", "-Q", "iqn.2026-01.org.example:initiator")
    _, iqn = tgt.target(loops.attach(loops.file("three")))
    tgt.admin("--op", "new", "--mode", "portal", "--param", "portal=[::1]:33278")
    initiator = subprocess.Popen(
        ["iscsi-perf", "-t", "60", f"iscsi://{tgt.portal}/{iqn}/1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 10
    while "Initiator:" not in tgt.admin("--op", "show", "--mode", "target") and time.monotonic() < end:
        time.sleep(0.05)
    yield tgt
    initiator.kill()
    initiator.wait()


def answer_of(tgt: Tgt, mode: TgtMode = TgtMode.TARGET, tid: int | None = None) -> str | Unavailable:
    return ask(mode, control_port=tgt.control_port, tid=tid, timeout=DEADLINE)


def refusal(tgt: Tgt) -> Unavailable:
    answer = answer_of(tgt)
    assert isinstance(answer, Unavailable), answer
    return answer


@pytest.mark.parametrize("tid", [None, 1, 2, 3])
@pytest.mark.parametrize("mode", [mode for mode in TgtMode if mode is not TgtMode.STATISTICS])
def test_every_request_says_what_tgtadm_says(served: Tgt, mode: TgtMode, tid: int | None) -> None:
    command = subprocess.run(
        tgtadm_argv(mode, served.control_port, tid), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    answer = answer_of(served, mode, tid)
    if mode is TgtMode.CONNECTION and tid is None:
        assert command.returncode == 22
        assert isinstance(answer, Unavailable)
        assert answer.detail == command.stderr.strip().removeprefix("tgtadm: ")
    else:
        assert (command.returncode, command.stderr) == (0, "")
        assert answer == command.stdout


def test_counters_move_while_an_initiator_reads(served: Tgt) -> None:
    """They are others at every look, so the command and the socket are compared in what stays."""
    argv = tgtadm_argv(TgtMode.STATISTICS, served.control_port, None)
    command = subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    began = time.monotonic()
    with LiveHost() as host:
        first = read_luns(host, served.control_port)
        time.sleep(0.3)
        second = read_luns(host, served.control_port)
    assert not isinstance(first, Unavailable)
    assert not isinstance(second, Unavailable)
    by_command = parse_luns(command.stdout, served.control_port)
    assert not isinstance(by_command, Unavailable)
    assert [(one.tid, one.lun, one.sid) for one in first] == [(one.tid, one.lun, one.sid) for one in by_command]
    disk = [one for one in second if one.lun == 1]
    rates = lun_difference([one for one in first if one.lun == 1], disk, time.monotonic() - began)
    assert rates is not None
    assert rates.reads > 0
    assert rates.read_bytes > 512
    assert (rates.writes, disk[0].tid, disk[0].control_port) == (0, 3, served.control_port)


def test_what_is_read_of_it(served: Tgt) -> None:
    with LiveHost() as host:
        found = probe(host)
    assert not isinstance(found, Unavailable)
    daemon = next(item for item in found.daemons if item.control_port == served.control_port)
    one, two, three = daemon.targets
    assert [lun.kind for lun in one.luns] == ["controller", "disk", "disk"]
    assert one.disks[1].backing_path.endswith("/with space")
    assert (one.acls, one.accounts, one.outgoing_accounts) == (("ALL",), ("in",), ("out",))
    assert two.acls == ("192.0.2.0/24", "iqn.2026-01.org.example:initiator")
    assert [nexus.connections[0].address for nexus in three.nexuses] == ["127.0.0.1"]
    assert {f"{portal.address}:{portal.port}" for portal in daemon.portals} == {served.portal, "::1:33278"}
    assert daemon.state == "ready"
    assert set(daemon.accounts) == {"in", "out"}
    assert SECRET not in repr(found)


def test_what_lies_at_the_backing_paths(served: Tgt, loops: Loops) -> None:
    os.unlink(loops.folder / "with space")
    with LiveHost() as host:
        backings = Inventory(host, Config(), strict=True).backings
    assert not isinstance(backings, Unavailable)
    mine = {backing.path: backing for backing in backings if backing.path.startswith((str(loops.folder), *loops.attached))}
    assert {mine[device].device_size for device in loops.attached} == {64 << 20}
    gone = mine[str(loops.folder / "with space")].stat
    assert isinstance(gone, Unavailable)
    assert gone.reason is Reason.ABSENT


def test_a_stopped_daemon_costs_its_deadline(tgt: Tgt) -> None:
    tgt.stop()
    began = time.monotonic()
    assert refusal(tgt).reason is Reason.TIMEOUT
    assert time.monotonic() - began < 2 * DEADLINE
    tgt.resume()
    assert answer_of(tgt) == ""


def test_a_stopped_daemon_whose_queue_is_full(tgt: Tgt) -> None:
    tgt.stop()
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            waiting.setblocking(False)
            try:
                waiting.connect(f"{SOCKET_FOLDER}/socket.{tgt.control_port}")
            except BlockingIOError:
                break
        answer = refusal(tgt)
    assert answer.reason is Reason.TIMEOUT
    assert "not accepted" in answer.detail
    tgt.resume()


def test_a_killed_daemon_leaves_a_socket_that_refuses(tgt: Tgt) -> None:
    tgt.kill()
    assert os.path.exists(f"{SOCKET_FOLDER}/socket.{tgt.control_port}")
    assert (refusal(tgt).reason, refusal(tgt).detail) == (Reason.FAILED, REFUSED)


def test_so_does_one_that_was_told_to_end(tgt: Tgt) -> None:
    """Which is why a socket left behind is no proof of a crash."""
    # It ends at once, and sometimes its answer is lost: then tgtadm would wait for ever.
    command = ("tgtadm", "-C", str(tgt.control_port), "--lld", "iscsi", "--op", "delete", "--mode", "system")
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)
    assert tgt.process.wait(timeout=10) == 0
    assert (refusal(tgt).reason, refusal(tgt).detail) == (Reason.FAILED, REFUSED)


@pytest.mark.parametrize(("uid", "gid"), [(65534, 65534), (0, 65534), (65534, 0)])
def test_others_are_denied(tgt: Tgt, uid: int, gid: int) -> None:
    def as_other() -> Reason | None:
        answer = answer_of(tgt)
        return answer.reason if isinstance(answer, Unavailable) else None

    assert _in_child(as_other, uid, gid) == "denied"


def _in_child(job: Callable[[], object], uid: int, gid: int) -> str:
    """What `job` returns for another user: credentials cannot be given back, so a child takes them."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.write(writer, str(job()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


def test_two_hundred_targets(tgt: Tgt) -> None:
    for number in range(1, 201):
        tgt.admin("--op", "new", "--mode", "target", "--tid", str(number), "-T", f"iqn.2026-01.org.example:many{number}")
    answer = answer_of(tgt)
    assert isinstance(answer, str)
    found = parse_targets(answer, tgt.control_port)
    assert isinstance(found, tuple)
    assert [target.tid for target in found] == list(range(1, 201))
