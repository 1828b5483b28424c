"""Whether a host serves volumes: advice about writeback and schedulers is for those that do, and for nobody's laptop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.unavailable import CannotLook, Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.inventory import Inventory

NOT_SERVING = "this host serves no volumes: no cloud's volumes, no exported device and no running target"


def serves_volumes(inventory: Inventory) -> bool | Unavailable:
    """Whether a cloud's volumes lie here, a device is exported, or a target daemon has something to serve. Unavailable where
    tgt alone could tell and could not be asked."""
    chains = known(inventory.chains)
    if chains is not None and any(chain.ours or chain.exports for chain in chains.chains):
        return True
    if known(inventory.lio):
        return True
    tgt = inventory.tgt
    if not isinstance(tgt, Unavailable):
        return bool(tgt.daemons or tgt.unanswered) or _runs_tgtd(inventory)
    if _runs_tgtd(inventory):
        return True
    return False if tgt.reason is Reason.ABSENT else tgt


def need_sight_of_volumes(inventory: Inventory) -> None:
    """Raises `CannotLook` where a cloud is installed and what shows its volumes could not be asked: that none was seen is then
    no proof that there is none."""
    cloud = inventory.cloud
    if isinstance(cloud, Unavailable) and cloud.reason is Reason.ABSENT:
        return
    for answer in (inventory.loops, inventory.lvm, inventory.stores):
        if isinstance(answer, Unavailable) and answer.reason is not Reason.ABSENT:
            raise CannotLook(answer)


def _runs_tgtd(inventory: Inventory) -> bool:
    processes = known(inventory.processes)
    return processes is not None and bool(processes.tgtd)
