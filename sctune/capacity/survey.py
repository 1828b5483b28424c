"""Looks at a host for `sctune capacity`: what fits, what is promised, which limits are safe. Pure but for the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.capacity.groups import group_capacities
from sctune.capacity.history import choose, forecast
from sctune.capacity.limits import Assumptions, das_limits, overlay_limits, volumes_vg
from sctune.capacity.policy import account_quota
from sctune.capacity.stores import store_capacities
from sctune.loop_limit import loop_limits
from sctune.model.capacity import Allowance, Capacity, LoopCapacity, SnapshotAllowance
from sctune.model.units import GIB, size_words
from sctune.quota import limits, logical_size, partitions_of, properties_source, snapshots_used, version_numbers, volumes_used
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.capacity.history import Series
    from sctune.inventory import Inventory
    from sctune.model.capacity import AccountQuota, GroupCapacity, SafeLimits, StoreCapacity
    from sctune.quota import Limits

PARTS = ("cloud", "loops", "mounts", "stores", "lvm", "dm", "tgt", "processes", "chains")
OVERLAY = "eucalyptus-overlay"
DEFAULT_SIZE = 10 * GIB
DEFAULT_SNAPSHOTS_PER_VOLUME = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: the `size` of further volumes (None: as large as the largest here), how many snapshots are kept of each, the
    `history` of a store, and the quotas of an account: a share of `accounts`, or these numbers. `policy_file` is what commands
    call the policy."""

    size: int | None = None
    snapshots_per_volume: float = DEFAULT_SNAPSHOTS_PER_VOLUME
    history: tuple[Series, ...] = ()
    accounts: int | None = None
    account_volumes: int | None = None
    account_gib: int | None = None
    account_snapshots: int | None = None
    policy_file: str = "FILE"

    @property
    def wants_quota(self) -> bool:
        """Whether quotas of an account are asked for."""
        return any(value is not None for value in (self.accounts, self.account_volumes, self.account_gib, self.account_snapshots))


def survey(inventory: Inventory, question: Question) -> Capacity:
    """The answer, as far as it can be had."""
    chains = known(inventory.chains)
    sizes = [logical_size(chain) or 0 for chain in (chains.chains if chains else ()) if chain.ours or chain.exports]
    size = question.size or max(sizes, default=0) or DEFAULT_SIZE
    stores, unknown_stores = store_capacities(inventory, size, overlay=_backend(inventory) == OVERLAY)
    groups, unknown_groups = group_capacities(inventory, size)
    unknown = [*unknown_stores, *unknown_groups]
    if question.history:
        stores = tuple(_with_forecast(store, question.history, inventory.clock.now, only=len(stores) == 1) for store in stores)
        unknown.extend(store.forecast for store in stores if isinstance(store.forecast, Unavailable))
    loops = _loops(inventory)
    if isinstance(loops, Unavailable):
        unknown.extend([loops] if loops.reason is not Reason.ABSENT else [])
    in_force = _in_force(inventory)
    unknown.extend(in_force.doubts)
    unknown.extend(_untold(inventory))
    safe = _limits(inventory, stores, groups, in_force, question)
    notes = [*_notes(inventory, safe, in_force)]
    quota = None
    if question.wants_quota:
        quota, told = _quota(safe, _or_none(loops), question)
        notes.extend(told)
    return Capacity(
        volume_size=size,
        stores=stores,
        groups=groups,
        loops=_or_none(loops),
        allowance=_allowance(inventory, in_force, size),
        snapshot_allowance=_snapshot_allowance(inventory, in_force, max(sizes, default=0) or size),
        limits=safe,
        quota=quota,
        notes=tuple(notes),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _untold(inventory: Inventory) -> list[Unavailable]:
    """What of the cloud and of the chains could not be had: properties that the configuration names are not there by accident."""
    found = [answer for answer in (inventory.chains, inventory.cloud) if isinstance(answer, Unavailable)]
    cloud = known(inventory.cloud)
    if cloud is not None and cloud.properties_unavailable is not None:
        found.append(cloud.properties_unavailable)
    return [answer for answer in found if answer.reason is not Reason.ABSENT]


def _or_none(loops: LoopCapacity | Unavailable | None) -> LoopCapacity | None:
    """The loop devices where they matter and are known."""
    return None if isinstance(loops, Unavailable) else loops


def _with_forecast(store: StoreCapacity, history: tuple[Series, ...], now: float, *, only: bool) -> StoreCapacity:
    series = choose(history, store.name, only=only)
    return replace(store, forecast=series if isinstance(series, Unavailable) else forecast(series, store, now=now))


def _loops(inventory: Inventory) -> LoopCapacity | Unavailable | None:
    """None where volumes here need no loop device."""
    chains = known(inventory.chains)
    overlay = next((backend for backend in (chains.backends if chains else ()) if backend.loop_policy_limit is not None), None)
    state = inventory.loops
    if isinstance(state, Unavailable):
        return state if overlay is not None else None
    if overlay is None and not any(chain.loops and chain.exports for chain in (chains.chains if chains else ())):
        return None
    found = loop_limits(state, chains, inventory.config.loop_limit)
    least = min(found, default=None)
    return LoopCapacity(
        attached=len(state.devices),
        limit=least[0] if least else None,
        source=least[1] if least else "the kernel makes them on demand",
        at_rest=overlay is not None and overlay.loops_at_rest,
    )


def _in_force(inventory: Inventory) -> Limits:
    chains = known(inventory.chains)
    return limits(
        inventory.config.quotas,
        known(inventory.cloud),
        partitions=partitions_of(chains) if chains else (),
        source=properties_source(inventory),
    )


def _allowance(inventory: Inventory, in_force: Limits, size: int) -> Allowance | None:
    """How many more volumes the limits in force allow. None where none is known for their sum."""
    chains = known(inventory.chains)
    if in_force.total is None or chains is None:
        return None
    used = volumes_used(chains.chains, inventory.stores).size
    too_large = in_force.volume if in_force.volume is not None and size > in_force.volume.size else None
    left = max(0, in_force.total.size - used)
    return Allowance(limit=in_force.total, used=used, volumes=0 if too_large else left // size, too_large=too_large)


def _snapshot_allowance(inventory: Inventory, in_force: Limits, size: int) -> SnapshotAllowance | None:
    """How many more snapshots of a volume of `size` the limit in force allows at most. None where none is known."""
    chains = known(inventory.chains)
    limit = in_force.snapshots
    if limit is None or chains is None:
        return None
    used = snapshots_used(chains, inventory.stores).size
    return SnapshotAllowance(limit=limit, used=used, size=size, snapshots=max(0, limit.size - used) // size)


def _limits(
    inventory: Inventory,
    stores: tuple[StoreCapacity, ...],
    groups: tuple[GroupCapacity, ...],
    in_force: Limits,
    question: Question,
) -> SafeLimits | None:
    """None where this is no cloud that has such limits, or its disks are not known."""
    backend = _backend(inventory)
    cloud = known(inventory.cloud)
    folder = cloud.volumes_folder if cloud is not None else ""
    mine = next((store for store in stores if folder in store.folders), None)
    if mine is None:
        mine = max((store for store in stores if store.takes_snapshots), key=lambda store: store.total, default=None)
    assumed = Assumptions(
        snapshots=question.snapshots_per_volume,
        version=cloud.version if cloud is not None else "",
        partition=_partition(inventory, in_force),
    )
    if backend == OVERLAY:
        return overlay_limits(mine, in_force, assumed) if mine is not None else None
    if backend == "eucalyptus-das":
        vg = volumes_vg(groups)
        unseen = mine is None and question.snapshots_per_volume > 0
        return das_limits(vg, mine, in_force, assumed) if vg is not None and not unseen else None
    return None


def _backend(inventory: Inventory) -> str:
    """The backend of the volumes here; of a cloud without any, as it is configured or recorded, and overlay where nothing tells."""
    chains = known(inventory.chains)
    names = [chain.backend.name for chain in (chains.chains if chains else ()) if chain.ours]
    if names:
        return max(sorted(set(names)), key=names.count)
    if inventory.config.backend is not None:
        return inventory.config.backend
    cloud = known(inventory.cloud)
    if cloud is None:
        return ""
    managers = {value for name, value in cloud.properties if name.endswith(".storage.blockstoragemanager")}
    if len(managers) == 1:
        return {"overlay": OVERLAY, "das": "eucalyptus-das"}.get(managers.pop(), "")
    return OVERLAY


def _partition(inventory: Inventory, in_force: Limits) -> str | None:
    """The partition this host serves: its targets tell, else recorded properties of a single one."""
    chains = known(inventory.chains)
    served = partitions_of(chains) if chains else ()
    if len(served) == 1:
        return served[0]
    cloud = known(inventory.cloud)
    recorded = {name.partition(".storage.")[0] for name, _ in (cloud.properties if cloud else ()) if ".storage.max" in name}
    return recorded.pop() if len(recorded) == 1 and not served else None


def _notes(inventory: Inventory, safe: SafeLimits | None, in_force: Limits) -> list[str]:
    notes: list[str] = []
    if safe is None:
        return notes
    used = known(inventory.chains)
    here = sum(logical_size(chain) or 0 for chain in (used.chains if used else ()) if chain.ours)
    if here > safe.total.gib * GIB:
        notes.append(
            f"The volumes that are here already, {size_words(here)}, are more than can be honoured: a lower limit stops new ones, "
            "and takes back none."
        )
    quotas = inventory.config.quotas
    given = [account.total for account in (quotas.accounts.values() if quotas else ()) if account.total is not None]
    if sum(given) > safe.total.gib * GIB:
        notes.append(
            f"The quotas of {len(given)} account{'s' if len(given) != 1 else ''} (quotas.accounts) add up to "
            f"{size_words(sum(given))}, and {safe.total.gib} GiB can be honoured."
        )
    numbers = version_numbers(safe.version)
    total, snapshots = in_force.total, in_force.snapshots
    if total is not None and snapshots is not None and snapshots.size < total.size:
        notes.append(
            f"The limit of all snapshots ({size_words(snapshots.size)}"
            + (", the default" if snapshots.is_default else "")
            + f") is below that of all volumes ({size_words(total.size)}), and counts those of all zones: snapshots fail with "
            "SnapshotLimitExceeded long before the volumes' limit is met."
        )
    elif snapshots is None and numbers >= (4, 2):
        notes.append(
            "Since 4.2 the default limit of all snapshots, 50 GB in all zones together, is below that of the volumes of a zone "
            "(500 GB): unless it was raised, snapshots fail with SnapshotLimitExceeded long before volumes do."
        )
    if numbers >= (4, 0) or not numbers:
        notes.append(f"{safe.snapshots.key} counts all zones: add up what each zone can honour.")
    elif numbers < (4, 0):
        notes.append(f"{safe.snapshots.key} is not honoured by 3.2.1 and later (EUCA-4838).")
    if safe.partition is None:
        notes.append("Nothing here tells the name of the partition (availability zone): put it in the place of <PARTITION>.")
    return notes


def _quota(safe: SafeLimits | None, loops: LoopCapacity | None, question: Question) -> tuple[AccountQuota | None, list[str]]:
    """An account's quotas: the numbers that were given, else a share of what is safe."""
    share = question.accounts or 1
    volumes, gib, snapshots = question.account_volumes, question.account_gib, question.account_snapshots
    if safe is None and None in (volumes, gib, snapshots):
        return None, ["No quotas of an account: no safe limit is known here that could be divided, so all three have to be given."]
    if gib is None:
        gib = safe.total.gib // share if safe is not None else 0
    if volumes is None:
        # A volume has 1 GiB at least, and one that is attached needs a loop device.
        bound = loops.limit // share if loops is not None and loops.limit is not None else gib
        volumes = min(gib, bound)
    if snapshots is None:
        snapshots = max(1, int(volumes * question.snapshots_per_volume))
    if min(volumes, gib, snapshots) < 1:
        return None, [f"No quotas of an account: divided by {share}, less than one GiB or one volume is left for each."]
    notes = ["Quotas of an account bound the number of its snapshots and not their size: the limit of all snapshots has to."]
    if safe is not None and gib * share > safe.total.gib:
        notes.append(f"{share} x {gib} GiB of accounts are {gib * share} GiB, and {safe.total.gib} GiB can be honoured.")
    return account_quota(
        volumes=volumes, gib=gib, snapshots=snapshots, accounts=question.accounts, file=question.policy_file
    ), notes
