"""What the probes ask, found out by letting them ask.

Every part of the inventory is fetched from a sample host that has everything, and then, once for each question, from one that lacks
just that: a probe that takes what it did not find from elsewhere asks for that then (`asking`). Paths become patterns of the shell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.probes.disk_health import NVME, SMARTCTL
from sctune.records import dataclass
from sctune.script.asking import fetched
from sctune.script.sample import LUNS, NAMES, STORE, TGTD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.script.asking import Question, Run

_MOST_RUNS = 2000
_PATHS = ("read", "list", "readlink", "stat", "lstat_mtime")
FOUND_OUT = (f"/proc/{TGTD}/root", STORE, *LUNS)
"""Paths that the script takes from what the host itself says, not from a pattern."""
LOSETUP = ("losetup", "-a")
"""Asked only where the kernel does not tell: it opens every loop device."""
OF_A_DISK = (SMARTCTL, NVME)
"""Asked of each of the host's own disks, which the script finds out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Patterns of paths by kind of question, command lines, tgtd's modes: (mode, whether of one target), whether the kernel's log
    is wanted, and other logs: (path, pattern of their lines). In the order in which they are first asked."""

    paths: dict[str, tuple[str, ...]]
    commands: tuple[tuple[str, ...], ...]
    tgt: tuple[tuple[str, bool], ...]
    kernel_log: bool
    logs: tuple[tuple[str, str], ...]


def plan() -> Plan:
    """Lets all probes ask."""
    asked: dict[Question, None] = {}
    pending: list[tuple[frozenset[Question], Question | None, Run | None]] = [(frozenset(), None, None)]
    tried = 0
    while pending and tried < _MOST_RUNS:
        missing, last, before = pending.pop(0)
        tried += 1
        run = fetched(missing) if before is None or last is None else fetched(missing, before=before, lacks=last)
        new = [question for question in run.asked if question not in asked]
        asked.update(dict.fromkeys(new))
        pending.extend((missing | {question}, question, run) for question in new)
    return Plan(
        paths={kind: _patterns(what for k, what in asked if k == kind and isinstance(what, str)) for kind in _PATHS},
        commands=tuple(
            what
            for kind, what in asked
            if kind == "run" and isinstance(what, tuple) and what != LOSETUP and what[:-1] not in OF_A_DISK
        ),
        tgt=tuple(what for kind, what in asked if kind == "tgt" and isinstance(what, tuple)),
        kernel_log=any(kind == "kernel_log" for kind, _ in asked),
        logs=tuple(what for kind, what in asked if kind == "log" and isinstance(what, tuple)),
    )


def pattern(path: str) -> str:
    """The pattern of the shell that a path of the sample host stands for."""
    return "/".join(NAMES.get(part, part) for part in path.split("/"))


def _patterns(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pattern(path) for path in paths if not path.startswith(FOUND_OUT)))
