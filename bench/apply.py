"""`sctune apply-profile enterprise-storage` against `tuned-adm profile` with the same settings, in the test machine.

    python bench/apply.py [--runs 5]

tuned's daemon is already running and idle, so what it takes to start is not counted (it is printed). Both change the same values of
the same devices, and both are taken back before the next turn, which is not counted either. sctune's time includes its start, the
look at the host, the plan, the journal, which is synced, four files and a second look at the host afterwards; tuned's includes what
its daemon does until the client ends. The processor is emulated, so only the ratio says something;
it is harder on sctune, whose interpreter and modules start in each run, than on a daemon.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from doctor import installed_wheel

from tests.vm.machine import Machine

AIM = 0.5
# What profiles/enterprise-storage.yaml sets on this kernel, in tuned's words.
PROFILE = """[main]
summary=the settings of enterprise-storage
[sysctl]
vm.dirty_ratio=40
[disk]
devices=sd*,vd*,dm-*
elevator=mq-deadline
readahead=>4096
[vm]
transparent_hugepages=always
[cpu]
governor=performance
"""
STATE = (
    "cat /proc/sys/vm/dirty_ratio /sys/kernel/mm/transparent_hugepage/enabled "
    "$(ls -d /sys/block/vd*/queue/scheduler /sys/block/vd*/queue/read_ahead_kb)"
)
# Another scheduler and other huge pages than the wanted ones, as where no profile was ever applied.
PREPARE = (
    "for d in /sys/block/vd*; do echo none > $d/queue/scheduler; done; echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
)
DAEMON = "dbus-daemon --system --fork; tuned -l -d -P; until tuned-adm active >/dev/null 2>&1; do sleep 0.2; done; tuned-adm off"
# The shell's own clock: date(1) would be a fork more in each measurement.
TIMED = "began=${{EPOCHREALTIME/./}}; {{ {command}; }} >/run/said 2>&1; status=$?; echo $status $((${{EPOCHREALTIME/./}} - began))"


def parts(sctune: str) -> dict[str, str]:
    """What is in sctune's time."""
    plan = f"{sctune} apply-profile enterprise-storage --config /dev/null --dry-run || [ $? = 4 ]"
    return {"its start (--version)": f"{sctune} --version", "start, one look and the plan (--dry-run)": plan}


def timed(machine: Machine, command: str) -> float:
    """Seconds of a command, which has to succeed."""
    status, micros = map(int, machine.check(f"bash -c '{TIMED.format(command=command)}'", timeout=120.0).split())
    if status:
        raise SystemExit(f"{command} exited with {status}: {machine.run('cat /run/said').stdout}")
    return micros / 1e6


def main() -> int:
    """Measures both in turns, sees to it that they did the same, and says the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sctune = stack.enter_context(installed_wheel(folder))
        machine = stack.enter_context(Machine.boot())
        machine.check(f"mkdir -p /etc/tuned/same /run/dbus && cat > /etc/tuned/same/tuned.conf <<'END'\n{PROFILE}END")
        machine.check(PREPARE)
        print(f"tuned's daemon starts in {machine_seconds(machine, DAEMON):.1f} s, which is not counted")
        before = machine.check(STATE)
        contenders = {
            "sctune": (f"{sctune} apply-profile enterprise-storage --yes --config /dev/null", f"{sctune} rollback --yes"),
            "tuned": ("tuned-adm profile same", "tuned-adm off"),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        after: dict[str, str] = {}
        for turn in range(options.runs + 1):
            for name, (command, back) in contenders.items():
                seconds = timed(machine, command)
                after[name] = machine.check(STATE)
                timed(machine, back)
                if machine.check(STATE) != before:
                    raise SystemExit(f"{back} did not bring back what was:\n{before}\n{machine.check(STATE)}")
                if turn:  # the first warms the caches
                    times[name].append(seconds)
        for what, command in parts(sctune).items():
            print(f"of sctune's: {what} {min(timed(machine, command) for _ in range(options.runs)):.2f} s")
        if not before != after["sctune"] == after["tuned"]:
            raise SystemExit(f"they did not do the same:\n{after['sctune']}\n{after['tuned']}")
    ours, theirs = times["sctune"], times["tuned"]
    ratio = statistics.median(ours) / statistics.median(theirs)
    for name, found in times.items():
        print(f"{name:<8} {statistics.median(found):6.2f} s ({min(found):.2f} - {max(found):.2f})")
    print(f"ratio {ratio:.2f} (the aim, {AIM:g}, is {'met' if ratio <= AIM else 'missed'})")
    return 0


def machine_seconds(machine: Machine, command: str) -> float:
    """How long a command takes that leaves processes behind."""
    return machine.run(f"({command}) </dev/null >/run/daemon 2>&1", timeout=120.0).seconds


if __name__ == "__main__":
    sys.exit(main())
