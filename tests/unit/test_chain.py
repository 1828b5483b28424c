"""Joining: one chain a volume, whatever the layers are called and whichever of them do not answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.backends.choose import label
from sctune.chain_index import normal
from sctune.config.model import Config
from sctune.findings import Subject, SubjectKind
from sctune.model.block import BlockKind
from sctune.model.dm import DmTarget, SnapshotState, SnapshotStatus
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.chain_hosts import (
    IQN,
    TIMEOUT,
    backed,
    by_id,
    chains,
    copy,
    device,
    euca,
    files,
    lv,
    mapper,
    node,
    pv,
    report,
    snapshot,
    target,
    where,
)
from tests.unit.iscsi_hosts import connection, session
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import block, loop, loops, processes
from tests.unit.tgt_hosts import daemon, lun, state
from tests.unit.tgt_hosts import target as tgt_target

if TYPE_CHECKING:
    from sctune.model.chain import Chain

VOL = "vol-391D44BE"
VG = f"euca-ebs-storage-vg-{VOL}"
LV = f"euca-{VOL}"
ORIGIN = lv(VG, LV, 1, "P1")
SNAP = snapshot(VG, "euca-snap-57C3C3E8", 2, LV, "P2")
COW = VOL + "Msm_AI-x"


def volume(name: str) -> Subject:
    return Subject(kind=SubjectKind.VOLUME, id=name)


def one(*targets: Any, **parts: Any) -> Chain:
    (chain,) = chains(*targets, **parts).chains
    return chain


def overlay(**parts: Any) -> dict[str, Any]:
    """A volume of 3.3+, from file to LV."""
    healthy: dict[str, Any] = {
        "lvm": report(ORIGIN, pv("P1", 1, VG)),
        "loops": loops(backed(1, VOL)),
        "dm": (device(ORIGIN),),
        "stores": files(VOL),
        "cloud": euca(),
        "block": (block("loop1", device=(7, 1)), block("dm-1", BlockKind.DM, device=(253, 1), slaves=("loop1",))),
    }
    return healthy | parts


def test_an_overlay_volume_from_file_to_target() -> None:
    chain = one(target(1, f"/dev/{VG}/{LV}"), **overlay())
    assert (chain.id, chain.subject, chain.ours, label(chain.backend)) == (VOL, volume(VOL), True, "eucalyptus-overlay 3.3+")
    assert chain.file is not None
    assert chain.file.path == f"{STORE}/{VOL}"
    assert [loop.name for loop in chain.loops] == ["loop1"]
    assert [pv.uuid for pv in chain.pvs] == ["P1"]
    assert chain.lv == ORIGIN
    assert chain.dm is not None
    assert [(export.target.iqn, export.lun.number) for export in chain.exports] == [(f"{IQN}1", 1)]


NODES = {
    f"/dev/{VG}/{LV}": node(253, 1),
    f"/dev/mapper/{mapper(VG, LV)}": node(253, 1),
    "/dev/dm-1": node(253, 1),
    "/dev/disk/by-id/dm-uuid-LVM-x": node(253, 1),
    "/dev/loop1": node(7, 1),
}


@pytest.mark.parametrize("lvm_answers", [True, False])
@pytest.mark.parametrize(
    "path",
    [*NODES, f"/dev/block/../{VG}/{LV}", f"//dev/{VG}/{LV}", f"/dev//{VG}/./{LV}", f"{STORE}/{VOL}", f"/{STORE}/{VOL}"],
)
def test_a_lun_is_found_by_any_name_of_its_device(path: str, lvm_answers: bool) -> None:
    parts = overlay() if lvm_answers else overlay(lvm=TIMEOUT)
    found = chains(target(1, path), host=FakeHost(stats=dict(NODES)), **parts)
    (chain,) = found.chains
    assert chain.id == VOL
    assert len(chain.exports) == 1
    assert found.by_export[f"{IQN}1", 1] is chain
    assert found.subject_of_target(chain.exports[0].target) == volume(VOL)
    assert found.subject_of_lun(chain.exports[0].target, chain.exports[0].lun) == volume(VOL)


def test_dead_links_are_told_by_their_words() -> None:
    """The LV is not there any more: the volume is named in the path, and in nothing else."""
    chain = one(target(1, f"/dev/{VG}/{LV}"), lvm=report(), cloud=euca())
    assert (chain.id, chain.lv, chain.loops, len(chain.exports)) == (VOL, None, (), 1)
    other = one(target(1, "/dev/vg0/lost"), lvm=report(), cloud=euca())
    assert (other.subject, other.ours) == (Subject(kind=SubjectKind.LUN, id=f"{IQN}1/1"), False)


def test_a_volume_at_rest_is_a_file() -> None:
    chain = one(stores=files(VOL), cloud=euca())
    assert (chain.id, chain.ours, chain.loops, chain.lv) == (VOL, True, (), None)
    assert chain.file is not None


def test_snapshots_and_other_files_are_no_volumes() -> None:
    found = chains(stores=files("snap-57C3C3E8", COW, "lost+found", "vol-391D44BE.bak"), cloud=euca())
    assert found.chains == ()


COW_LOOP = backed(2, COW, inode=77)


def test_a_running_snapshot_hangs_on_its_volume() -> None:
    status = SnapshotStatus(state=SnapshotState.ACTIVE, used=10, total=100, metadata=1)
    targets = (DmTarget(start=0, length=512, kind="snapshot", status=status),)
    reading = copy(SNAP.path, f"{STORE}/snap-57C3C3E8")
    found = chains(
        **overlay(
            lvm=report(ORIGIN, SNAP, pv("P1", 1, VG), pv("P2", 2, VG)),
            loops=loops(backed(1, VOL), COW_LOOP),
            dm=(device(ORIGIN), device(SNAP, targets=targets)),
            processes=replace(processes(), copies=(reading, copy("/etc/a", "/etc/b"))),
        )
    )
    (chain,) = found.chains
    assert [loop.name for loop in chain.loops] == ["loop1"]
    (link,) = chain.snapshots
    assert link.subject == Subject(kind=SubjectKind.SNAPSHOT, id="snap-57C3C3E8")
    assert (link.cow_loops, link.status, chain.copies) == (("loop2",), status, (reading,))
    assert found.by_loop["loop2"] is chain
    assert found.subject_of_lv(SNAP) == link.subject
    assert found.subject_of_lv(ORIGIN) == volume(VOL)
    assert found.subject_of_loop(COW_LOOP) == volume(VOL)


def test_its_cow_loop_belongs_to_the_volume_where_lvm_is_silent() -> None:
    found = chains(**overlay(lvm=TIMEOUT, loops=loops(backed(1, VOL), COW_LOOP)))
    (chain,) = found.chains
    assert [loop.name for loop in chain.loops] == ["loop1"]
    assert found.by_loop["loop2"] is chain


def test_a_snapshot_whose_origin_is_not_there_is_still_a_snapshot() -> None:
    found = chains(lvm=report(SNAP), cloud=euca())
    assert found.chains == ()
    assert found.subject_of_lv(SNAP) == Subject(kind=SubjectKind.SNAPSHOT, id="snap-57C3C3E8")


@pytest.mark.parametrize("version", ["3.1.2", "3.2.2", None])
def test_before_3_3_only_the_loop_device_tells_the_volume(version: str | None) -> None:
    origin = lv("vg-WsNskQ..", "lv-CfzmRA..", 1, "P1")
    snap = snapshot("vg-WsNskQ..", "lv-snap-Aa_-09..", 2, "lv-CfzmRA..", "P2")
    found = chains(
        target(1, "/dev/vg-WsNskQ../lv-CfzmRA.."),
        lvm=report(origin, snap, pv("P1", 1, "vg-WsNskQ.."), pv("P2", 2, "vg-WsNskQ..")),
        # losetup of these versions was given //var/lib/...
        loops=loops(backed(1, VOL, folder=STORE), COW_LOOP),
        cloud=euca(version) if version else Unavailable(reason=Reason.ABSENT, what="x"),
        processes=replace(processes(), copies=(copy(snap.path, f"{STORE}/snap-1"),)),
    )
    (chain,) = found.chains
    assert (chain.id, len(chain.exports), len(chain.snapshots), len(chain.copies)) == (VOL, 1, 1, 1)
    assert chain.backend.era == {"3.1.2": "<=3.1", "3.2.2": "3.2", None: "<=3.2"}[version]
    assert found.subject_of_lv(snap) == Subject(kind=SubjectKind.LV, id="vg-WsNskQ../lv-snap-Aa_-09..")


def test_an_old_lv_without_its_loop_device_is_ours_and_nameless() -> None:
    chain = one(lvm=report(lv("vg-WsNskQ..", "lv-CfzmRA..", 1, "P1")), cloud=euca("3.1.2"))
    assert (chain.subject, chain.ours) == (Subject(kind=SubjectKind.LV, id="vg-WsNskQ../lv-CfzmRA.."), True)


def test_das_has_no_files_and_no_loop_devices() -> None:
    one_lv, two_lv = lv("ebs", "euca-vol-00000001", 1, "P1"), lv("ebs", "euca-vol-00000002", 2, "P1")
    snap = snapshot("ebs", "euca-snap-00000003", 3, "euca-vol-00000002", "P1")
    disk = pv("P1", 0, "ebs", path="/dev/sdb", device=(8, 16))
    found = chains(
        target(1, one_lv.path), target(2, two_lv.dm_path), lvm=report(one_lv, two_lv, snap, disk), stores=files("snap-00000003")
    )
    named = by_id(found)
    assert set(named) == {"vol-00000001", "vol-00000002"}
    assert all(label(chain.backend) == "eucalyptus-das 3.3+" and chain.pvs == (disk,) for chain in named.values())
    assert all(len(chain.exports) == 1 and not chain.loops for chain in named.values())
    assert [link.subject.id for link in named["vol-00000002"].snapshots] == ["snap-00000003"]


def test_das_where_lvm_is_silent_is_told_by_the_path() -> None:
    chain = one(target(1, "/dev/ebs/euca-vol-00000001"), lvm=TIMEOUT)
    assert (chain.id, chain.backend.name, chain.lv) == ("vol-00000001", "eucalyptus-das", None)


def test_the_root_lv_of_a_plain_host_is_nobodys_volume() -> None:
    found = chains(lvm=report(lv("debian-vg", "root", 1, "P"), lv("debian-vg", "swap_1", 2, "P")))
    assert [(chain.subject.id, chain.ours) for chain in found.chains] == [("debian-vg/root", False), ("debian-vg/swap_1", False)]
    assert found.subject_of_lv(lv("debian-vg", "root", 1)) == Subject(kind=SubjectKind.LV, id="debian-vg/root")
    assert [label(backend) for backend in found.backends] == ["generic"]


def test_a_generic_lv_on_a_loop_device() -> None:
    data = lv("data", "disk one", 1, "P1")
    chain = one(target(1, data.path), lvm=report(data, pv("P1", 1, "data")), loops=loops(backed(1, "image.raw")))
    assert (chain.subject.id, chain.ours, [loop.name for loop in chain.loops]) == ("data/disk one", False, ["loop1"])
    assert len(chain.exports) == 1


def test_a_loop_device_that_is_exported_as_it_is() -> None:
    found = chains(target(1, "/dev/loop1"), loops=loops(backed(1, "image.raw")), stores=files("image.raw"))
    (chain,) = found.chains
    assert chain.subject == Subject(kind=SubjectKind.LOOP, id=f"{STORE}/image.raw")
    assert chain.file is not None
    assert found.subject_of_loop(chain.loops[0]) == chain.subject


def test_a_read_only_loop_device_is_a_chain_only_where_it_is_exported() -> None:
    squashfs = backed(1, "core.snap", read_only=True)
    assert chains(loops=loops(squashfs)).chains == ()
    chain = one(target(1, "/dev/loop1"), loops=loops(squashfs))
    assert ([loop.name for loop in chain.loops], len(chain.exports), chain.ours) == (["loop1"], 1, False)


def test_a_file_that_is_exported_as_it_is() -> None:
    chain = one(target(1, f"{STORE}/image.raw"), stores=files("image.raw"))
    assert (chain.subject.kind, chain.ours) == (SubjectKind.LUN, False)
    assert chain.file is not None
    assert chain.file.name == "image.raw"


def test_loop_devices_whose_file_the_kernel_cannot_name_are_apart() -> None:
    hidden = Unavailable(reason=Reason.FAILED, what="/sys/block/loop1/loop/backing_file")
    found = chains(loops=loops(*(loop(number, backing_file="", backing=hidden) for number in (1, 2))))
    assert [[loop.name for loop in chain.loops] for chain in found.chains] == [["loop1"], ["loop2"]]
    assert [chain.subject.id for chain in found.chains] == ["/dev/loop1", "/dev/loop2"]
    assert found.subject_of_loop(loop(1, backing_file="")).id == "/dev/loop1"
    assert Subject(kind=SubjectKind.LOOP, id="") not in [chain.subject for chain in found.chains]


def test_several_loop_devices_on_one_volume() -> None:
    chain = one(**overlay(loops=loops(backed(1, VOL), backed(2, VOL, inode=1001))))
    assert [loop.name for loop in chain.loops] == ["loop1", "loop2"]


def test_a_duplicate_pv_takes_no_part_in_the_join() -> None:
    both = report(ORIGIN, pv("P1", 1, VG), pv("P1", 2, VG, duplicate=True))
    chain = one(**overlay(lvm=both, loops=loops(backed(1, VOL), backed(2, "copy-of-it", read_only=True))))
    assert [loop.name for loop in chain.loops] == ["loop1"]
    assert [pv.path for pv in chain.pvs] == ["/dev/loop1"]


def test_a_deleted_backing_file_is_not_the_new_file_of_its_name() -> None:
    chain = one(**overlay(loops=loops(backed(1, VOL, deleted=True)), stores=()))
    assert chain.file is None
    assert [loop.name for loop in chain.loops] == ["loop1"]


def test_the_file_is_found_by_inode_before_its_path() -> None:
    chain = one(**overlay(loops=loops(backed(1, VOL, backing_file=f"/mnt/elsewhere/{VOL}"))))
    assert chain.file is not None
    assert chain.file.path == f"{STORE}/{VOL}"


def test_and_by_path_where_it_could_not_be_looked_at() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what=VOL)
    chain = one(**overlay(loops=loops(backed(1, VOL, backing=hung))))
    assert chain.file is not None


def test_copies_of_a_volume_whose_store_is_silent_are_told_by_the_loop_device() -> None:
    writing = copy(f"{STORE}/snap-1", f"{STORE}/{VOL}")
    parts = overlay(stores=TIMEOUT, processes=replace(processes(), copies=(writing,)))
    assert one(**parts).copies == (writing,)


def sd(name: str, number: int, target_lun: int = 1) -> Any:
    return block(name, BlockKind.DISK, device=(8, 16 * number), session=number, target_lun=target_lun)


@pytest.mark.parametrize(("local", "found"), [(True, True), (None, True), (False, False)])
def test_a_disk_that_comes_back_to_this_host(local: bool | None, found: bool) -> None:
    """Two storage controllers of one partition name their targets alike."""
    sessions = (session(connection(local=local), number=1, target=f"{IQN}1"),)
    parts = overlay(sessions=sessions)
    parts["block"] = (*parts["block"], sd("sdb", 1), sd("sdc", 1, target_lun=2), sd("sdd", 2))
    chain = one(target(1, ORIGIN.path), **parts)
    assert [where(disk) for disk in chain.disks] == ([(1, "sdb")] if found else [])


def test_two_hosts_worth_of_odd_names() -> None:
    odd = lv("vg-with-dashes", "lv--x", 5, "P5")
    found = chains(
        target(1, ORIGIN.path),
        target(2, odd.dm_path),
        target(3, "/srv/with space/\udcff.img"),
        target(4, "/dev/sdz"),
        target(5, ""),
        tgt_target(lun(1, backing_path=ORIGIN.path), lun(2, backing_path=odd.path), iqn="iqn.2026-01.org.example:both"),
        **overlay(
            lvm=report(ORIGIN, odd, pv("P1", 1, VG), pv("P5", 5, "vg-with-dashes")),
            loops=loops(backed(1, VOL), backed(5, "\udcfe odd\n(deleted)"), backed(6, "other", folder="//mnt")),
        ),
    )
    named = by_id(found)
    assert set(named) == {
        VOL,
        "vg-with-dashes/lv--x",
        "//mnt/other",
        f"{IQN}3/1",
        f"{IQN}4/1",
        f"{IQN}5/1",
    }
    assert len(named[VOL].exports) == 2
    assert [export.target.iqn for export in named["vg-with-dashes/lv--x"].exports] == [f"{IQN}2", "iqn.2026-01.org.example:both"]
    both = found.by_export["iqn.2026-01.org.example:both", 1].exports[1].target
    assert found.subject_of_target(both) == Subject(kind=SubjectKind.TARGET, id="iqn.2026-01.org.example:both")


def test_targets_without_disks_and_controllers_are_no_exports() -> None:
    empty = state(daemon(replace(tgt_target(), luns=(lun(0),))))
    assert chains(tgt=empty).chains == ()


def test_the_main_backend_comes_first() -> None:
    das = [lv("ebs", f"euca-vol-0000000{n}", 10 + n) for n in range(3)]
    found = chains(**overlay(lvm=report(ORIGIN, pv("P1", 1, VG), *das, lv("vg0", "root", 20))))
    assert [backend.name for backend in found.backends] == ["eucalyptus-das", "eucalyptus-overlay", "generic"]


def test_what_the_configuration_says_rules() -> None:
    found = chains(target(1, ORIGIN.path), config=Config(backend="generic"), **overlay())
    (chain,) = found.chains
    assert (chain.ours, chain.subject.id, len(chain.exports)) == (False, f"{VG}/{LV}", 1)


def test_hidden_lvs_are_nobodys_volume() -> None:
    assert chains(lvm=report(lv("vg0", "[pool0_tdata]", 1))).chains == ()


def test_thin_snapshots_are_volumes_of_their_own() -> None:
    thin = lv("vg0", "thin", 1, pool="pool0")
    copy_of_it = lv("vg0", "copy", 2, pool="pool0", origin="thin")
    assert [chain.id for chain in chains(lvm=report(thin, copy_of_it)).chains] == ["vg0/copy", "vg0/thin"]


def test_nothing_answers() -> None:
    parts: dict[str, Any] = dict.fromkeys(
        ("lvm", "loops", "stores", "dm", "block", "sessions", "cloud", "tgt", "processes"), TIMEOUT
    )
    found = chains(**parts)
    assert (found.chains, [label(backend) for backend in found.backends]) == ((), ["generic"])


@pytest.mark.parametrize(
    ("path", "same"),
    [("//var//lib/./x/../y", "/var/lib/y"), ("/", "/"), ("//", "/"), ("", ""), ("relative/../x", "relative/../x")],
)
def test_one_spelling_of_a_path(path: str, same: str) -> None:
    assert normal(path) == same


def test_two_vgs_of_one_name_share_no_chain() -> None:
    """As LVM reports them: "VG name twin is used by VGs ..."; only one of them can be active."""
    first = lv("twin", "root", 1, "P1", vg_uuid="H0k5Tn", active=False, attr="-wi-------", device=None)
    second = lv("twin", "root", 2, "P2", vg_uuid="I6OHi3")
    one, other = backed(1, "a"), backed(2, "b")
    found = chains(lvm=report(first, second, pv("P1", 1, "twin"), pv("P2", 2, "twin")), loops=loops(one, other))
    assert {chain.id: (chain.lv, chain.loops) for chain in found.chains} == {
        "twin/root (VG H0k5Tn)": (first, (one,)),
        "twin/root (VG I6OHi3)": (second, (other,)),
    }
    assert found.subject_of_lv(first) != found.subject_of_lv(second)
    assert chains(target(1, "/dev/twin/root"), lvm=report(second, first)).by_export[f"{IQN}1", 1].lv == second


def test_an_exported_snapshot_does_not_export_its_origin() -> None:
    served = target(7, SNAP.path)
    found = chains(
        served,
        **overlay(
            lvm=report(ORIGIN, SNAP, pv("P1", 1, VG), pv("P2", 2, VG)),
            loops=loops(backed(1, VOL), COW_LOOP),
            dm=(device(ORIGIN), device(SNAP)),
        ),
    )
    mine = {chain.id: [export.target.iqn for export in chain.exports] for chain in found.chains}
    assert mine == {VOL: [], f"{VG}/{SNAP.name}": [served.iqn]}
    assert found.by_lv[SNAP.uuid].id == VOL  # findings about the snapshot still belong to its volume
