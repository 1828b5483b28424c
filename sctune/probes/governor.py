"""CPU frequency governors (Documentation/admin-guide/pm/cpufreq.rst)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.system import CpuGovernors
from sctune.unavailable import Reason, Unavailable, known

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
    drivers: set[str] = set()
    preferences: set[str] = set()
    for folder in policies(host, cpus):
        text = host.read(f"{folder}/scaling_governor")
        if isinstance(text, Unavailable):
            if text.reason is Reason.ABSENT:  # an offline CPU has a folder and no policy
                continue
            return text
        governor = text.strip()
        if governor:
            governors.add(governor)
        if governor == "powersave":
            drivers.add((known(host.read(f"{folder}/scaling_driver")) or "").strip())
            preferences.add((known(host.read(f"{folder}/energy_performance_preference")) or "").strip())
    return CpuGovernors(
        governors=tuple(sorted(governors)),
        cpus=len(cpus),
        drivers=tuple(sorted(drivers - {""})),
        preferences=tuple(sorted(preferences - {""})),
    )


def policies(host: Host, cpus: tuple[str, ...]) -> tuple[str, ...]:
    """The folders that each hold a governor, given the names of the CPUs' folders."""
    # A policy stands for all CPUs that share a clock: fewer files than one a CPU. Kernels before 4.3 have the latter alone.
    policies = host.list(f"{FOLDER}/cpufreq")
    if not isinstance(policies, Unavailable):
        found = tuple(f"{FOLDER}/cpufreq/{name}" for name in policies if name.startswith("policy"))
        if found:
            return found
    return tuple(f"{FOLDER}/{cpu}/cpufreq" for cpu in cpus)
