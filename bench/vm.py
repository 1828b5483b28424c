"""`sctune doctor` against the operator's five commands on a real storage controller: the test machine, with 3, 64 and 250 volumes.

    python bench/vm.py [3 64 250] [--runs 5]

Every volume is a file, loop device, PV, VG, LV, target and open-iscsi session, made by the real tools in a virtual machine with
Debian's kernel (tests/vm). The processor is emulated and there is one: forks and Python cost ten times what they cost elsewhere,
LVM's scans less than that, so only the ratio says something, and it is harder on the doctor than a real host is. 250 volumes
take more than ten minutes to make.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from doctor import LIMIT, OPERATOR, installed_wheel

from tests.vm.crowd import CROWD_SCRATCH_BYTES, script
from tests.vm.hosts import overlay
from tests.vm.machine import Machine

# The shell's own clock: date(1) would be a fork more in each measurement.
TIMED = """
now() {{ printf '%s ' ${{EPOCHREALTIME/./}}; }}
for run in $(seq 0 {runs}); do
    now; {sctune} doctor >/dev/null 2>&1
    now; {{ losetup -a; pvdisplay; vgdisplay; lvdisplay; tgt-admin -s; }} >/dev/null 2>&1
    now; echo
done
"""
BATCH = 16


def attach(machine: Machine, volumes: list[overlay.Volume]) -> None:
    """Makes and attaches volumes, a batch at a time, since one command line can be too long and one deadline too short."""
    for start in range(0, len(volumes), BATCH):
        batch = volumes[start : start + BATCH]
        script(machine, overlay.create(batch))
        script(machine, [line for volume in batch for line in volume.export().lines()])
        script(machine, overlay.login(batch))
        print(f"  {batch[-1].number} volumes", file=sys.stderr, flush=True)


def measure(machine: Machine, sctune: str, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of the doctor and of the operator's commands, in turns; the first round of both warms the caches."""
    path = "/run/measure.sh"
    machine.check(f"cat > {path} <<'END'\n{TIMED.format(runs=runs, sctune=sctune)}END")
    rows = [[int(word) / 1e6 for word in line.split()] for line in machine.check(f"bash {path}", timeout=600).splitlines()]
    return [row[1] - row[0] for row in rows[1:]], [row[2] - row[1] for row in rows[1:]]


def main() -> int:
    """Measures each size on one machine that grows, and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[3, 64, 250])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    worst = 0.0
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sctune = stack.enter_context(installed_wheel(folder))
        machine = stack.enter_context(Machine.boot(scratch_bytes=CROWD_SCRATCH_BYTES * 2))
        script(machine, overlay.start())
        made = 0
        for size in sorted(options.sizes):
            attach(machine, [overlay.volume(number) for number in range(made + 1, size + 1)])
            made = size
            ours, theirs = measure(machine, sctune, options.runs)
            ratio = statistics.median(ours) / statistics.median(theirs)
            worst = max(worst, ratio)
            print(
                f"{size:4} volumes: sctune doctor {statistics.median(ours):6.2f} s ({min(ours):.2f} - {max(ours):.2f}), "
                f"{OPERATOR} {statistics.median(theirs):6.2f} s ({min(theirs):.2f} - {max(theirs):.2f}), ratio {ratio:.2f}",
                flush=True,
            )
    print(f"at worst {worst:.2f} (on a host's own processor at most {LIMIT:g}: bench/doctor.py)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
