"""The real exporter, both its processes, beside clients that say nothing and a thousand scrapes at once."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.spawns,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root's exporter has a collector in a process of its own"),
]

SILENT, SCRAPES = 200, 1000
TIMEOUT = 10.0
# Twice what a scrape of an ordinary host leaves in memory; a thousand scrapes with a thread each, or a text each, are far beyond.
MOST_BYTES = 160 << 20
GROWTH_BYTES = 48 << 20


@pytest.fixture(autouse=True)
def enough_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def exporter() -> Iterator[tuple[int, int]]:
    """The process that was started, and the port it serves on. Its log is read, lest it wait for that."""
    argv = [sys.executable, "-m", "sctune", "exporter", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"serving on 127\.0\.0\.1:(\d+)", process.stderr.readline())
            assert found
            reader = threading.Thread(target=process.stderr.read, daemon=True)
            reader.start()
            yield process.pid, int(found[1])
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join(10)


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def memory(pid: int) -> int:
    """What a process and all below it take together, as they share it (Pss), in bytes."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):  # a worker that has just ended
            share = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(share[1]) * 1024 if share else 0
    return total


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def ask(connection: socket.socket) -> None:
    head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: {TIMEOUT:g}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode())


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body; 0 where the server closed without a word."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(1 << 16):
            data += chunk
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]) if head else 0, body


def scrape(port: int) -> tuple[float, bytes]:
    """A well-behaved scrape: how long it took, and its samples."""
    began = time.monotonic()
    with connect(port) as connection:
        ask(connection)
        status, body = answer(connection)
    assert status == 200
    return time.monotonic() - began, body


def test_silent_clients_and_a_thousand_scrapes_at_once(exporter: tuple[int, int]) -> None:
    pid, port = exporter
    scrape(port)
    time.sleep(1.1)
    _, before_text = scrape(port)
    assert b'sctune_scrape_collector_success{collector="loop"} 1' in before_text
    assert len(family(pid)) >= 3, "the collector has no process of its own"
    before, most = memory(pid), 0
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(SILENT)]
        crowd = [stack.enter_context(connect(port)) for _ in range(SCRAPES)]
        for connection in crowd:
            with contextlib.suppress(ConnectionError):  # there were more than there are places
                ask(connection)
        seconds, text = scrape(port)
        most = memory(pid)
        assert seconds < TIMEOUT
        assert text.count(b"sctune_scrape_collector_success") == before_text.count(b"sctune_scrape_collector_success")
        answers = [answer(connection) for connection in crowd]
        del silent
    statuses = {status: sum(one == status for one, _ in answers) for status in {one for one, _ in answers}}
    after = memory(pid)
    print(f"{seconds:.2f} s, {statuses}, MiB: {before >> 20} {most >> 20} {after >> 20}")
    assert statuses.get(200, 0) >= SCRAPES // 2
    assert set(statuses) <= {0, 200, 503}
    assert max(most, after) < MOST_BYTES
    assert max(most, after) - before < GROWTH_BYTES
    assert scrape(port)[0] < TIMEOUT
