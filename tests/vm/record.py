"""Record what the tools and the kernel say in each state of the test machine: ``python -m tests.vm.record [STATE]…``.

What is asked is in commands.tsv. One folder a state under tests/data/vm: a file a command (``.stderr`` beside it where there was
any) and ``INDEX.tsv`` with name, exit status, seconds and command; what no state changes is asked in the first alone. The CHAP
secret is replaced; a recording that still holds it is an error.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .hosts.tgt import SECRET
from .machine import CommandTimeout, Machine
from .stages import STATES, make

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "vm"
FIRST = "healthy"
REDACTED = "REDACTED"
COMMAND_SECONDS = 15.0
# The two helpers are scripts of this folder, which the machine sees at its own path.
PRELUDE = "".join(f'{name}() {{ python3 -I -S {HERE / name}.py "$@"; }}\n' for name in ("walk", "lvm_config"))


def commands(state: str) -> list[tuple[str, str]]:
    """Name and shell command of what is recorded in *state*."""
    rows = [line.split("\t") for line in (HERE / "commands.tsv").read_text().splitlines()]
    return [(name, command) for name, when, command in rows if when == "all" or state == FIRST]


def record(machine: Machine, state: str) -> None:
    """Run every command in the machine as it is now and write the folder of *state*."""
    folder = DATA / state
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    index = []
    for name, command in commands(state):
        try:
            done = machine.run(PRELUDE + command, timeout=COMMAND_SECONDS)
        except CommandTimeout:
            index.append(f"{name}\ttimeout\t{COMMAND_SECONDS:.2f}\t{command}\n")
            continue
        index.append(f"{name}\t{done.status}\t{done.seconds:.2f}\t{command}\n")
        for suffix, text in (("txt", done.stdout), ("stderr", done.stderr)):
            if text or suffix == "txt":
                (folder / f"{name}.{suffix}").write_text(text.replace(SECRET, REDACTED))
    (folder / "INDEX.tsv").write_text("".join(index))
    leaks = [str(path) for path in folder.iterdir() if SECRET in path.read_text()]
    if leaks:
        raise SystemExit(f"the secret is in {', '.join(leaks)}")


def main(states: list[str]) -> None:
    """Record *states*, all without one."""
    for state in states or list(STATES):
        with Machine.boot() as machine:
            make(machine, state)
            record(machine, state)
        print(state, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
