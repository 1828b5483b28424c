"""Where a running tuned would undo a profile, or the profile it: two tools on one knob. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.tuning.model import Decision
from sctune.tuning.paths import tuned_name
from sctune.tuning.schema import Section
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.tuning.facts import Facts
    from sctune.tuning.model import Item
    from sctune.tuning.pinned import Pins

_SHOWN = 8
_JUDGED = (Decision.CHANGE, Decision.ALREADY, Decision.PINNED)


def clashes(items: Iterable[Item], facts: Facts, pins: Pins, name: str) -> Iterator[str]:
    """A sentence for what keeps a profile from being applied beside tuned: its active profile sets the same things to other values,
    or it holds a profile that sctune applied through it."""
    mine = [path for path in facts.tuned_files if path.split("/")[-2] == tuned_name(name)]
    if mine:
        yield f"{name} is applied through tuned ({mine[0]}): take it back first (sctune rollback), or apply it with --via tuned"
    found: dict[str, None] = {}
    for item in items:
        meant = _held(item, facts, pins) if item.wanted is not None and item.decision in _JUDGED else ""
        if meant:
            found[meant] = None
    if found:
        told = list(found)
        more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        yield (
            f"tuned runs, and its profile {pins.profile} sets {', '.join(told[:_SHOWN])}{more} otherwise: the two would undo each "
            f"other. --via tuned has tuned make and keep the settings of {name} in that profile's stead; `tuned-adm off` has it "
            "set nothing"
        )


def _held(item: Item, facts: Facts, pins: Pins) -> str:
    """What tuned sets otherwise of an item, "" for nothing."""
    setting, value = item.setting, item.wanted or ""
    match setting.section:
        case Section.SYSCTL:
            return pins.sysctl_set(setting.knob, setting.name, value)
        case Section.SYSTEM if setting.name == "transparent_hugepage":
            return pins.huge_pages_set(value) if facts.at_boot is None else ""
        case Section.SYSTEM:
            return pins.governor_set(value)
        case Section.BLOCK if setting.attribute is not None:
            device = next((one for one in known(facts.devices) or () if one.name == item.subject), None)
            return pins.device_set(device, setting.attribute, value) if device is not None else ""
    return ""
