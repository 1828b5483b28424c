"""What a plan costs on a host with many block devices: no tool is run, and nothing is changed.

    python bench/tuning.py [--devices 1000]

The host is a file tree on tmpfs, read as a live one is. Fails when planning takes longer than 2 s.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from sctune.config.model import Config
from sctune.host.base import HostIdentity
from sctune.host.root import RootHost
from sctune.inventory import Inventory
from sctune.tuning.load import catalogue, joined
from sctune.tuning.model import Options
from sctune.tuning.plan import operations, plan
from tests.unit.tuned_kernel import Disk, Kernel

LIMIT = 2.0
KINDS = ("sd", "dm-", "loop", "nvme")


def name_of(number: int) -> str:
    """Names of all kinds; those of disks as the kernel counts them (sda … sdz, sdaa …)."""
    kind, rest = KINDS[number % len(KINDS)], number // len(KINDS)
    if kind == "sd":
        letters = ""
        rest += 1
        while rest:
            rest, digit = divmod(rest - 1, 26)
            letters = chr(97 + digit) + letters
        return f"sd{letters}"
    return f"nvme{rest}n1" if kind == "nvme" else f"{kind}{rest}"


def make(folder: str, devices: int) -> Kernel:
    """Writes the host's files below a folder."""
    kernel = Kernel()
    for number in range(devices):
        name = name_of(number)
        has = not name.startswith("dm-")
        kernel.disks[name] = Disk(scheduler="none", schedulers=("none", "mq-deadline") if has else ())
    host = kernel.host()
    for path, text in host.files.items():
        os.makedirs(folder + os.path.dirname(path), exist_ok=True)
        with open(folder + path, "w", encoding="utf-8") as file:
            file.write(str(text))
    for path, link in host.links.items():
        os.makedirs(folder + os.path.dirname(path), exist_ok=True)
        if not os.path.lexists(folder + path):
            os.symlink(link, folder + path)
    return kernel


class Tree(RootHost):
    """A file tree that is named as what it stands for."""

    def identity(self) -> HostIdentity:
        return HostIdentity(name="bench", kernel="6.1.0", privileged=True)


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        make(folder, given.devices)
        for name in ("enterprise-storage", "storage-controller"):
            profile = joined(name, catalogue())
            times = []
            for _ in range(given.runs):
                began = time.perf_counter()
                made = plan(Inventory(Tree(folder), Config(), strict=True), profile, Options())
                pending = len(operations(made))
                times.append(time.perf_counter() - began)
            best = min(times)
            worst = max(worst, best)
            if pending < given.devices // 4:
                raise SystemExit(f"{name}: only {pending} changes, so this measures something else")
            print(f"{name:<20} {given.devices} devices, {pending} changes: {best:.2f} s (at most {max(times):.2f} s)")
    print(f"limit {LIMIT:g} s: {'kept' if worst <= LIMIT else 'broken'}")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
