"""Scrapes of the exporter beside those of Debian's prometheus-node-exporter, on the same host with 3, 64, 250 and 1,000 volumes.

    sudo python bench/exporter.py [--counts 3,64,250,1000] [--runs 9] [--idle 60]

Each volume is a loop device on a sparse file of its own, exported by a tgtd on loopback. node_exporter runs with its default
collectors, loop
devices not excluded. Both are scraped in turns over HTTP, in the text format. Before that, ten scrapes are counted under
strace: none may start a process. Fails where one does, where 1,000 volumes take more than 300 ms with detail or 100 ms
without, scaled to a machine whose python3 starts in 15 ms, or more than 60 MiB.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import glob
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import TYPE_CHECKING

from doctor import CHECKOUT, loops, targets
from measure import once

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE = os.path.join(CHECKOUT, "bench", "exporter_serve.py")
NODE_EXPORTER = "prometheus-node-exporter"
DISKS = "^(z?ram|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$"
"""node_exporter's own default without loop devices in it."""
START = 0.015
LIMIT, PLAIN_LIMIT = 0.300, 0.100
MEMORY = 60 << 20
LOOP_CTL_REMOVE = 0x4C81


@contextlib.contextmanager
def serving(*options: str, prefix: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """The exporter as a process of its own: its pid and its address."""
    with subprocess.Popen([*prefix, sys.executable, SERVE, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, pid = map(int, process.stdout.readline().split())
        try:
            yield pid, f"http://127.0.0.1:{port}/metrics"
        finally:
            os.kill(pid, signal.SIGTERM)  # the exporter's own: strace ends with what it traces, and not before


@contextlib.contextmanager
def node_exporter() -> Iterator[tuple[int, str]]:
    """Debian's node_exporter."""
    address = "127.0.0.1:33301"
    arguments = [NODE_EXPORTER, f"--web.listen-address={address}", f"--collector.diskstats.device-exclude={DISKS}"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://{address}/metrics"
            end = time.monotonic() + 10
            while True:
                try:
                    scrape(url)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise SystemExit(f"{NODE_EXPORTER} does not answer") from None
                    time.sleep(0.1)
            yield process.pid, url
        finally:
            process.terminate()


def scrape(url: str) -> tuple[float, bytes]:
    """Seconds until all was read, and what was."""
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=60) as answer:
        text = answer.read()
    return time.perf_counter() - began, text


def memory(pid: int) -> tuple[int, int]:
    """Resident memory of a process alone, and of it and its children together as they share it (Pss), in bytes."""
    with open(f"/proc/{pid}/status") as file:
        found = re.search(r"VmRSS:\s+(\d+) kB", file.read())
    together = 0
    for one in (pid, *children(pid)):
        with contextlib.suppress(OSError), open(f"/proc/{one}/smaps_rollup") as file:
            share = re.search(r"^Pss:\s+(\d+) kB", file.read(), re.MULTILINE)
            together += int(share[1]) * 1024 if share else 0
    return int(found[1]) * 1024 if found else 0, together


def children(pid: int) -> list[int]:
    """All processes below one."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        direct = [int(word) for word in file.read().split()]
    return [one for child in direct for one in (child, *children(child))]


def processor(pid: int) -> float:
    """Seconds of processor time that a process and its children have used."""
    total = 0
    for one in (pid, *children(pid)):
        with contextlib.suppress(OSError), open(f"/proc/{one}/stat") as file:
            words = file.read().rpartition(")")[2].split()
            total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def forks() -> int:
    """Processes (not threads) started by ten scrapes after the first two, under strace."""
    with tempfile.NamedTemporaryFile() as log:
        strace = ("strace", "-f", "-qq", "-e", "trace=process", "-o", log.name)
        with serving(prefix=strace) as (_, url):
            for _ in range(2):
                scrape(url)
                time.sleep(0.5)
            before = started(log.name)
            for _ in range(10):
                scrape(url)
            return started(log.name) - before


def started(log: str, *, executed: bool = True) -> int:
    """How many processes a log of strace tells of; one that forks and then executes a program counts twice where `executed`."""
    with open(log) as file:
        calls = re.findall(r"^\d+ +(execve|fork|vfork|clone3?)\((.*)", file.read(), re.MULTILINE)
    return sum("CLONE_THREAD" not in rest and (executed or call != "execve") for call, rest in calls)


@contextlib.contextmanager
def volumes(count: int) -> Iterator[None]:
    """Loop devices and targets, and no idle loop device more than before afterwards."""
    before = set(glob.glob("/sys/block/loop*"))
    try:
        with tempfile.TemporaryDirectory() as folder, loops(folder, count) as devices, targets(devices):
            yield
    finally:
        time.sleep(1)
        control = os.open("/dev/loop-control", os.O_RDWR)
        for made in set(glob.glob("/sys/block/loop*")) - before:
            with contextlib.suppress(OSError):
                fcntl.ioctl(control, LOOP_CTL_REMOVE, int(made.removeprefix("/sys/block/loop")))
        os.close(control)


def measured(count: int, runs: int, idle: float, factor: float) -> bool:
    """Measures with so many volumes and says it; whether a limit was passed."""
    started_by_scrapes = forks()
    with serving() as (pid, url), serving("--no-detail") as (_, plain), node_exporter() as (peer, other):
        times: dict[str, list[float]] = {"sctune": [], "sctune without detail": [], "node_exporter": []}
        size: dict[str, tuple[int, int]] = {}
        for turn in range(runs + 2):
            for name, where in zip(times, (url, plain, other), strict=True):
                seconds, text = scrape(where)
                size[name] = (len(text), sum(not line.startswith(b"#") for line in text.splitlines()))
                if turn >= 2:
                    times[name].append(seconds)
        own, together = memory(pid)
        theirs, _ = memory(peer)
        used, began = processor(pid), time.monotonic()
        while time.monotonic() - began < idle:
            time.sleep(min(15.0, idle))
            scrape(url)
        share = (processor(pid) - used) / (time.monotonic() - began)
    median = {name: statistics.median(found) for name, found in times.items()}
    print(f"{count} volumes; processes started by 10 scrapes: {started_by_scrapes}")
    for name, found in times.items():
        spread = f"({min(found) * 1000:.0f} - {max(found) * 1000:.0f})"
        print(f"  {name:<22} {median[name] * 1000:7.1f} ms {spread:<12} {size[name][1]:6} samples, {size[name][0] // 1024} KiB")
    print(f"  sctune takes {median['sctune'] / median['node_exporter']:.2f} of node_exporter's time", end="")
    print(f" ({median['sctune without detail'] / median['node_exporter']:.2f} without detail)")
    print(f"  resident {own >> 20} MiB (with its children {together >> 20} MiB), node_exporter {theirs >> 20} MiB", end="")
    print(f"; processor scraped every 15 s: {share * 100:.2f} % of a core")
    slow = count == 1000 and (median["sctune"] > LIMIT * factor or median["sctune without detail"] > PLAIN_LIMIT * factor)
    return bool(started_by_scrapes) or slow or (count == 1000 and together > MEMORY)


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="3,64,250,1000")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--idle", type=float, default=60.0)
    options = parser.parse_args()
    if os.geteuid():
        raise SystemExit("needs root: it attaches loop devices and starts a tgtd")
    if os.path.exists("/var/run/tgtd/socket.0"):
        raise SystemExit("a tgtd runs here already; this benchmark needs the default control port")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # tgtd keeps every backing device open
    start = min(once([os.path.realpath(sys.executable), "-c", ""]) for _ in range(9))
    factor = max(1.0, start / START)
    print(f"python3 starts in {start * 1000:.1f} ms")
    failed = False
    for count in map(int, options.counts.split(",")):
        with volumes(count):
            failed |= measured(count, options.runs, options.idle, factor)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
