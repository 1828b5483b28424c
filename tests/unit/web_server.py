"""The exporter's web side on a port of its own, in a thread of the test's process, with a source that the test steers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sctune.exporters.prometheus.source import Unanswered, Wanted
from sctune.exporters.prometheus.web.conversation import Patience
from sctune.exporters.prometheus.web.listen import listen, read_address
from sctune.exporters.prometheus.web.pages import Pages
from sctune.exporters.prometheus.web.runs import Runs
from sctune.exporters.prometheus.web.server import Server
from sctune.exporters.prometheus.web.settings import Settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from sctune.exporters.prometheus.source import Source

TEXT = b"# HELP sctune_x Something.\n# TYPE sctune_x gauge\nsctune_x 1.0\n"
OPENMETRICS = TEXT + b"# EOF\n"


class FakeSource:
    """Gives the same text each time, after `seconds`. Knows the collectors loop and lvm. `asked` is all it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Wanted] = []
        self.seconds = 0.0
        self.gone = ""
        self.broken: Exception | None = None
        self.text = TEXT
        self.gate = threading.Event()
        self.gate.set()

    def scrape(self, wanted: Wanted) -> bytes:
        self.asked.append(wanted)
        time.sleep(self.seconds)
        self.gate.wait()
        if self.broken:
            raise self.broken
        if self.gone:
            raise Unanswered(self.gone)
        for name in (*wanted.collect, *wanted.exclude):
            if name not in ("loop", "lvm"):
                raise Unanswered(f"there is no collector {name!r}", asked_wrongly=True)
        return self.text + (b"# EOF\n" if wanted.openmetrics else b"")


class Served:
    """What a test has of a running server."""

    def __init__(self, source: FakeSource, settings: Settings, log: list[str], port: int) -> None:
        self.source = source
        self.settings = settings
        self.log = log
        self.port = port
        self.server: Server
        self.runs: Runs
        self.stop: Callable[[], None]

    def connect(self, timeout: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def ask(
        self,
        target: str = "/metrics",
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 10.0,
    ) -> Answer:
        """One request on a connection of its own."""
        lines = [f"{method} {target} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        return self.raw("\r\n".join([*lines, "Connection: close", "", ""]).encode(), tls=tls, timeout=timeout)

    def raw(self, data: bytes, *, tls: ssl.SSLContext | None = None, timeout: float = 10.0) -> Answer:
        with self.connect(timeout) as plain:
            connection = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
            with connection:
                connection.sendall(data)
                return read_answer(connection)


class Answer:
    """A response, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1]) if first else 0
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def read_answer(connection: socket.socket) -> Answer:
    """All that comes until the other side closes."""
    data = bytearray()
    while chunk := connection.recv(1 << 16):
        data += chunk
    return Answer(bytes(data))


@contextmanager
def serving(web_config: str | None = None, *, at_once: int = 40, source: Source | None = None, **options: Any) -> Iterator[Served]:
    """A server of `source`, or of a FakeSource, which is what it has then; `options` are those of Server, and of Patience."""
    patience = Patience(**{name: options.pop(name) for name in tuple(options) if name in Patience.__slots__})
    log: list[str] = []
    fake = FakeSource()
    settings = Settings(web_config, log.append)
    listeners = listen([read_address("127.0.0.1:0")])
    served = Served(fake, settings, log, listeners[0].getsockname()[1])
    begun = threading.Event()

    async def live() -> None:
        served.runs = Runs(source or fake, at_once=at_once, tell=log.append)
        served.server = Server(Pages(served.runs), settings, tell=log.append, patience=patience, **options)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        served.stop = lambda: loop.call_soon_threadsafe(ended.set)  # type: ignore[assignment]
        served.server.start(listeners)
        begun.set()
        await ended.wait()
        await served.server.stop()
        served.runs.close()

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert begun.wait(10)
    try:
        yield served
    finally:
        fake.gate.set()
        with suppress(RuntimeError):  # a test that ended it itself: its loop may be closed by now
            served.stop()
        thread.join(10)
        assert not thread.is_alive()
        assert not [line for line in log if "defect" in line], log


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
