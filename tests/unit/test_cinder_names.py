"""Cinder's names, as its LVM driver gives them, and what chains of its volumes look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.backends.base import LvName
from sctune.backends.choose import CINDER, candidates
from sctune.chain_state import Unexported, unexported
from sctune.findings import Subject, SubjectKind
from sctune.tgt_state import demand, lost_exports
from sctune.unavailable import known
from tests.unit import storage_hosts, tgt_hosts
from tests.unit.chain_hosts import ABSENT, backed, device, inventory, lv, pv, report
from tests.unit.storage_hosts import loops

if TYPE_CHECKING:
    from sctune.inventory import Inventory

UUID = "2f0d5f0e-6a55-4a3b-9a0e-0c8f3f4b1a2d"
OTHER = "7c1b2a90-0d4e-4f6b-8a11-5e2f9d3c4b00"
SNAPSHOT = "91e0c2d3-1111-4222-8333-944445555666"


@pytest.mark.parametrize(
    ("lv", "name"),
    [
        (f"volume-{UUID}", LvName(ours=True, volume=UUID)),
        (f"_snapshot-{UUID}", LvName(ours=True, snapshot=UUID, is_snapshot=True)),
        (f"clone-snap-{UUID}", LvName(ours=True, is_snapshot=True)),
        (f"tmp-snap-{UUID}", LvName(ours=True, is_snapshot=True)),
        ("cinder-volumes-pool", LvName(ours=False)),
        (f"snapshot-{UUID}", LvName(ours=False)),
        (f"volume-{UUID}x", LvName(ours=False)),
        (f"volume-{UUID.upper()}", LvName(ours=False)),
        ("volume-00000001", LvName(ours=False)),
        ("root", LvName(ours=False)),
    ],
)
def test_names_of_lvs(lv: str, name: LvName) -> None:
    for vg in ("cinder-volumes", "stack-volumes-lvmdriver-1", "vg0"):
        assert CINDER.lv_name(vg, lv, ()) == name


def test_names_of_targets() -> None:
    own = f"iqn.2010-10.org.openstack:volume-{UUID}"
    assert CINDER.is_target(own)
    assert CINDER.target_volume(own) == UUID
    assert CINDER.target_volume(f"iqn.2019-01.lab.example:volume-{UUID}") == UUID  # target_prefix of a site
    for other in (f"volume-{UUID}", "iqn.2010-10.org.openstack:other", f"{own}-2", "iqn.2009-06.com.eucalyptus.cluster00:store1"):
        assert not CINDER.is_target(other)
        assert CINDER.target_volume(other) == ""


@given(st.uuids(), st.text(max_size=20))
def test_no_other_backend_claims_a_cinder_volume(uuid: object, vg: str) -> None:
    claims = [one.name for one in candidates(configured=None, cloud=None, lvs=()) if one.lv_name(vg, f"volume-{uuid}", ()).ours]
    assert claims == ["cinder-lvm"]


@given(st.text(max_size=80))
def test_any_name_is_read(name: str) -> None:
    CINDER.lv_name("vg", name, ())
    assert (CINDER.target_volume(name) != "") == CINDER.is_target(name)


def on_one_loop(*, tgtd: bool) -> Inventory:
    """devstack's host: the VG lies on a file, and all volumes in it; the second is not exported, the first has a snapshot."""
    vg = "stack-volumes-lvmdriver-1"
    first = lv(vg, f"volume-{UUID}", 1, "p1", pool="stack-volumes-lvmdriver-1-pool")
    second = lv(vg, f"volume-{OTHER}", 2, "p1", pool="stack-volumes-lvmdriver-1-pool", origin=f"_snapshot-{SNAPSHOT}")
    kept = lv(vg, f"_snapshot-{SNAPSHOT}", 3, "p1", pool=first.pool, origin=first.name, active=False, device=None)
    served = tgt_hosts.target(tgt_hosts.lun(backing_path=first.path), iqn=f"iqn.2010-10.org.openstack:{first.name}")
    parts: dict[str, Any] = {} if tgtd else {"tgt": ABSENT}
    return inventory(
        *((served,) if tgtd else ()),
        **parts,
        lvm=report(first, second, kept, pv("p1", 0, vg)),
        dm=(device(first, activated=10.0), device(second, activated=10.0)),
        loops=loops(backed(0, f"{vg}-backing-file", folder="/opt/stack/data")),
        stores=(),
        processes=storage_hosts.processes(storage_hosts.tgtd(100.0)) if tgtd else storage_hosts.processes(),
    )


def test_a_loop_device_under_the_vg_is_no_volumes_own() -> None:
    """Nothing that holds for a volume's own loop device holds for this one: not leaked, not lost, no tgtd missed (LIO's host)."""
    for tgtd in (True, False):
        host = on_one_loop(tgtd=tgtd)
        chains = known(host.chains)
        assert chains is not None
        assert [chain.id for chain in chains.chains if chain.ours] == [UUID, OTHER]
        assert [chain.file for chain in chains.chains] == [None, None]
        loop = host.loops.devices[0]  # type: ignore[union-attr]
        assert chains.subject_of_loop(loop) == Subject(
            kind=SubjectKind.LOOP, id="/opt/stack/data/stack-volumes-lvmdriver-1-backing-file"
        )
        assert demand(host).volumes == ()
        assert lost_exports(host) == ()
        states = {unexported(chain, host.tgt, host.processes) for chain in chains.chains}
        assert states <= {Unexported.EXPORTED, Unexported.AT_REST}


def test_a_thin_snapshot_hangs_on_its_origin() -> None:
    chains = known(on_one_loop(tgtd=True).chains)
    assert chains is not None
    first = next(chain for chain in chains.chains if chain.id == UUID)
    assert [link.subject for link in first.snapshots] == [Subject(kind=SubjectKind.SNAPSHOT, id=SNAPSHOT)]
    assert len(chains.chains) == 2


def test_a_target_without_its_disk_is_told_by_its_name() -> None:
    empty = tgt_hosts.target(tgt_hosts.lun(0), iqn=f"iqn.2010-10.org.openstack:volume-{UUID}")
    chains = known(on_one_loop(tgtd=True).chains)
    assert chains is not None
    assert chains.subject_of_target(empty) == Subject(kind=SubjectKind.VOLUME, id=UUID)
