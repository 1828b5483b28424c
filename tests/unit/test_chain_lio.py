"""Volumes that LIO exports: joined by what the kernel holds open, shown as tgt's are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.chain_find import find
from sctune.chain_tree import tree, walk
from sctune.findings import SubjectKind
from sctune.model.block import BlockKind
from sctune.model.initiator import IscsiSession
from sctune.model.lio import LioState
from sctune.model.tree import Layer, Mark
from sctune.model.volume import VolumeState
from sctune.probes import lio, lio_state
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from sctune.volumes import volumes
from tests.unit.chain_hosts import backed, chains, device, files, inventory, lv, pv, report
from tests.unit.lio_hosts import DEMO_IQN, FILE, FILE_IQN, INITIATOR, VOLUME, VOLUME_ID, VOLUME_IQN, recorded
from tests.unit.serving_hosts import block
from tests.unit.storage_hosts import loops

if TYPE_CHECKING:
    from sctune.inventory import Inventory


def state(name: str = "sound") -> LioState:
    host = recorded(name)
    found = lio_state.probe(host, lio=lio.probe(host))
    assert isinstance(found, LioState)
    return found


def seen(name: str = "sound", **parts: Any) -> Inventory:
    """The recorded host with its LV, and whatever else is said of it."""
    volume = lv("lio", VOLUME, 0)
    given: dict[str, Any] = {
        "lvm": report(volume),
        "dm": (device(volume),),
        "lio": (VOLUME_IQN, FILE_IQN),
        "lio_state": state(name),
    }
    return inventory(**(given | parts))


def session(number: int, target: str, tpgt: int = 1) -> IscsiSession:
    return IscsiSession(
        number=number,
        target=target,
        tpgt=tpgt,
        interface="default",
        initiator=INITIATOR,
        state="LOGGED_IN",
        recovery_timeout=120,
        abort_timeout=15,
        lu_reset_timeout=30,
        connections=(),
        disks=(f"sd{'abc'[number - 1]}",),
    )


def test_lv_and_file_each_with_target_lun_and_session() -> None:
    look = seen()
    assert not isinstance(look.chains, Unavailable)
    found = {chain.id: chain for chain in look.chains.chains}
    assert set(found) == {VOLUME_ID, f"{FILE_IQN}/0"}
    volume = found[VOLUME_ID]
    assert [(export.target.iqn, export.lun.number) for export in volume.exports] == [(VOLUME_IQN, 0)]
    assert [nexus.initiator for export in volume.exports for nexus in export.nexuses] == [INITIATOR]
    rows = {row.id: row for row in volumes(look, (), {}).rows}
    assert {name: row.state for name, row in rows.items()} == dict.fromkeys(found, VolumeState.ATTACHED)
    (served,) = rows[VOLUME_ID].exports
    assert (served.target, served.lun, served.tid, served.control_port) == (VOLUME_IQN, 0, None, None)
    assert [(one.initiator, one.addresses) for one in served.attachments] == [(INITIATOR, ("127.0.0.1",))]
    for name in (VOLUME_IQN, f"{VOLUME_IQN}/0", VOLUME, f"/dev/lio/{VOLUME}"):
        assert [chain.id for chain in find(name, look, look.chains)] == [volume.id]
    assert [chain.id for chain in find(FILE, look, look.chains)] == [f"{FILE_IQN}/0"]


def test_the_open_device_counts_and_not_the_path() -> None:
    """The LV was renamed after LIO opened it, and another one has its old name."""
    renamed, other = lv("lio", "renamed", 0), lv("lio", VOLUME, 7)
    joined = chains(lvm=report(renamed, other), dm=(device(renamed), device(other)), lio_state=state())
    assert [chain.id for chain in joined.chains if chain.exports] == [f"{FILE_IQN}/0", "lio/renamed"]


def test_a_volumes_file_is_found_by_its_inode() -> None:
    """The folder of the backing files is a link, say: LIO was told another path than the store has."""
    sound = state()
    group = next(target for target in sound.targets if target.iqn == FILE_IQN)
    (lun,) = group.luns
    assert lun.backstore is not None
    (store,) = files("vol-391D44BE")
    (file,) = store.files  # type: ignore[attr-defined]
    stat = replace(lun.backstore.stat, device=file.device, inode=file.inode)  # type: ignore[type-var]
    served = replace(group, luns=(replace(lun, backstore=replace(lun.backstore, path="/link/elsewhere", stat=stat)),))
    joined = chains(stores=(store,), lio_state=LioState(targets=(served,), backstores=()))
    (chain,) = joined.chains
    assert (chain.subject.kind, chain.id, chain.file) == (SubjectKind.VOLUME, "vol-391D44BE", file)


def test_a_loop_device_and_an_lv_on_one() -> None:
    volume = lv("vg-1", "lv-1", 0, "pv-1")
    parts = {"lvm": report(volume, pv("pv-1", 1, "vg-1")), "dm": (device(volume),), "loops": loops(backed(1, "vol-391D44BE"))}
    joined = chains(stores=files("vol-391D44BE"), lio_state=state(), **parts)
    chain = next(chain for chain in joined.chains if chain.loops)
    assert [(export.target.iqn, export.lun.number) for export in chain.exports] == [(VOLUME_IQN, 0)]


def test_a_lun_without_backstore_stays_at_the_lv_it_is_named_for() -> None:
    look = seen("broken")
    assert not isinstance(look.chains, Unavailable)
    chain = look.chains.by_export[VOLUME_IQN, 0]
    assert chain.id == VOLUME_ID
    marks = {link.layer: (link.mark, link.note) for link in walk(tree(chain, look, (), {}))}
    assert marks[Layer.LUN] == (Mark.BROKEN, "no backstore lies behind it")
    assert marks[Layer.LV] == (Mark.FINE, "")
    nobody = seen("broken", lvm=report(), dm=())
    assert not isinstance(nobody.chains, Unavailable)
    assert nobody.chains.by_export[VOLUME_IQN, 0].id == f"{VOLUME_IQN}/0"


def test_the_disk_of_this_host_by_the_number_it_is_mapped_as() -> None:
    sound = state()
    group = next(target for target in sound.targets if target.iqn == VOLUME_IQN)
    acl = replace(group.acls[0], mappings=(replace(group.acls[0].mappings[0], number=9),))
    given = LioState(targets=(replace(group, acls=(acl,)),), backstores=())
    disks = tuple(block(name, BlockKind.DISK, session=1, target_lun=lun) for name, lun in (("sda", 0), ("sdb", 9)))
    look = seen(lio_state=given, sessions=(session(1, VOLUME_IQN),), block=disks)
    assert not isinstance(look.chains, Unavailable)
    (chain,) = look.chains.chains
    assert [local.disk.name for local in chain.disks] == ["sdb"]
    (link,) = [link for link in walk(tree(chain, look, (), {})) if link.layer is Layer.LUN]
    assert dict(link.facts)["mapped_as"] == ("9",)
    elsewhere = seen(lio_state=given, sessions=(session(1, VOLUME_IQN, tpgt=2),), block=disks)
    assert not isinstance(elsewhere.chains, Unavailable)
    assert elsewhere.chains.chains[0].disks == ()


def test_who_has_no_lun_mapped_is_not_served_it() -> None:
    sound = state()
    group = next(target for target in sound.targets if target.iqn == VOLUME_IQN)
    given = LioState(targets=(replace(group, acls=(replace(group.acls[0], mappings=()),)),), backstores=())
    rows = volumes(seen(lio_state=given), (), {}).rows
    assert [(row.id, row.state, row.attachments) for row in rows] == [(VOLUME_ID, VolumeState.READY, ())]


def test_a_session_without_acl_is_told_without_address() -> None:
    look = seen("broken")
    assert not isinstance(look.chains, Unavailable)
    chain = look.chains.by_export[DEMO_IQN, 3]
    # The file of both targets: each LUN is a chain of its own, as no volume is known behind it.
    assert [(one.target.iqn, [nexus.initiator for nexus in one.nexuses]) for one in chain.exports] == [(DEMO_IQN, [INITIATOR])]


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.NOT_COLLECTED])
def test_what_lio_exports_is_unknown_where_it_could_not_be_looked_at(reason: Reason) -> None:
    blind = Unavailable(reason=reason, what="/sys/kernel/config/target/core")
    (row,) = volumes(seen(lio_state=blind), (), {}, everything=True).rows
    assert (row.state, row.unseen) == (VolumeState.UNKNOWN, (blind,))
