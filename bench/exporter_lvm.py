"""Scrapes of the exporter on a host with LVM, beside node_exporter's and a run of the script that Debian ships for LVM's figures.

    python bench/exporter_lvm.py [3 64] [--runs 7]

Every volume is a file, loop device, PV, VG, LV and target, made by the real tools in the test machine (tests/vm). In turns: a
scrape of the exporter over HTTP, one of Debian's prometheus-node-exporter (default collectors, loop devices not excluded), and
lvm-prom-collector with all it has (-g -p -s -t; package prometheus-node-exporter-collectors), which gives node_exporter its LVM by
the textfile collector. Processes that each starts are counted under strace; where strace makes the exporter so slow that one of
its children does not answer in time and is replaced, that is counted, so the children that are new after a scrape are
counted without it too. LVM is not changed meanwhile: the exporter keeps LVM's
report until it is, the script asks anew in each run. The processor is emulated, so only the ratios say something.

    python bench/exporter_lvm.py --here COUNT [--runs 7]

is what the machine runs: it measures on the host it is on, with so many volumes. Both fail where a scrape starts a process.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from served import APART, NODE_EXPORTER, children, failed, lines, node_exporter, processor, serving, started

if TYPE_CHECKING:
    from served import Served

SCRIPT = ("/usr/share/prometheus-node-exporter-collectors/lvm-prom-collector", "-g", "-p", "-s", "-t")
NAMES = ("sctune", "node_exporter", "lvm-prom-collector")
# The first look reads what lies in no cache, and may take longer than a collector has; LVM's first report is asked for then.
WARM_SECONDS = 240.0
# An emulated processor under strace is slow enough for a collector to take longer than the 5 s it has.
DEADLINE, PATIENCE = 60.0, 90.0
COUNTED_SCRAPES = 5
BATCH = 16
MEASURE_SECONDS = 900.0
MISSED = 3
"""The exit status where a scrape started a process."""


def warmed(served: Served, count: int) -> None:
    """Scrapes until all collectors succeed and every LV is in the answer."""
    end = time.monotonic() + WARM_SECONDS
    while True:
        samples = lines(served.scrape()[1])
        wrong = failed(samples)
        found = sum(line.startswith("sctune_lvm_lv_active{") for line in samples)
        time.sleep(APART)
        if not wrong and found == count:
            return
        if time.monotonic() > end:
            raise SystemExit(f"{found} of {count} LVs; {wrong}")


def run_script() -> tuple[float, float, int]:
    """Seconds, seconds of processor time and lines of one run of the script, in which no error may be."""
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    text = subprocess.run(SCRIPT, check=True, capture_output=True, text=True).stdout
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, text.count("\nnode_")


def forks(count: int, config: str) -> tuple[float, float]:
    """Processes that a scrape of the exporter starts, and a run of the script, under strace."""
    strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=process", "-o")
    with tempfile.NamedTemporaryFile() as log, serving("--config", config, prefix=(*strace, log.name), patience=PATIENCE) as served:
        warmed(served, count)
        before = len(started(log.name))
        for _ in range(COUNTED_SCRAPES):
            served.scrape()
            time.sleep(APART)
        calls = started(log.name)[before:]
        for call in calls:
            print(f"  a process started beside a scrape: {call[:160]}")
        ours = len(calls) / COUNTED_SCRAPES
    with tempfile.NamedTemporaryFile() as log:
        subprocess.run([*strace, log.name, *SCRIPT], check=True, stdout=subprocess.DEVNULL)
        script = len(started(log.name, executed=False))
    return ours, script


def here(count: int, runs: int) -> bool:
    """Measures in turns and says it; whether no scrape of the exporter started a process."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(f"exporter:\n  deadline_seconds: {DEADLINE:g}\n")
        config.flush()
        return measured(count, runs, config.name)


def measured(count: int, runs: int, config: str) -> bool:
    """The same with this configuration of the exporter."""
    ours, theirs = forks(count, config)
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    used: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    replaced = 0
    with serving("--config", config, patience=PATIENCE) as own, node_exporter() as peer:
        warmed(own, count)
        run_script()
        for _ in range(runs):
            for name, served in (("sctune", own), ("node_exporter", peer)):
                before, family = processor(served.pid), set(children(served.pid))
                seconds, body = served.scrape()
                used[name] += processor(served.pid) - before
                times[name].append(seconds)
                if name == "sctune":
                    samples = len(lines(body))
                    replaced += len(set(children(served.pid)) - family)
            seconds, processed, given = run_script()
            times["lvm-prom-collector"].append(seconds)
            used["lvm-prom-collector"] += processed
    median = {name: statistics.median(found) for name, found in times.items()}
    print(f"{count} volumes; {samples} samples of sctune, {given} of lvm-prom-collector")
    for name, found in times.items():
        spread = f"({min(found) * 1000:.0f} - {max(found) * 1000:.0f})"
        print(f"  {name:<20} {median[name] * 1000:7.0f} ms {spread:<14} processor {used[name] / runs * 1000:6.0f} ms")
    print(f"  processes started: {ours:g} by a scrape of sctune, {theirs:g} by a run of lvm-prom-collector")
    print(f"  children of the exporter that are new after one of {runs} scrapes without strace: {replaced}")
    both = median["node_exporter"] + median["lvm-prom-collector"]
    processors = used["node_exporter"] + used["lvm-prom-collector"]
    print(f"  sctune / node_exporter: time {median['sctune'] / median['node_exporter']:.2f}, ", end="")
    print(f"processor {used['sctune'] / used['node_exporter']:.2f}")
    print(f"  sctune / (node_exporter and its LVM script): time {median['sctune'] / both:.3f}, ", end="")
    print(f"processor {used['sctune'] / processors:.3f}")
    print(f"  {'MISSED' if ours or replaced else 'kept'}: no process started by a scrape", flush=True)
    return not ours and not replaced


def in_machine(sizes: list[int], runs: int) -> bool:
    """Measures each size on one machine that grows; whether no scrape of the exporter started a process."""
    from tests.vm.crowd import CROWD_SCRATCH_BYTES, script
    from tests.vm.hosts import overlay
    from tests.vm.kernel import find_program
    from tests.vm.machine import Machine

    find_program(NODE_EXPORTER, "prometheus-node-exporter")
    find_program("strace", "strace")
    if not os.path.exists(SCRIPT[0]):
        raise SystemExit(f"{SCRIPT[0]} is missing (Debian: prometheus-node-exporter-collectors)")
    with Machine.boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        script(machine, overlay.start())
        made, kept = 0, True
        for size in sorted(sizes):
            volumes = [overlay.volume(number) for number in range(made + 1, size + 1)]
            for start in range(0, len(volumes), BATCH):
                batch = volumes[start : start + BATCH]
                script(machine, overlay.create(batch))
                script(machine, [line for volume in batch for line in volume.export().lines()])
            made = size
            command = f"{sys.executable} {Path(__file__).resolve()} --here {size} --runs {runs}"
            done = machine.run(command, timeout=MEASURE_SECONDS)
            print(done.stdout, end="", flush=True)
            if done.status not in (0, MISSED):
                raise SystemExit(f"exit status {done.status} in the machine: {done.stderr[-2000:]}")
            kept &= done.status == 0
    return kept


def main() -> int:
    """Here, or in a machine of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[3, 64])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--here", type=int, metavar="COUNT", help="measure on this host, which has so many volumes (root)")
    options = parser.parse_args()
    kept = here(options.here, options.runs) if options.here is not None else in_machine(options.sizes, options.runs)
    return 0 if kept else MISSED


if __name__ == "__main__":
    sys.exit(main())
