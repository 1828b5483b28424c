"""How the doctor's cost grows with the number of volumes, on a synthetic host (tests/synthetic.py): no tool is run.

    python bench/growth.py [--small 1000] [--large 10000]

Fails when ten times the volumes cost more than eleven times the time above the fixed cost.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import time
from typing import TYPE_CHECKING

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from sctune.config.model import Config
from sctune.doctor import diagnose
from tests.synthetic import SyntheticHost, storage_controller

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 1.1


CONFIG = Config(loop_limit=10**6)
QUESTIONS = ("read", "list", "readlink", "stat")


def seconds(volumes: int, runs: int) -> float:
    """Processor time of one diagnosis, without making the host and without the host's own time to answer: the least of several,
    since whatever else runs on the machine only adds to it.

    The host's own time is that of the same questions put again: its one large dictionary outgrows the processor's caches, and
    answers ten times the questions in twelve times the time.
    """
    host = storage_controller(volumes)
    asked = questions(host, lambda: diagnose(host, CONFIG, strict=True))
    gc.collect()
    gc.freeze()
    looks: list[float] = []
    answers: list[float] = []
    for _ in range(runs):
        gc.collect()
        began = time.process_time()
        diagnose(host, CONFIG, strict=True)
        looked = time.process_time()
        for question, path in asked:
            question(path)
        answers.append(time.process_time() - looked)
        looks.append(looked - began)
    gc.unfreeze()
    return min(looks) - min(answers)


def questions(host: SyntheticHost, look: Callable[[], object]) -> list[tuple[Callable[[str], object], str]]:
    """What one look asks of the host's files, in order."""
    asked: list[tuple[Callable[[str], object], str]] = []

    def noting(question: Callable[[str], object]) -> Callable[[str], object]:
        def ask(path: str) -> object:
            asked.append((question, path))
            return question(path)

        return ask

    for name in QUESTIONS:
        setattr(host, name, noting(getattr(host, name)))
    look()
    for name in QUESTIONS:
        delattr(host, name)
    return asked


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=10_000)
    options = parser.parse_args()
    seconds(1, 1)  # imports
    fixed = seconds(1, 5)
    small = seconds(options.small, 5) - fixed
    large = seconds(options.large, 7) - fixed
    times = options.large / options.small
    factor = large / small
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"fixed cost {fixed * 1000:.1f} ms, all without what the synthetic host takes to answer")
    print(f"above it: {options.small} volumes {small * 1000:.0f} ms, {options.large} volumes {large * 1000:.0f} ms")
    print(f"{times:g} x the volumes cost {factor:.2f} x the time (at most {times * LIMIT:g} x)")
    print(f"peak memory {memory:.0f} MiB, the synthetic host included")
    return int(factor > times * LIMIT)


if __name__ == "__main__":
    sys.exit(main())
