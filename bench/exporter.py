"""Scrapes of `sctune exporter` beside those of Debian's prometheus-node-exporter, on the same host, with up to 1,000 volumes.

    sudo python bench/exporter.py [--counts 3,64,100,250,1000] [--runs 9] [--idle 60]

Each volume is a loop device on a sparse file of its own, exported by a tgtd on loopback. node_exporter runs with its default
collectors, loop devices not excluded. The exporter is the real command: as root a process without rights that speaks HTTP, one
that looks at the host, and its children. All are scraped in turns with what Prometheus asks for (OpenMetrics, gzip, one
connection that is kept). Before that, ten scrapes are counted under strace. Afterwards the exporter is left alone and scraped every
15 s. Memory (Pss) and processor time are those of all its processes.

Fails where a limit is missed: a scrape starts a process; at 100 volumes it takes longer than node_exporter's; at 1,000 it takes
more than 300 ms with detail or 100 ms without (longer where the bare interpreter takes longer than 15 ms to start), or the exporter
more than 60 MiB; scraped every 15 s it takes 1 % of a core or more.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import glob
import os
import resource
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from doctor import loops, targets
from measure import once
from served import APART, failed, lines, memory, node_exporter, processor, serving, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from served import Served

START = 0.015
LIMIT, PLAIN_LIMIT = 0.300, 0.100
MEMORY = 60 << 20
SHARE = 0.01
INTERVAL = 15.0
WARM = 3
SCTUNE, PLAIN, PEER = "sctune", "sctune without detail", "node_exporter"
LOOP_CTL_REMOVE = 0x4C81


def forks() -> int:
    """Processes (not threads) started by ten scrapes after the first three, under strace."""
    with tempfile.NamedTemporaryFile() as log:
        strace = ("strace", "-f", "-qq", "-e", "trace=process", "-o", log.name)
        with serving(prefix=strace) as served:
            for turn in range(WARM + 10):
                if turn == WARM:
                    before = len(started(log.name))
                served.scrape()
                time.sleep(APART)
            return len(started(log.name)) - before


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


def scraped(servers: dict[str, Served], runs: int) -> tuple[dict[str, list[float]], dict[str, bytes]]:
    """Seconds of each server's scrapes, in turns, and its last answer."""
    times: dict[str, list[float]] = {name: [] for name in servers}
    bodies: dict[str, bytes] = {}
    for turn in range(runs + WARM):
        time.sleep(APART)
        for name, served in servers.items():
            seconds, bodies[name] = served.scrape()
            if turn >= WARM:
                times[name].append(seconds)
    return times, bodies


def idle_share(servers: dict[str, Served], seconds: float) -> dict[str, float]:
    """What part of a core each takes while it is scraped every 15 s, for at least so long."""
    used, began = {name: processor(served.pid) for name, served in servers.items()}, time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(INTERVAL)
        for served in servers.values():
            served.scrape()
    return {name: (processor(served.pid) - used[name]) / (time.monotonic() - began) for name, served in servers.items()}


def measured(count: int, runs: int, idle: float, factor: float) -> bool:
    """Measures with so many volumes and says it; whether every limit was kept."""
    started_by_scrapes = forks()
    with serving("--detail") as detail, serving("--no-detail") as plain, node_exporter() as peer:
        servers = {SCTUNE: detail, PLAIN: plain, PEER: peer}
        times, bodies = scraped(servers, runs)
        share = idle_share(servers, idle)
        sizes = {name: memory(served.pid) for name, served in servers.items()}
    wrong = [*failed(lines(bodies[SCTUNE])), *failed(lines(bodies[PLAIN]))]
    if wrong:
        raise SystemExit(f"not measured, since collectors failed: {wrong}")
    print(f"{count} volumes; processes started by 10 scrapes: {started_by_scrapes}")
    median = {name: statistics.median(found) for name, found in times.items()}
    for name, found in times.items():
        spread = f"({min(found) * 1000:.0f} - {max(found) * 1000:.0f})"
        each = " + ".join(f"{size / (1 << 20):.0f}" for size in sizes[name])
        print(f"  {name:<22} {median[name] * 1000:7.1f} ms {spread:<12} {len(lines(bodies[name])):6} samples", end="")
        print(f" {len(bodies[name]) >> 10:4} KiB; {each} MiB; {share[name] * 100:.2f} % of a core at a scrape every 15 s")
    ratio = median[SCTUNE] / median[PEER]
    print(f"  sctune takes {ratio:.2f} of node_exporter's time ({median[PLAIN] / median[PEER]:.2f} without detail)")
    together = sum(sizes[SCTUNE])
    verdicts = [
        ("no process started by a scrape", not started_by_scrapes),
        (f"below {SHARE:.0%} of a core", share[SCTUNE] < SHARE),
    ]
    if count == 100:
        verdicts.append(("no slower than node_exporter", ratio <= 1.0))
    if count == 1000:
        verdicts += [
            (f"{LIMIT * factor * 1000:.0f} ms with detail", median[SCTUNE] <= LIMIT * factor),
            (f"{PLAIN_LIMIT * factor * 1000:.0f} ms without detail", median[PLAIN] <= PLAIN_LIMIT * factor),
            (f"{MEMORY >> 20} MiB ({together / (1 << 20):.1f})", together <= MEMORY),
        ]
    for what, kept in verdicts:
        print(f"  {'kept' if kept else 'MISSED'}: {what}", flush=True)
    return all(kept for _, kept in verdicts)


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="3,64,100,250,1000")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--idle", type=float, default=60.0)
    options = parser.parse_args()
    if os.geteuid():
        raise SystemExit("needs root: it attaches loop devices and starts a tgtd")
    if os.path.exists("/var/run/tgtd/socket.0"):
        raise SystemExit("a tgtd runs here already; this benchmark needs the default control port")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # tgtd keeps every backing device open
    # Without what is installed beside it: a .pth file that imports a library took 40 of 55 ms once, and is no speed of the machine.
    start = min(once([os.path.realpath(sys.executable), "-I", "-S", "-c", ""]) for _ in range(9))
    factor = max(1.0, start / START)
    idle = len(glob.glob("/sys/block/loop*"))
    print(f"python3 without site starts in {start * 1000:.1f} ms; {idle} loop devices were there before")
    kept = True
    for count in map(int, options.counts.split(",")):
        with volumes(count):
            kept &= measured(count, options.runs, options.idle, factor)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
