"""Scrapes of the exporter on a host with LVM, beside node_exporter's and a run of the script that Debian ships for LVM's figures.

    python bench/exporter_lvm.py [3 64] [--runs 7]

Every volume is a file, loop device, PV, VG, LV and target, made by the real tools in the test machine (tests/vm). In turns: a
scrape of the exporter over HTTP, one of Debian's prometheus-node-exporter (default collectors, loop devices not excluded), and
lvm-prom-collector with all it has (-g -p -s -t; package prometheus-node-exporter-collectors), which gives node_exporter its LVM by
the textfile collector. Processes that each starts are counted under strace. LVM is not changed meanwhile: the exporter keeps LVM's
report until it is, the script asks anew in each run. The processor is emulated, so only the ratios say something.

    python bench/exporter_lvm.py --here COUNT [--runs 7]

is what the machine runs: it measures on the host it is on, with so many volumes.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from exporter import NODE_EXPORTER, node_exporter, processor, scrape, serving, started

SCRIPT = ("/usr/share/prometheus-node-exporter-collectors/lvm-prom-collector", "-g", "-p", "-s", "-t")
NAMES = ("sctune", "node_exporter", "lvm-prom-collector")
# The first look reads what lies in no cache, and may take longer than a collector has; LVM's first report is asked for then.
WARM_SECONDS = 240.0
COUNTED_SCRAPES = 5
BATCH = 16
MEASURE_SECONDS = 900.0


def warmed(url: str, count: int) -> None:
    """Scrapes until all collectors succeed and every LV is in the answer."""
    end = time.monotonic() + WARM_SECONDS
    while True:
        text = scrape(url)[1].decode()
        lines = text.splitlines()
        failed = [line for line in lines if line.startswith("sctune_scrape_collector_success") and float(line.split()[-1]) == 0]
        found = sum(line.startswith("sctune_lvm_lv_active{") for line in lines)
        if not failed and found == count:
            return
        if time.monotonic() > end:
            raise SystemExit(f"{found} of {count} LVs; {failed}")
        time.sleep(1.0)


def run_script() -> tuple[float, float, int]:
    """Seconds, seconds of processor time and lines of one run of the script, in which no error may be."""
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    text = subprocess.run(SCRIPT, check=True, capture_output=True, text=True).stdout
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, text.count("\nnode_")


def forks(count: int) -> tuple[float, float]:
    """Processes that a scrape of the exporter starts, and a run of the script, under strace."""
    strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=process", "-o")
    with tempfile.NamedTemporaryFile() as log, serving(prefix=(*strace, log.name)) as (_, url):
        warmed(url, count)
        before = started(log.name)
        for _ in range(COUNTED_SCRAPES):
            scrape(url)
        ours = (started(log.name) - before) / COUNTED_SCRAPES
    with tempfile.NamedTemporaryFile() as log:
        subprocess.run([*strace, log.name, *SCRIPT], check=True, stdout=subprocess.DEVNULL)
        script = started(log.name, executed=False)
    return ours, script


def here(count: int, runs: int) -> None:
    """Measures in turns and says it."""
    ours, theirs = forks(count)
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    used: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    with serving() as (pid, url), node_exporter() as (peer, other):
        warmed(url, count)
        scrape(other), run_script()
        for _ in range(runs):
            for name, process, where in (("sctune", pid, url), ("node_exporter", peer, other)):
                before = processor(process)
                seconds, text = scrape(where)
                used[name] += processor(process) - before
                times[name].append(seconds)
                if name == "sctune":
                    samples = sum(not line.startswith(b"#") for line in text.splitlines())
            seconds, processed, lines = run_script()
            times["lvm-prom-collector"].append(seconds)
            used["lvm-prom-collector"] += processed
    median = {name: statistics.median(found) for name, found in times.items()}
    print(f"{count} volumes; {samples} samples of sctune, {lines} of lvm-prom-collector")
    for name, found in times.items():
        spread = f"({min(found) * 1000:.0f} - {max(found) * 1000:.0f})"
        print(f"  {name:<20} {median[name] * 1000:7.0f} ms {spread:<14} processor {used[name] / runs * 1000:6.0f} ms")
    print(f"  processes started: {ours:g} by a scrape of sctune, {theirs:g} by a run of lvm-prom-collector")
    both = median["node_exporter"] + median["lvm-prom-collector"]
    processors = used["node_exporter"] + used["lvm-prom-collector"]
    print(f"  sctune / node_exporter: time {median['sctune'] / median['node_exporter']:.2f}, ", end="")
    print(f"processor {used['sctune'] / used['node_exporter']:.2f}")
    print(f"  sctune / (node_exporter and its LVM script): time {median['sctune'] / both:.3f}, ", end="")
    print(f"processor {used['sctune'] / processors:.3f}", flush=True)


def in_machine(sizes: list[int], runs: int) -> None:
    """Measures each size on one machine that grows."""
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
        made = 0
        for size in sorted(sizes):
            volumes = [overlay.volume(number) for number in range(made + 1, size + 1)]
            for start in range(0, len(volumes), BATCH):
                batch = volumes[start : start + BATCH]
                script(machine, overlay.create(batch))
                script(machine, [line for volume in batch for line in volume.export().lines()])
            made = size
            command = f"{sys.executable} {Path(__file__).resolve()} --here {size} --runs {runs}"
            print(machine.check(command, timeout=MEASURE_SECONDS), end="", flush=True)


def main() -> int:
    """Here, or in a machine of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[3, 64])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--here", type=int, metavar="COUNT", help="measure on this host, which has so many volumes (root)")
    options = parser.parse_args()
    if options.here is not None:
        here(options.here, options.runs)
    else:
        in_machine(options.sizes, options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
