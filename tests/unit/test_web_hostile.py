"""Clients that mean harm, or are broken: a scrape beside them is answered, and they cost little."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sctune.exporters.prometheus.web import crowd

from .certificates import client, server_files
from .web_server import Served, read_answer, serving, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.spawns  # openssl makes the certificates


@pytest.fixture(autouse=True)
def enough_descriptors() -> Iterator[None]:
    """Both ends of all connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident() -> int:
    """Bytes of this process that are in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def good_scrape(served: Served, tls: ssl.SSLContext | None = None) -> float:
    """Seconds that an ordinary scrape takes; it has to be answered."""
    began = time.monotonic()
    answer = served.ask(headers={"X-Prometheus-Scrape-Timeout-Seconds": "5"}, tls=tls, timeout=5.0)
    assert answer.status == 200
    return time.monotonic() - began


def test_silent_clients_and_half_requests() -> None:
    with serving(head=3.0) as served, contextlib.ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(served.connect())
            connection.sendall((b"", b"GET /met", b"GET / HTTP/1.1\r\nHost: x\r\n")[number % 3])
        until(lambda: len(served.server.crowd) == 200)
        assert good_scrape(served) < 2
        until(lambda: len(served.server.crowd) == 0)  # and they do not stay


def test_more_silent_clients_than_there_are_places() -> None:
    with serving(head=60.0, connections=50) as served, contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(served.connect())
        assert good_scrape(served) < 2
        assert len(served.server.crowd) <= 50


def test_nobody_is_sent_away_for_nobody() -> None:
    with serving(head=60.0, connections=5) as served, contextlib.ExitStack() as stack:
        for number in range(5):
            stack.enter_context(served.connect())
            until(lambda: len(served.server.crowd) == number + 1)  # noqa: B023
        time.sleep(0.3)
        assert len(served.server.crowd) == 5


def test_a_byte_now_and_then_gains_no_time() -> None:
    with serving(head=1.0) as served, served.connect() as connection:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Header: " + b"a" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_half_a_handshake(tmp_path: Path) -> None:
    config = server_files(tmp_path)
    with serving(config, head=2.0) as served, contextlib.ExitStack() as stack:
        before = resident()
        for number in range(200):
            connection = stack.enter_context(served.connect())
            # A record of a handshake that announces more than comes; or a request without TLS; or nothing.
            connection.sendall((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /metrics HTTP/1.1\r\n\r\n", b"")[number % 3])
        assert good_scrape(served, client(tmp_path)) < 3
        assert resident() - before < 48 * 2**20
        until(lambda: len(served.server.crowd) == 0)


def test_readers_that_do_not_read() -> None:
    with serving(sending=3.0, answer_bytes=16 * 2**20) as served, contextlib.ExitStack() as stack:
        served.source.text = random.Random(1).randbytes(1 << 19) * 16  # 8 MiB: more than the kernel's buffers take
        before = resident()
        for number in range(40):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10)
            stack.enter_context(connection)
            connection.connect(("127.0.0.1", served.port))
            connection.sendall(f"GET /metrics?collect[]={('loop', 'lvm')[number % 2]} HTTP/1.0\r\n".encode())
            connection.sendall(f"X-Prometheus-Scrape-Timeout-Seconds: {5 + number}\r\n\r\n".encode())  # so that none is shared
        assert good_scrape(served) < 4
        until(lambda: len(served.source.asked) == 41)
        assert served.server.crowd.on_their_way <= 16 * 2**20
        assert resident() - before < 128 * 2**20  # 320 MiB without a limit
        until(lambda: len(served.server.crowd) == 0)


@pytest.mark.parametrize("size", [1 << 19, 1 << 13])
def test_readers_that_do_not_read_what_they_share(size: int) -> None:
    """One answer for all of them is no memory to speak of, and still they hold all places. A small one is sent again and again."""
    with serving(sending=60.0, connections=16) as served, contextlib.ExitStack() as stack:
        served.source.text = random.Random(1).randbytes(size) * (16 if size > 1 << 16 else 1)
        served.source.gate.clear()
        request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(16):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", served.port))
            connection.sendall(request if size > 1 << 16 else request * 2000)
        until(lambda: len(served.server.crowd) == 16)
        time.sleep(0.2)  # all have asked
        served.source.gate.set()
        time.sleep(0.5)  # all are being answered
        assert len(served.server.crowd) == 16
        assert good_scrape(served) < 4


def test_those_who_wait_for_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a long timeout of their own they would hold all places for minutes."""
    monkeypatch.setattr(crowd, "WAITED", 1.0)
    with serving(connections=16) as served, contextlib.ExitStack() as stack:
        served.source.gate.clear()
        for _ in range(16):
            connection = stack.enter_context(served.connect())
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 100\r\n\r\n")
        until(lambda: len(served.server.crowd) == 16)
        began = time.monotonic()
        assert served.ask("/-/healthy", timeout=5.0).status == 200
        assert 0.7 < time.monotonic() - began < 3  # nobody goes before his time
        until(lambda: len(served.server.crowd) == 15)  # and not more than have to
        served.source.gate.set()


def test_ten_megabytes_of_headers() -> None:
    with serving() as served:
        before = resident()
        for first in (b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"GET /", b""):
            with served.connect() as connection, contextlib.suppress(ConnectionError):
                connection.sendall(first)
                for _ in range(160):
                    connection.sendall(b"a" * 65536)
        assert resident() - before < 16 * 2**20
        assert good_scrape(served) < 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 17000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\nA: y\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 400),
        (b"GET metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"G\0T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 100_000, 405),
        (b"GET http://x/-/healthy HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    ],
)
def test_what_is_no_request(data: bytes, status: int) -> None:
    with serving(lingering=0.3, idle=0.3) as served:
        assert served.raw(data).status == status


def test_a_body_is_never_taken_for_a_request() -> None:
    with serving(lingering=0.3) as served:
        inner = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
        outer = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
        with served.connect() as connection:
            connection.sendall(outer + inner)
            assert b"healthy\n" not in read_answer(connection).body


def test_a_thousand_scrapes_at_once() -> None:
    with serving() as served, contextlib.ExitStack() as stack:
        served.source.text = b"sctune_x 1.0\n" * 40_000  # half a megabyte, as of a hundred volumes
        served.source.seconds = 0.05
        before = resident()
        crowd = []
        for _ in range(1000):
            crowd.append(stack.enter_context(served.connect(30.0)))
            crowd[-1].sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        statuses: list[int] = []

        def read() -> None:
            for connection in crowd:
                statuses.append(read_answer(connection).status)

        beside = threading.Thread(target=read)
        beside.start()
        assert good_scrape(served) < 5
        beside.join(60)
        assert statuses == [200] * 1000
        assert len(served.source.asked) < 100
        assert resident() - before < 64 * 2**20


def test_connections_that_are_reset() -> None:
    with serving() as served:
        for _ in range(100):
            connection = served.connect()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.close()
        assert good_scrape(served) < 2
        until(lambda: len(served.server.crowd) == 0)
        assert served.log == []


def test_no_descriptors_left() -> None:
    with serving(head=60.0) as served, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(served.connect())
        until(lambda: len(served.server.crowd) == 20)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(10)
        highest = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        fill = []
        with contextlib.suppress(OSError):
            while True:
                fill.append(os.dup(0))
        try:
            waiting.connect(("127.0.0.1", served.port))
            waiting.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
            assert read_answer(waiting).status == 200  # those that say nothing made room
        finally:
            for descriptor in fill:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [line for line in served.log if "could not be taken" in line] == [
            "a connection could not be taken: Too many open files"
        ]
