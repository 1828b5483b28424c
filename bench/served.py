"""The real `sctune exporter` and Debian's node_exporter as processes: started, scraped as Prometheus does, and what they use."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zlib
from typing import TYPE_CHECKING

from doctor import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE_EXPORTER = "prometheus-node-exporter"
DISKS = "^(z?ram|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$"
"""node_exporter's own default without loop devices in it."""
TIMEOUT = 150.0
PATIENCE = 10.0
"""Prometheus' own scrape_timeout."""
HEADERS = {
    "User-Agent": "Prometheus/2.42.0",
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
"""What Prometheus 2.42 (Debian 12) sends."""
APART = 1.05
"""Seconds between two scrapes of the exporter: within its `interval_seconds` (1) the second would get the answer of the first."""
_STARTING = 30.0
_SERVING = re.compile(r"sctune: serving on 127\.0\.0\.1:(\d+)")


class Served:
    """A server on loopback: `pid`, and a connection that is kept from scrape to scrape, as Prometheus keeps its own."""

    def __init__(self, pid: int, port: int, *, patience: float = PATIENCE) -> None:
        self.pid = pid
        self._headers = {**HEADERS, "X-Prometheus-Scrape-Timeout-Seconds": f"{patience:g}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def scrape(self) -> tuple[float, bytes]:
        """Seconds until all was read, and what was, still compressed. Raises OSError."""
        began = time.perf_counter()
        self._connection.request("GET", "/metrics", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != http.HTTPStatus.OK:
            raise SystemExit(f"{answer.status} {body[:200]!r}")
        return took, body

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def lines(body: bytes) -> list[str]:
    """A scrape's samples."""
    text = zlib.decompress(body, wbits=47) if body[:2] == b"\x1f\x8b" else body
    return [line for line in text.decode().splitlines() if not line.startswith("#")]


def failed(samples: list[str]) -> list[str]:
    """The collectors of the exporter that did not succeed."""
    return [line for line in samples if line.startswith("sctune_scrape_collector_success") and float(line.split()[-1]) == 0]


@contextlib.contextmanager
def serving(*options: str, prefix: tuple[str, ...] = (), patience: float = PATIENCE) -> Iterator[Served]:
    """`sctune exporter` of this checkout, as a user starts it: as root it is two processes and their children. It is told that a
    scrape is waited for `patience` seconds."""
    command = (sys.executable, "-m", "sctune", "exporter", "--listen", "127.0.0.1:0", *options)
    environment = {**os.environ, "PYTHONPATH": CHECKOUT}
    with subprocess.Popen([*prefix, *command], stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        port, said = None, ""
        for line in process.stderr:
            said += line
            if found := _SERVING.match(line):
                port = int(found[1])
                break
        if port is None:
            raise SystemExit(f"the exporter does not serve: {said}")
        # Its own pid, not strace's, which ends with what it traces and not before. The log's pipe holds what little is said later.
        pid = children(process.pid)[0] if prefix else process.pid
        served = Served(pid, port, patience=patience)
        try:
            yield served
        finally:
            served.close()
            os.kill(pid, signal.SIGTERM)


@contextlib.contextmanager
def node_exporter() -> Iterator[Served]:
    """Debian's node_exporter."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = [NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{port}", f"--collector.diskstats.device-exclude={DISKS}"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        served = Served(process.pid, port)
        try:
            end = time.monotonic() + _STARTING
            while True:
                try:
                    served.scrape()
                    break
                except OSError:
                    served.close()
                    if time.monotonic() > end:
                        raise SystemExit(f"{NODE_EXPORTER} does not answer") from None
                    time.sleep(0.1)
            yield served
        finally:
            served.close()
            process.terminate()


def processes(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *children(pid)]


def children(pid: int) -> list[int]:
    """All processes below one, whichever of its threads has made them."""
    direct: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                direct += map(int, file.read().split())
    return [one for child in direct for one in (child, *children(child))]


def memory(pid: int) -> list[int]:
    """Memory in bytes of a process and of each below it, what they share divided among them (Pss)."""
    found: list[int] = []
    for one in processes(pid):
        with contextlib.suppress(OSError), open(f"/proc/{one}/smaps_rollup") as file:
            share = re.search(r"^Pss:\s+(\d+) kB", file.read(), re.MULTILINE)
            found.append(int(share[1]) * 1024 if share else 0)
    return found


def processor(pid: int) -> float:
    """Seconds of processor time that a process and all below it have used, those that have ended with them."""
    total = 0
    for one in processes(pid):
        with contextlib.suppress(OSError), open(f"/proc/{one}/stat") as file:
            words = file.read().rpartition(")")[2].split()
            total += sum(map(int, words[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def started(log: str, *, executed: bool = True) -> list[str]:
    """The calls by which processes (not threads) were started, in a log of strace; one that forks and then executes a program has
    two where `executed`."""
    with open(log) as file:
        calls = [line for line in file if re.match(r"\d+ +(execve|fork|vfork|clone3?)\(", line)]
    return [line.strip() for line in calls if "CLONE_THREAD" not in line and (executed or " execve(" not in line)]
