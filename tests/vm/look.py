"""Makes faults one by one, each on a machine of its own, and says what the doctor says: ``python -m tests.vm.look NAME…``.

Several names of volume faults joined by ``+`` stand on one host, each on a volume of its own. Without a name, lists them.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from .crowd import make_crowd, make_fault
from .faults.hosts import HOST_FAULTS
from .faults.volumes import VOLUME_FAULTS
from .machine import Machine
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .faults.base import Expected, HostFault, VolumeFault
    from .verdict import Verdict


def find(names: str) -> HostFault | tuple[VolumeFault, ...]:
    """The fault of a host with this name, or the faults of volumes with these.

    :raises KeyError: there is none.
    """
    hosts = {fault.name: fault for fault in HOST_FAULTS}
    if names in hosts:
        return hosts[names]
    volumes = {fault.name: fault for fault in VOLUME_FAULTS}
    return tuple(volumes[name] for name in names.split("+"))


def boot_options(fault: HostFault | Sequence[VolumeFault]) -> dict[str, object]:
    """What `Machine.boot` has to be told for it."""
    if isinstance(fault, (tuple, list)):
        return {"scratch_bytes": 64 << 30}
    options: dict[str, object] = {"scratch_bytes": fault.scratch_bytes}  # type: ignore[union-attr]
    return options | ({"systemd": True} if fault.systemd else {})  # type: ignore[union-attr]


def make(machine: Machine, fault: HostFault | tuple[VolumeFault, ...]) -> tuple[list[Expected], str]:
    """Brings the machine there. What the doctor has to say, and further options of the doctor."""
    if isinstance(fault, tuple):
        volumes = make_crowd(machine, fault, sound=1)
        expected = [one for each in fault for one in each.expects(volumes[each.name])]
        return expected, ""
    hosts = make_fault(machine, fault)
    return list(fault.expects(hosts)), fault.options


def look(names: str) -> bool:
    """Makes one, looks, prints what was found. Whether all is as it has to be."""
    fault = find(names)
    began = time.monotonic()
    with Machine.boot(**boot_options(fault)) as machine:  # type: ignore[arg-type]
        expected, options = make(machine, fault)
        made = time.monotonic()
        verdict = examine(machine, options)
        wrong = verdict.missing(expected) + verdict.surplus(expected)
    print(f"{names}: made in {made - began:.0f} s, looked at in {verdict.seconds:.0f} s: {'; '.join(wrong) or 'as it has to be'}")
    show(verdict)
    return not wrong


def show(verdict: Verdict) -> None:
    """Every finding above info, and what could not be looked at."""
    for finding in verdict.above_info():
        cause = f" (because of {finding['caused_by']})" if finding["caused_by"] else ""
        print(f"    {finding['severity']} {finding['code']} {finding['subject']['kind']} {finding['subject']['id']}{cause}")
        print(f"        {finding['summary']}: {finding['evidence']}")
    for line in verdict.unexamined():
        print(f"    not examined: {line}")


def main(names: list[str]) -> int:
    """The exit status: 1 where something was not as it has to be."""
    if not names:
        print("volume:", *(fault.name for fault in VOLUME_FAULTS))
        print("host:  ", *(fault.name for fault in HOST_FAULTS))
        return 0
    return int(not all([look(name) for name in names]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
