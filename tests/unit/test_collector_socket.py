"""The collector behind its socket: what it understands, whom it answers, and what it stands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.exporters.prometheus import protocol
from sctune.exporters.prometheus.collector_server import MOST_AT_ONCE, CollectorServer
from sctune.exporters.prometheus.peers import Allowed, Peer, allowed
from sctune.exporters.prometheus.socket_source import at_path, through
from sctune.exporters.prometheus.source import Unanswered, Wanted
from sctune.exporters.prometheus.web.listen import listen_at

from .web_server import OPENMETRICS, TEXT, FakeSource, until

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = st.lists(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True), max_size=protocol.MOST_NAMES, unique=True).map(tuple)


@given(names=NAMES, exclude=st.booleans(), milliseconds=st.integers(1, 600_000), openmetrics=st.booleans())
def test_what_is_asked_arrives(names: tuple[str, ...], exclude: bool, milliseconds: int, openmetrics: bool) -> None:
    wanted = Wanted(
        collect=() if exclude else names, exclude=names if exclude else (), timeout=milliseconds / 1000, openmetrics=openmetrics
    )
    data = protocol.request(wanted)
    head, rest = data[: protocol.REQUEST_HEAD], data[protocol.REQUEST_HEAD :]
    assert len(rest) == protocol.names_bytes(head)
    assert protocol.wanted(head, rest) == wanted


@given(
    head=st.binary(max_size=20) | st.binary(min_size=8, max_size=8).map(lambda rest: protocol.MAGIC + rest),
    rest=st.binary(max_size=99),
)
def test_anything_else_is_malformed_or_means_something(head: bytes, rest: bytes) -> None:
    try:
        wanted = protocol.wanted(head, rest)
    except protocol.Malformed:
        return
    assert protocol.request(wanted) == head + rest  # nothing is understood in two ways


@given(head=st.binary(max_size=20) | st.binary(min_size=5, max_size=5).map(lambda rest: protocol.MAGIC + rest))
def test_replies_are_bounded(head: bytes) -> None:
    try:
        outcome, length = protocol.read_reply(head)
    except protocol.Malformed:
        return
    assert length <= (protocol.LARGEST_REPLY if outcome is protocol.Outcome.SAMPLES else protocol.LARGEST_MESSAGE)


@pytest.mark.parametrize(
    "wanted", [Wanted(collect=("../x",)), Wanted(collect=("a" * 33,)), Wanted(exclude=("é",)),
     Wanted(collect=("a",) * 65), Wanted(collect=("a",), exclude=("b",))]
)  # fmt: skip
def test_what_cannot_be_asked(wanted: Wanted) -> None:
    with pytest.raises(Unanswered) as raised:
        protocol.request(wanted)
    assert raised.value.asked_wrongly


@contextmanager
def collecting(folder: Path, who: Allowed | None = None, **serve: Any) -> Iterator[tuple[FakeSource, str, list[str]]]:
    source, path, log = FakeSource(), str(folder / "collector.sock"), list[str]()
    listener = listen_at(path)
    server = CollectorServer(source, who or Allowed(), listeners=[listener], tell=log.append)
    thread = threading.Thread(target=lambda: server.serve(**serve), daemon=True)
    thread.start()
    try:
        yield source, path, log
    finally:
        source.gate.set()
        server.stop()
        thread.join(5)
        assert not thread.is_alive()
        listener.close()


def test_a_scrape_through_the_socket(tmp_path: Path) -> None:
    with collecting(tmp_path) as (source, path, log):
        assert at_path(path).scrape(Wanted(openmetrics=True, timeout=3.0, exclude=("lvm",))) == OPENMETRICS
        assert source.asked == [Wanted(openmetrics=True, timeout=3.0, exclude=("lvm",))]
        with pytest.raises(Unanswered, match="no collector 'nosuch'") as raised:
            at_path(path).scrape(Wanted(collect=("nosuch",)))
        assert raised.value.asked_wrongly
        source.gone = "nothing works"
        with pytest.raises(Unanswered, match="nothing works") as raised:
            at_path(path).scrape(Wanted())
        assert not raised.value.asked_wrongly
        source.gone, source.broken = "", ValueError("SECRET")
        with pytest.raises(Unanswered, match=r"the collector failed: ValueError$"):
            at_path(path).scrape(Wanted())
        source.broken = None
        assert at_path(path).scrape(Wanted()) == TEXT
        assert len(log) == 1


def test_garbage_does_no_harm(tmp_path: Path) -> None:
    with collecting(tmp_path) as (source, path, _):
        for data in (
            b"",
            b"GET /metrics HTTP/1.1\r\n\r\n",
            os.urandom(4096),
            protocol.MAGIC + b"\xff" * 8,
            protocol.MAGIC + b"\0" * 8,
        ):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(path)
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                try:
                    answer = connection.recv(4096)
                except ConnectionResetError:
                    answer = b""
                assert not answer or answer[8] == protocol.Outcome.ASKED_WRONGLY
        assert not source.asked
        assert at_path(path).scrape(Wanted()) == TEXT


def test_silent_peers_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sctune.exporters.prometheus.collector_server.ASKING", 0.3)
    with collecting(tmp_path) as (_, path, _log):
        silent = [socket.socket(socket.AF_UNIX) for _ in range(MOST_AT_ONCE + 4)]
        for connection in silent:
            connection.connect(path)
        time.sleep(0.1)
        with pytest.raises(Unanswered, match="busy"):
            at_path(path).scrape(Wanted(timeout=1.0))
        time.sleep(0.5)
        assert at_path(path).scrape(Wanted()) == TEXT
        for connection in silent:
            connection.close()


def test_a_source_that_hangs_is_told_and_stops_the_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sctune.exporters.prometheus.pending.GRACE", 0.1)
    monkeypatch.setattr("sctune.exporters.prometheus.socket_source.TRANSFER", 0.1)
    signs: list[float] = []
    with collecting(tmp_path, every=0.05, ping=lambda: signs.append(time.monotonic())) as (source, path, _):
        until(lambda: len(signs) > 2)
        source.gate.clear()
        with pytest.raises(Unanswered, match=r"no answer within 0\.1 s"):
            at_path(path).scrape(Wanted(timeout=0.1))
        time.sleep(0.2)
        stopped = len(signs)
        time.sleep(0.3)
        assert len(signs) == stopped
        source.gate.set()
        until(lambda: len(signs) > stopped)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Unanswered, match="No such file"):
        at_path(str(tmp_path / "none")).scrape(Wanted())
    listen_at(str(tmp_path / "dead")).close()
    with pytest.raises(Unanswered, match="refused"):
        at_path(str(tmp_path / "dead")).scrape(Wanted())
    listen_at(str(tmp_path / "dead")).close()  # a dead one is replaced


def test_who_may_ask() -> None:
    assert Allowed().admits(Peer(pid=1, uid=0, gid=5))
    assert not Allowed(uids=frozenset({7}), gids=frozenset({8})).admits(Peer(pid=1, uid=8888, gid=7))
    assert Allowed(uids=frozenset({8888})).admits(Peer(pid=1, uid=8888, gid=7))
    assert Allowed(gids=frozenset({7})).admits(Peer(pid=1, uid=8888, gid=7))
    assert allowed(["root", "12"], ["root"]) == Allowed(uids=frozenset({0, 12}), gids=frozenset({0}))


@pytest.mark.spawns
@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
@pytest.mark.parametrize(("gid", "admitted"), [(65533, False), (65532, True)])
def test_another_user(tmp_path: Path, gid: int, admitted: bool) -> None:
    """The kernel's word on who it is: a peer that may connect to the socket and may not ask."""
    with collecting(tmp_path, Allowed(gids=frozenset({65532}))) as (source, path, log):
        os.chmod(path, 0o666)
        os.chmod(tmp_path, 0o755)
        connection = socket.socket(socket.AF_UNIX)
        folder = os.open(tmp_path, os.O_PATH)
        pid = os.fork()
        if pid == 0:
            code = 9
            try:
                os.fchdir(folder)
                os.setgroups([])
                os.setresgid(gid, gid, gid)
                os.setresuid(65533, 65533, 65533)
                connection.connect("collector.sock")
                connection.sendall(protocol.request(Wanted()))
                code = 1 if connection.recv(4096) else 2
            except (ConnectionResetError, BrokenPipeError):
                code = 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (1 if admitted else 2)
        assert bool(source.asked) == admitted
        assert bool(log) != admitted
        os.close(folder)
        connection.close()


def test_a_collector_that_is_a_child_gets_its_connections_passed() -> None:
    ours, theirs = socket.socketpair()
    source, log = FakeSource(), list[str]()
    server = CollectorServer(source, Allowed(), control=theirs, tell=log.append)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    asking = through(ours)
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(asking.scrape(Wanted()))) for _ in range(10)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert answers == [TEXT] * 10
    ours.close()
    thread.join(5)
    assert not thread.is_alive()  # it ends with its parent


def test_a_collector_that_cannot_look_any_more_ends_without_a_sign_of_life(tmp_path: Path) -> None:
    listener, log, pings, looks = listen_at(str(tmp_path / "socket")), list[str](), list[int](), [True, False]
    server = CollectorServer(FakeSource(), Allowed(), listeners=[listener], alive=lambda: looks.pop(0), tell=log.append)
    assert server.serve(every=0.05, ping=lambda: pings.append(1)) is False
    assert len(pings) == 1
    assert len(log) == 1
    listener.close()


@pytest.mark.spawns
def test_a_collector_ends_with_an_error_when_who_makes_its_children_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "collector.sock"
    argv = [sys.executable, "-m", "sctune", "collector", "--socket", str(path)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(path.exists, 30)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            until(lambda: bool(children.read_text().split()), 30)
            os.kill(int(children.read_text().split()[0]), 9)
            assert process.wait(20) == 1
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read().count("has ended") == 1


@pytest.mark.spawns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's exporter has a collector in a process of its own")
def test_an_exporter_ends_with_an_error_when_who_makes_the_children_is_killed() -> None:
    def children(pid: int) -> list[int]:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    argv = [sys.executable, "-m", "sctune", "exporter", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: bool(children(process.pid)), 30)
            (collector,) = children(process.pid)
            until(lambda: bool(children(collector)), 30)
            os.kill(children(collector)[0], 9)
            assert process.wait(20) == 1
        finally:
            process.kill()
        assert process.stderr is not None
        log = process.stderr.read()
    assert log.count("the process that starts the children") == 1
    assert log.count("the collector's process has ended") == 1


@pytest.mark.spawns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's exporter has a collector in a process of its own")
def test_an_exporter_whose_whole_group_is_told_to_end_ends_well() -> None:
    """As a service manager does, and timeout(1): the collector may be gone before the exporter has seen its own signal."""
    argv = [sys.executable, "-m", "sctune", "exporter", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stderr is not None
            assert "serving on" in process.stderr.readline()
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            until(lambda: bool(children.read_text().split()), 30)
            (collector,) = children.read_text().split()
            until(lambda: bool(Path(f"/proc/{collector}/task/{collector}/children").read_text().split()), 30)
            os.kill(int(collector), 15)
            until(lambda: not children.read_text().split() or "Z" in Path(f"/proc/{collector}/stat").read_text().split()[2], 30)
            os.kill(process.pid, 15)
            assert process.wait(20) == 0
            assert "has ended" not in process.stderr.read()
        finally:
            process.kill()
