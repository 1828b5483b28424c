"""What the exporter answers to which request, over a real connection."""

from __future__ import annotations

import gzip
import threading
import time

import pytest

from sctune.exporters.prometheus.source import Wanted

from .web_server import OPENMETRICS, TEXT, read_answer, serving, until

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def test_a_scrape_as_prometheus_sends_it() -> None:
    with serving() as served:
        answer = served.ask(headers={"Accept": PROMETHEUS, "Accept-Encoding": "gzip", "X-Prometheus-Scrape-Timeout-Seconds": "5"})
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.body) == OPENMETRICS
        assert served.source.asked == [Wanted(timeout=4.75, openmetrics=True)]


def test_a_browser_and_curl_get_text() -> None:
    with serving() as served:
        for accept in ("*/*", "text/html,*/*;q=0.8"):
            answer = served.ask(headers={"Accept": accept})
            assert (answer.status, answer.body) == (200, TEXT)
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("collect[]=lvm&collect[]=loop", Wanted(collect=("loop", "lvm"), timeout=9.75)),
        ("exclude%5B%5D=lvm", Wanted(exclude=("lvm",), timeout=9.75)),
        ("something=else", Wanted(timeout=9.75)),
    ],
)
def test_collectors_are_chosen(query: str, wanted: Wanted) -> None:
    with serving() as served:
        assert served.ask(f"/metrics?{query}").status == 200
        assert served.source.asked == [wanted]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("collect[]=lvm&exclude[]=loop", b"do not go together"),
        ("collect[]=nosuch", b"no collector 'nosuch'"),
        ("collect[]=../../etc/shadow", b"unknown collector"),
        ("collect[]=", b"unknown collector"),
        ("&".join(f"collect[]=c{number}" for number in range(65)), b"more than 64"),
        ("&".join(f"a{number}" for number in range(200)), b"more than 128"),
    ],
)
def test_what_cannot_be_collected(query: str, words: bytes) -> None:
    with serving() as served:
        answer = served.ask(f"/metrics?{query}")
        assert answer.status == 400
        assert words in answer.body


def test_other_pages() -> None:
    with serving() as served:
        landing = served.ask("/")
        assert (landing.status, landing.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b'href="/metrics"' in landing.body
        assert served.ask("/-/healthy").status == 200
        assert served.ask("/metrics/").status == 404
        assert served.ask("/etc/passwd").status == 404
        head = served.ask("/", method="HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(landing.body)))
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            answer = served.ask(method=method)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
        assert not served.source.asked


def test_a_connection_is_kept_and_requests_may_come_together() -> None:
    with serving() as served, served.connect() as connection:
        connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET / HTTP/1.0\r\n\r\n")
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
        assert data.count(b"HTTP/1.1 200 OK") == 4
        assert data.count(b"Connection: keep-alive") == 3


def test_ready_from_the_first_look_on_and_while_the_source_answers() -> None:
    with serving() as served:
        assert served.ask("/-/ready").status == 503
        assert served.ask().status == 200
        assert served.ask("/-/ready").status == 200
        served.source.gone = "/run/x: connection refused"
        answer = served.ask()
        assert (answer.status, answer.body) == (503, b"/run/x: connection refused\n")
        assert served.ask("/-/ready").status == 503
        assert served.ask("/-/healthy").status == 200
        served.source.gone = ""
        assert served.ask("/-/ready").status == 200
        assert served.log == ["no samples: /run/x: connection refused", "samples again"]


def test_a_source_with_a_defect() -> None:
    with serving() as served:
        served.source.broken = ZeroDivisionError("secret")
        answer = served.ask()
        assert answer.status == 500
        assert b"secret" not in answer.body
        assert served.ask("/-/ready").status == 500
        assert served.ask("/-/healthy").status == 200


def test_a_source_that_does_not_come_back() -> None:
    with serving() as served:
        served.source.gate.clear()
        began = time.monotonic()
        answer = served.ask(headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.5"})
        assert answer.status == 503
        assert time.monotonic() - began < 4
        assert not served.runs.pending.overdue()  # it is late, and not yet hopeless
        assert served.ask("/-/healthy").status == 200


def test_scrapes_at_the_same_time_are_one() -> None:
    with serving() as served:
        served.source.gate.clear()
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(served.ask().status)) for _ in range(30)]
        for thread in threads:
            thread.start()
        until(lambda: len(served.server.crowd) == 30)
        served.source.gate.set()
        for thread in threads:
            thread.join(10)
        assert statuses == [200] * 30
        assert len(served.source.asked) <= 2


def test_different_scrapes_at_the_same_time_are_limited() -> None:
    with serving(at_once=2) as served:
        served.source.gate.clear()
        first = [served.connect(), served.connect()]
        for connection, name in zip(first, ("loop", "lvm"), strict=True):
            connection.sendall(f"GET /metrics?collect[]={name} HTTP/1.0\r\n\r\n".encode())
        until(lambda: len(served.source.asked) == 2)
        answer = served.ask(headers={"X-Prometheus-Scrape-Timeout-Seconds": "2"})
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert not served.runs.failure  # which says nothing about the source
        waits = served.connect()
        waits.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        first.append(waits)  # and one that has the time gets its turn
        until(lambda: len(served.server.crowd) == 3)
        served.source.gate.set()
        assert [read_answer(connection).status for connection in first] == [200, 200, 200]
        for connection in first:
            connection.close()
        assert served.ask().status == 200


def test_it_ends_within_a_second_also_while_it_answers() -> None:
    with serving() as served:
        served.source.seconds = 0.2
        idle = served.connect()
        with served.connect() as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: bool(served.source.asked))
            began = time.monotonic()
            served.stop()
            assert read_answer(connection).status == 200  # it was being answered, so it is
        assert time.monotonic() - began < 1
        assert idle.recv(10) == b""
        idle.close()
