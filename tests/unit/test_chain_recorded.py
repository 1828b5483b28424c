"""Joining what real probes read of recorded hosts (tests/data/vm) and of a composed large one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.chain import join
from sctune.config.model import Config
from sctune.inventory import Inventory
from sctune.model.dm import SnapshotState
from tests.synthetic import name_of, storage_controller
from tests.unit.chain_hosts import by_id
from tests.unit.whole_hosts import whole

if TYPE_CHECKING:
    from sctune.model.chain import Chain


def recorded(state: str) -> dict[str, Chain]:
    return by_id(join(Inventory(whole(state), Config(), strict=True)))


def test_the_recorded_host() -> None:
    named = recorded("healthy")
    assert set(named) == {"vol-391D44BE", "vol-A110E8ED"}
    copying, other = named["vol-391D44BE"], named["vol-A110E8ED"]
    for chain in (copying, other):
        assert chain.file is not None
        assert chain.file.name == chain.id
        assert (len(chain.loops), len(chain.pvs), len(chain.exports), len(chain.disks)) == (1, 1, 1, 1)
        assert chain.dm is not None
        assert chain.exports[0].target.iqn == chain.disks[0].session.target
    (link,) = copying.snapshots
    assert (link.subject.id, link.cow_loops, len(copying.copies)) == ("snap-57C3C3E8", ("loop2",), 1)
    assert link.status is not None
    assert link.status.state is SnapshotState.ACTIVE
    assert (other.snapshots, other.copies) == ((), ())


def test_recorded_faults_leave_the_other_volume_whole() -> None:
    for fault in ("backing-deleted", "lv-suspended", "duplicate-pv", "snapshot-invalid", "missing-pv", "thin-full"):
        other = recorded(fault)["vol-A110E8ED"]
        assert other.file is not None, fault
        assert (len(other.loops), len(other.pvs), len(other.exports), len(other.disks)) == (1, 1, 1, 1), fault


def test_a_killed_tgtd_exports_nothing() -> None:
    named = recorded("tgtd-killed")
    assert all(chain.exports == () and chain.loops and chain.dm for chain in named.values())


def test_three_hundred_volumes_are_three_hundred_whole_chains() -> None:
    named = by_id(join(Inventory(storage_controller(300), Config(), strict=True)))
    assert set(named) == {name_of(number) for number in range(300)}
    assert all(c.file and c.lv and c.dm and len(c.loops) == len(c.pvs) == len(c.exports) == 1 for c in named.values())
