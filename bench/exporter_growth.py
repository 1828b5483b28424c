"""How a scrape's cost grows with the number of volumes, on a synthetic host (tests/synthetic.py) with LVM on its volumes.

    python bench/exporter_growth.py [--small 1000] [--large 10000]

In this process, with every collector, without limits on objects, and without children: processor time alone, without what the
synthetic host takes to answer (see growth.py). Prints the time with the large number divided by ten times that with the small one,
and fails where that is more than 1.4. The calls grow tenfold and not more (cProfile); what does not is what the processor's caches
hold: looking up in a dictionary, and joining texts, takes half as long again for each of 10,000.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from growth import questions

from sctune.config.model import Config
from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.kept_lvm import KeptLvm
from sctune.exporters.prometheus.look_inventory import LookInventory
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.registry import load
from sctune.exporters.prometheus.source import Wanted
from sctune.inventory import Inventory
from tests.synthetic import SyntheticHost, storage_controller

LIMIT = 1.4
CONFIG = Config(loop_limit=10**6)
PATIENT = 120.0
"""Seconds that a scrape may take: one that is cut short would look fast."""


def engine(host: SyntheticHost) -> Engine:
    """An exporter of this host."""
    lvm = KeptLvm(lambda: Inventory(host, CONFIG), first_wait=PATIENT)
    every = dict.fromkeys((collector.name for collector in load()), 10**6)
    options = Options(config=CONFIG, limits=every, deadline=PATIENT, interval=0.0, own=False)
    return Engine(load(), options, lambda: LookInventory(host, CONFIG, lvm), tell=lambda _: None)


def seconds(volumes: int, runs: int) -> tuple[float, int]:
    """Processor time of one scrape, the least of several, and how many samples it gives. Cycles are not collected meanwhile: when
    that happens to be does not grow with the volumes."""
    host = storage_controller(volumes)
    source, wanted = engine(host), Wanted(timeout=2 * PATIENT)
    text = source.scrape(wanted)  # the first one asks LVM, and imports
    samples = sum(not line.startswith(b"#") for line in text.splitlines())
    if samples < volumes:
        raise SystemExit(f"only {samples} samples of {volumes} volumes: the scrape was cut short")
    asked = questions(host, lambda: source.scrape(wanted))
    gc.collect()
    gc.freeze()
    gc.disable()
    scrapes: list[float] = []
    answers: list[float] = []
    for _ in range(runs):
        began = time.process_time()
        source.scrape(wanted)
        scraped = time.process_time()
        for question, path in asked:
            question(path)
        answers.append(time.process_time() - scraped)
        scrapes.append(scraped - began)
    gc.enable()
    gc.unfreeze()
    return min(scrapes) - min(answers), samples


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    seconds(1, 1)  # imports
    times = options.large / options.small
    small, few = seconds(options.small, options.runs)
    large, many = seconds(options.large, options.runs)
    ratio = large / (times * small)
    for volumes, spent, samples in ((options.small, small, few), (options.large, large, many)):
        print(f"{volumes} volumes: {spent * 1000:.0f} ms, {samples} samples")
    print(f"{ratio:.2f} of {times:g} x the time of {options.small} (at most {LIMIT:g})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
