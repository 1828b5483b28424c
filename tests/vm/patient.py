"""sctune as it is, but that one look, and LVM and systemctl in it, may take three times as long: `python -m tests.vm.patient
ARGUMENTS`.

An emulated processor is ten times slower than a host's, and by how much changes from hour to hour with what else the computer does.
What hangs is given up nevertheless; that all of a look ends in its time is tried on real processors (tests/live).
"""

from __future__ import annotations

import sys

from sctune.__main__ import entry
from sctune.host.live import LiveHost
from sctune.probes import lvm, lvmconfig, units

PATIENCE = 3
WITH_SCRAPES = frozenset({"exporter", "collector", "metrics"})

if __name__ == "__main__":
    defaults = LiveHost.__init__.__kwdefaults__
    assert defaults is not None
    defaults["budget"] *= PATIENCE
    lvm.DEADLINE *= PATIENCE
    lvmconfig.DEADLINE *= PATIENCE
    units._TIMEOUT *= PATIENCE
    if WITH_SCRAPES.intersection(sys.argv[1:2]):
        from sctune.exporters.prometheus import look_inventory

        look_inventory.BUDGET *= PATIENCE
    entry()
