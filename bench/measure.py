"""Wall time of commands, and ratios between them, all in one run. Seconds from one machine say nothing on another."""

from __future__ import annotations

import statistics
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def once(argv: Sequence[str]) -> float:
    """Seconds one run of a command takes; its output is thrown away, its exit status does not matter."""
    began = time.perf_counter()
    subprocess.run(list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def interleaved(variants: dict[str, Sequence[Sequence[str]]], *, runs: int) -> dict[str, list[float]]:
    """Each variant (a sequence of commands, one after another) `runs` times, taking turns so that noise hits all alike."""
    for commands in variants.values():
        for argv in commands:
            once(argv)  # warm caches
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(runs):
        for name, commands in variants.items():
            times[name].append(sum(once(argv) for argv in commands))
    return times


def row(name: str, times: Sequence[float]) -> str:
    """Median and spread in milliseconds."""
    return f"{name:<34} {statistics.median(times) * 1000:8.1f} ms   ({min(times) * 1000:.1f} - {max(times) * 1000:.1f})"


def ratio(times: dict[str, list[float]], name: str, peer: str) -> float:
    """Median over median."""
    return statistics.median(times[name]) / statistics.median(times[peer])
