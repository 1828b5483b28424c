"""CPU frequency governors (Documentation/admin-guide/pm/cpufreq.rst)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.system import CpuGovernors
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

FOLDER = "/sys/devices/system/cpu"


def probe(host: Host) -> CpuGovernors | Unavailable:
    """The governors in force. Most virtual machines have no cpufreq: () then."""
    names = host.list(FOLDER)
    if isinstance(names, Unavailable):
        return names
    cpus = tuple(name for name in names if name.startswith("cpu") and name[3:].isdecimal())
    governors: set[str] = set()
    for path in _governor_files(host, cpus):
        text = host.read(path)
        if isinstance(text, Unavailable):
            if text.reason is Reason.ABSENT:  # an offline CPU has a folder and no policy
                continue
            return text
        if text.strip():
            governors.add(text.strip())
    return CpuGovernors(governors=tuple(sorted(governors)), cpus=len(cpus))


def _governor_files(host: Host, cpus: tuple[str, ...]) -> tuple[str, ...]:
    # A policy stands for all CPUs that share a clock: fewer files than one a CPU. Kernels before 4.3 have the latter alone.
    policies = host.list(f"{FOLDER}/cpufreq")
    if not isinstance(policies, Unavailable):
        found = tuple(f"{FOLDER}/cpufreq/{name}/scaling_governor" for name in policies if name.startswith("policy"))
        if found:
            return found
    return tuple(f"{FOLDER}/{cpu}/cpufreq/scaling_governor" for cpu in cpus)
