"""tgtd's management socket against a fake daemon that misbehaves in every way."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sctune.host import tgtsocket
from sctune.host.base import TgtMode
from sctune.host.tgtsocket import REFUSED, ask, tgtadm_argv
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Daemon:
    """Listens as socket.7 in a folder of its own; `answer` gets the connection after the request was read."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="tgt-")
        self.path = f"{self.folder}/socket.7"
        self.requests: list[bytes] = []
        self.answer: Callable[[socket.socket], None] = lambda connection: None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(1)

    def serve(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(4096))
                try:
                    self.answer(connection)
                except OSError:
                    continue

    def close(self) -> None:
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        os.rmdir(self.folder)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon()
    yield made
    made.close()


def reply(body: bytes, error: int = 0, length: int | None = None) -> bytes:
    return struct.pack("=II", error, 8 + len(body) if length is None else length) + body


def request(daemon: Daemon, mode: TgtMode = TgtMode.TARGET, tid: int | None = None, timeout: float = 5.0) -> str | Unavailable:
    return ask(mode, control_port=7, tid=tid, timeout=timeout, folder=daemon.folder)


def refusal(answer: str | Unavailable) -> Unavailable:
    assert isinstance(answer, Unavailable)
    return answer


def test_the_text_without_its_nul(daemon: Daemon) -> None:
    daemon.answer = lambda c: c.sendall(reply(b"Target 1: iqn.x\n\0"))
    daemon.serve()
    assert request(daemon) == "Target 1: iqn.x\n"


def test_no_targets_is_an_empty_text(daemon: Daemon) -> None:
    daemon.answer = lambda c: c.sendall(reply(b""))
    daemon.serve()
    assert request(daemon) == ""


def test_paths_that_are_not_utf8_survive(daemon: Daemon) -> None:
    daemon.answer = lambda c: c.sendall(reply(b"/srv/\xff\xfe\0"))
    daemon.serve()
    answer = request(daemon)
    assert isinstance(answer, str)
    assert os.fsencode(answer) == b"/srv/\xff\xfe"


def test_a_reply_in_many_pieces(daemon: Daemon) -> None:
    body = b"x" * 300_000 + b"\0"

    def slowly(connection: socket.socket) -> None:
        whole = reply(body)
        for start in range(0, len(whole), 50_000):
            connection.sendall(whole[start : start + 50_000])
            time.sleep(0.002)

    daemon.answer = slowly
    daemon.serve()
    assert request(daemon) == "x" * 300_000


@pytest.mark.parametrize(
    ("mode", "number", "operation", "tid", "sent"),
    [
        (TgtMode.SYSTEM, 0, 2, None, -1),
        (TgtMode.TARGET, 1, 2, None, -1),
        (TgtMode.TARGET, 1, 2, 4, 4),
        (TgtMode.PORTAL, 3, 2, 4, -1),
        (TgtMode.CONNECTION, 6, 2, 4, 4),
        (TgtMode.ACCOUNT, 7, 2, None, -1),
        (TgtMode.STATISTICS, 0, 6, 4, -1),
    ],
)
def test_requests_are_what_tgtadm_sends(
    daemon: Daemon, mode: TgtMode, number: int, operation: int, tid: int | None, sent: int
) -> None:
    """The bytes of tgtadm 1.0.85 under strace."""
    daemon.answer = lambda c: c.sendall(reply(b""))
    daemon.serve()
    assert request(daemon, mode, tid) == ""
    body = b"iscsi".ljust(64, b"\0")
    expected = struct.pack("=ii", number, operation) + body + struct.pack("=Ii", 120, sent) + bytes(8) + b"\xff" * 8 + bytes(24)
    assert daemon.requests == [expected]
    assert len(expected) == 120


def test_only_reading_can_be_asked() -> None:
    """A request is chosen from a table in which every operation is SHOW, or STATS of the whole system."""
    asked = {struct.unpack_from("=ii", tgtsocket._request(mode, tid)) for mode in TgtMode for tid in (None, 1)}
    assert {pair for pair in asked if pair[1] != 2} == {(0, 6)}
    assert set(tgtsocket._MODES) == set(TgtMode)


def test_tgtadm_asks_the_same() -> None:
    assert tgtadm_argv(TgtMode.TARGET, 0, None) == ("tgtadm", "--lld", "iscsi", "--op", "show", "--mode", "target")
    assert tgtadm_argv(TgtMode.CONNECTION, 3, 5)[-4:] == ("--mode", "conn", "--tid", "5")
    assert tgtadm_argv(TgtMode.CONNECTION, 3, 5)[:3] == ("tgtadm", "-C", "3")
    assert "--tid" not in tgtadm_argv(TgtMode.PORTAL, 0, 5)
    assert tgtadm_argv(TgtMode.STATISTICS, 0, 5) == ("tgtadm", "--lld", "iscsi", "--op", "stat", "--mode", "sys")


def test_no_socket() -> None:
    assert refusal(ask(TgtMode.TARGET, control_port=7, tid=None, timeout=1, folder="/nowhere")).reason is Reason.ABSENT


def test_a_daemon_that_died(daemon: Daemon) -> None:
    daemon.listener.close()
    answer = refusal(request(daemon))
    assert (answer.reason, answer.detail) == (Reason.FAILED, REFUSED)


def test_a_file_that_is_no_socket(daemon: Daemon) -> None:
    daemon.listener.close()
    os.unlink(daemon.path)
    with open(daemon.path, "w"):
        pass
    assert refusal(request(daemon)).reason is Reason.FAILED


def test_a_stopped_daemon(daemon: Daemon) -> None:
    """SIGSTOP: the kernel accepts the connection, and nobody answers."""
    began = time.monotonic()
    answer = refusal(request(daemon, timeout=0.2))
    assert (answer.reason, answer.what) == (Reason.TIMEOUT, daemon.path)
    assert 0.15 < time.monotonic() - began < 1


def test_a_queue_that_is_full(daemon: Daemon) -> None:
    waiting = []
    for _ in range(8):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        waiting.append(connection)
        try:
            connection.connect(daemon.path)
        except BlockingIOError:
            break
    began = time.monotonic()
    answer = refusal(request(daemon, timeout=0.2))
    assert answer.reason is Reason.TIMEOUT
    assert "not accepted" in answer.detail
    assert time.monotonic() - began < 1
    for connection in waiting:
        connection.close()


def test_a_daemon_that_dribbles_keeps_to_one_deadline(daemon: Daemon) -> None:
    def dribble(connection: socket.socket) -> None:
        connection.sendall(reply(b"", length=1000))
        for _ in range(20):
            connection.sendall(b"x")
            time.sleep(0.05)

    daemon.answer = dribble
    daemon.serve()
    began = time.monotonic()
    assert refusal(request(daemon, timeout=0.3)).reason is Reason.TIMEOUT
    assert time.monotonic() - began < 0.8


def test_another_user_is_denied_before_anything_is_sent(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getegid", lambda: 12345)
    daemon.serve()
    assert refusal(request(daemon)).reason is Reason.DENIED
    time.sleep(0.05)
    assert daemon.requests in ([], [b""])


def test_no_right_to_connect(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tgtsocket, "_connect", refuse)
    assert refusal(request(daemon)).reason is Reason.DENIED


@pytest.mark.parametrize(
    ("sent", "reason", "words"),
    [
        (b"", Reason.FAILED, "closed the connection"),
        (b"\0\0\0", Reason.MALFORMED, "after 3 bytes"),
        (reply(b"", length=0), Reason.MALFORMED, "0 bytes"),
        (reply(b"", length=7), Reason.MALFORMED, "7 bytes"),
        (reply(b"", length=2**32 - 1), Reason.MALFORMED, "4294967295 bytes"),
        (reply(b"short", length=100), Reason.MALFORMED, "after 5 bytes"),
        (reply(b"", length=100), Reason.FAILED, "after 0 bytes"),
        (reply(b"", error=4), Reason.FAILED, "can't find the target"),
        (reply(b"", error=999), Reason.FAILED, "error 999"),
    ],
)
def test_bad_replies(daemon: Daemon, sent: bytes, reason: Reason, words: str) -> None:
    daemon.answer = lambda c: c.sendall(sent)
    daemon.serve()
    answer = refusal(request(daemon))
    assert answer.reason is reason
    assert words in answer.detail


def test_a_daemon_that_hangs_up_on_the_request(daemon: Daemon) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    daemon.answer = reset
    daemon.serve()
    assert refusal(request(daemon)).reason is Reason.FAILED


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.one_of(st.binary(max_size=64), st.builds(reply, st.binary(max_size=64), st.integers(0, 30))))
def test_any_reply_is_an_answer_or_a_reason(daemon: Daemon, sent: bytes) -> None:
    daemon.answer = lambda c: c.sendall(sent)
    if not daemon.requests:
        daemon.serve()
    assert isinstance(request(daemon, timeout=2), str | Unavailable)
