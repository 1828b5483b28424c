"""Brings a machine to a fault: crowds of volumes, each with its own fault beside sound ones, and hosts with one fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .hosts import overlay
from .machine import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .faults.base import Expected, HostFault, VolumeFault
    from .hosts.overlay import Volume
    from .machine import Machine

CROWD_SCRATCH_BYTES = 256 << 30
BATCH_SECONDS = 300.0
SOUND = 6
"""Sound volumes beside those with faults."""


def script(machine: Machine, lines: Iterable[str], *, timeout: float = BATCH_SECONDS) -> str:
    """Runs lines in one shell that stops at the first failure."""
    return machine.check("\n".join(("set -e", *lines)), timeout=timeout)


def make_crowd(machine: Machine, faults: Sequence[VolumeFault], *, sound: int = SOUND) -> dict[str, Volume]:
    """A storage controller with *sound* volumes and one for each fault, which is made then and is there by the word of kernel and
    tools. Returns the volumes by fault name."""
    volumes = {fault.name: overlay.volume(number, gib=fault.gib) for number, fault in enumerate(faults, 1)}
    others = [overlay.volume(number) for number in range(len(faults) + 1, len(faults) + sound + 1)]
    attached = [volumes[fault.name] for fault in faults if fault.attached] + others
    script(machine, overlay.start())
    everything = [*volumes.values(), *others]
    for start in range(0, len(everything), 20):
        script(machine, overlay.create(everything[start : start + 20]))
    script(machine, overlay.attach(attached))
    if others:
        copied = overlay.snapshot(others[-1])
        script(machine, [*copied.create(), *copied.copy()])
    early = [fault for fault in faults if not fault.late]
    for fault in early:
        _break(machine, fault, volumes[fault.name])
    machine.check("udevadm settle")
    _demand(machine, [fact for fault in early for fact in fault.facts(volumes[fault.name])])
    # One by one: what looks at a fact of one may hang on the next.
    for fault in faults:
        if fault.late:
            _break(machine, fault, volumes[fault.name])
            _demand(machine, fault.facts(volumes[fault.name]))
    return volumes


def _break(machine: Machine, fault: VolumeFault, volume: Volume) -> None:
    try:
        script(machine, fault.breaks(volume))
    except CommandFailed as error:
        raise CommandFailed(f"{fault.name}: {error}") from error


def _demand(machine: Machine, facts: Sequence[str]) -> None:
    """The fault is really there, by the word of kernel and tools."""
    wrong = untrue(machine, facts)
    if wrong:
        raise CommandFailed("not so, though the fault was made: " + "; ".join(wrong))


def make_fault(machine: Machine, fault: HostFault) -> list[Volume]:
    """A host with a fault of the whole host. Returns its volumes."""
    volumes = [overlay.volume(number) for number in range(1, fault.volumes + 1)]
    script(machine, fault.before)
    script(machine, fault.build(volumes))
    script(machine, fault.breaks(volumes))
    if fault.until:
        machine.check(f"until {fault.until}; do sleep 0.25; done", timeout=fault.seconds)
    _demand(machine, fault.facts(volumes))
    return volumes


def untrue(machine: Machine, facts: Sequence[str]) -> list[str]:
    """Those of the shell conditions that do not hold; in one batch, since forks cost more than the conditions."""
    if not facts:
        return []
    lines = [f"{{ {fact}; }} >/dev/null 2>&1 || echo {number}" for number, fact in enumerate(facts)]
    return [facts[int(number)] for number in machine.run("\n".join(lines)).stdout.split()]


def subjects(expected: Iterable[Expected]) -> set[tuple[str, str, str]]:
    """What is expected, in the form that `verdict.said` gives."""
    return {(one.code, one.severity, one.subject) for one in expected}
