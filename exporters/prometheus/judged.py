"""The state of each volume, as `sctune volumes` says it: by the checks that speak of volumes, on what a scrape may ask.

What only a log tells (`look_inventory.NOT_ASKED`) is left to the doctor: it makes no volume degraded here. Nothing is looked at
twice: a link that is missing for a moment shows for one scrape, and alerts wait longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.commands.looking import of_volumes
from sctune.doctor import judge
from sctune.registry import load
from sctune.volumes import volumes

if TYPE_CHECKING:
    from sctune.check import Check
    from sctune.inventory import Inventory
    from sctune.volumes import Volumes


def checks() -> tuple[Check, ...]:
    """The checks that are run in a scrape."""
    return of_volumes(load().checks)


def listed(inventory: Inventory) -> Volumes:
    """The volumes of one look, judged."""
    registry = load()
    codes = {code.code: code for _, code in registry.codes()}
    return volumes(inventory, judge(inventory, checks()), codes)
