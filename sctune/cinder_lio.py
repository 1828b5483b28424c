"""What LIO has of Cinder's volumes: targets, saved targets and storage objects, all called after the volume. Pure.

Cinder (cmd/rtstool.py) gives target and storage object one name, PREFIXvolume-UUID, makes the storage object first, and saves both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import CINDER
from sctune.findings import Cause, Subject, SubjectKind
from sctune.records import dataclass, field
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.lio import LioBackstore, LioTarget
    from sctune.model.lio_saved import SavedBackstore, SavedTarget

DRIFT_CODE = "CINDER_TARGET_DRIFT"


@dataclass(slots=True, kw_only=True)
class LioVolume:
    """One volume: the portal groups that serve it, those that are saved, and the storage objects called after it."""

    id: str
    iqn: str
    served: list[LioTarget] = field(default_factory=list)
    saved: list[SavedTarget] = field(default_factory=list)
    stores: list[LioBackstore] = field(default_factory=list)
    saved_stores: list[SavedBackstore] = field(default_factory=list)


def lio_volumes(inventory: Inventory) -> dict[str, LioVolume]:
    """Every volume that LIO or its saved configuration has, by its uuid; of what could not be read, none."""
    found: dict[str, LioVolume] = {}

    def of(name: str) -> LioVolume | None:
        volume = CINDER.target_volume(name)
        return found.setdefault(volume, LioVolume(id=volume, iqn=name)) if volume else None

    live, kept = known(inventory.lio_state), known(inventory.lio_saved)
    for target in live.targets if live else ():
        if (volume := of(target.iqn)) is not None:
            volume.served.append(target)
            volume.stores += [lun.backstore for lun in target.luns if lun.backstore is not None]
    for store in live.backstores if live else ():
        if (volume := of(store.name)) is not None and store not in volume.stores:
            volume.stores.append(store)
    for item in kept.targets if kept else ():
        if (volume := of(item.iqn)) is not None:
            volume.saved.append(item)
            volume.saved_stores += [
                one for one in (kept.backstores if kept else ()) if (one.plugin, one.name) in {lun[1:] for lun in item.luns}
            ]
    for one in kept.backstores if kept else ():
        if (volume := of(one.name)) is not None and one not in volume.saved_stores:
            volume.saved_stores.append(one)
    return dict(sorted(found.items()))


def without_lv(inventory: Inventory) -> frozenset[str]:
    """The volumes that LIO has, live or saved, and no VG: LVM was heard in full, and no device lies where a storage object says."""
    report = known(inventory.lvm)
    if report is None or report.excluded:
        return frozenset()
    names = {lv.name for lv in report.logical_volumes}
    blocks = known(inventory.block)
    numbers = None if blocks is None else {block.device for block in blocks}

    def gone(store: LioBackstore | SavedBackstore) -> bool:
        held = getattr(store, "device", None)
        if held is not None and (numbers is None or held in numbers or getattr(store, "present", None)):
            return False
        return isinstance(store.stat, Unavailable) and store.stat.reason is Reason.ABSENT

    return frozenset(
        volume.id
        for volume in lio_volumes(inventory).values()
        if f"volume-{volume.id}" not in names
        and all(gone(store) for store in volume.stores)
        and all(gone(store) for store in volume.saved_stores)
    )


def lost_cause(inventory: Inventory, iqn: str) -> Cause | None:
    """The finding that explains whatever is wrong with a target whose volume has no LV any more."""
    volume = CINDER.target_volume(iqn)
    if not volume or volume not in without_lv(inventory):
        return None
    return Cause(code=DRIFT_CODE, subject=Subject(kind=SubjectKind.VOLUME, id=volume))
