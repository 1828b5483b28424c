"""COW snapshots: on recorded hosts and on composed ones."""

from __future__ import annotations

import pytest

from sctune.checks.snapshots import CHECKS
from sctune.host.base import Process
from sctune.model.dm import SnapshotState, SnapshotStatus
from sctune.model.loop import LoopState
from sctune.model.process import Copy, CopyTool, Processes
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.lvm_hosts import (
    MIB,
    broken,
    codes,
    dm,
    inventory,
    loop,
    lv,
    pv,
    recorded,
    report,
    run,
    snapshot,
    used,
    vg,
)

CHECK = CHECKS[0]
ROOT = lv("root", attr="owi-aos---")
NO_DM = Unavailable(reason=Reason.DENIED, what="device-mapper")


def test_recorded_healthy_snapshot_is_no_fault() -> None:
    result = run(CHECK, recorded("healthy"))
    assert (result.examined, codes(result), result.unexamined) == (1, [], ())


def test_recorded_invalid_snapshot_is_told_once_and_by_the_snapshot() -> None:
    result = run(CHECK, recorded("snapshot-invalid"))
    assert codes(result) == [("LVM_SNAPSHOT_INVALID", "critical", "snap-57C3C3E8")]
    finding = result.findings[0]
    assert dict(finding.evidence)["state"] == "invalid"
    assert finding.remedy.commands[-1] == "lvremove euca-ebs-storage-vg-vol-391D44BE/euca-snap-57C3C3E8"


def test_lvm_alone_tells_the_recorded_invalid_snapshot_too() -> None:
    result = run(CHECK, recorded("snapshot-invalid", dm=NO_DM))
    assert codes(result) == [("LVM_SNAPSHOT_INVALID", "critical", "snap-57C3C3E8")]


@pytest.mark.parametrize("state", ["backing-deleted", "duplicate-pv", "missing-pv", "thin-pool", "thin-full"])
def test_recorded_hosts_without_a_cow_snapshot_are_not_judged(state: str) -> None:
    result = run(CHECK, recorded(state))
    assert result.not_applicable is not None
    assert result.examined == 0


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, []), (0.79, []), (0.80, ["warning"]), (0.94, ["warning"]), (0.95, ["critical"]), (1.0, ["critical"])],
)
def test_the_thresholds_are_met_by_device_mappers_numbers(share: float, expected: list[str]) -> None:
    snap = snapshot("snap", snap_percent=0.0)
    result = run(CHECK, inventory(lvm=report(ROOT, snap), dm=(dm(snap, used(share)),)))
    assert [severity for _, severity, _ in codes(result)] == expected
    assert result.examined == 1


@pytest.mark.parametrize(("percent", "expected"), [(0.799, []), (0.8, ["warning"]), (0.95, ["critical"])])
def test_lvms_percentage_is_taken_where_device_mapper_does_not_answer(percent: float, expected: list[str]) -> None:
    result = run(CHECK, inventory(lvm=report(ROOT, snapshot("snap", snap_percent=percent)), dm=NO_DM))
    assert [severity for _, severity, _ in codes(result)] == expected


def test_an_active_snapshot_of_which_nobody_tells_is_unexamined_not_ok() -> None:
    result = run(CHECK, inventory(lvm=report(ROOT, snapshot("snap")), dm=NO_DM))
    assert (result.examined, result.findings) == (0, ())
    assert [(item.what, item.reason) for item in result.unexamined] == [("COW store of vg/snap", Reason.DENIED)]


def test_an_inactive_snapshot_takes_no_writes() -> None:
    result = run(CHECK, inventory(lvm=report(ROOT, snapshot("snap", attr="swi---s---")), dm=()))
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_a_merging_snapshot_is_not_filling() -> None:
    snap = snapshot("snap", attr="Swi-a-s---", snap_percent=0.99)
    merging = dm(ROOT, used(0.99), kind="snapshot-merge")
    result = run(CHECK, inventory(lvm=report(ROOT, snap), dm=(merging,)))
    assert (codes(result), result.unexamined) == ([], ())


def test_a_failed_merge_is_told_and_nothing_is_to_be_removed() -> None:
    snap = snapshot("snap", attr="Swi-a-s---")
    failed = dm(ROOT, broken(SnapshotState.MERGE_FAILED), kind="snapshot-merge")
    finding = run(CHECK, inventory(lvm=report(ROOT, snap), dm=(failed,))).findings[0]
    assert finding.code == "LVM_SNAPSHOT_INVALID"
    assert "remove neither" in finding.remedy.text
    assert not any("lvremove" in command for command in finding.remedy.commands)


@pytest.mark.parametrize("state", [SnapshotState.INVALID, SnapshotState.OVERFLOW])
def test_a_lost_snapshot_is_not_also_filling(state: SnapshotState) -> None:
    snap = snapshot("snap", snap_percent=1.0)
    result = run(CHECK, inventory(lvm=report(ROOT, snap), dm=(dm(snap, broken(state)),)))
    assert [code for code, _, _ in codes(result)] == ["LVM_SNAPSHOT_INVALID"]


def test_the_copy_that_reads_a_lost_snapshot_is_named() -> None:
    snap = snapshot("snap")
    process = Process(
        pid=77, ppid=1, name="dd", state="R", argv=("dd", "if=/dev/vg/snap", "of=/x"), started=1.0, cpu_seconds=0.0, uid=0
    )
    copy = Copy(process=process, tool=CopyTool.DD, source="/dev/vg/snap", destination="/x")
    processes = Processes(tgtd=(), iscsid=(), tuned=(), eucalyptus=(), copies=(copy,), tgtadm=(), lvm=())
    made = inventory(lvm=report(ROOT, snap), dm=(dm(snap, broken(SnapshotState.INVALID)),), processes=processes)
    finding = run(CHECK, made).findings[0]
    assert finding.remedy.commands == ("kill 77", "lvremove vg/snap")
    assert dict(finding.evidence)["copies_reading_it"] == ("77 dd if=/dev/vg/snap of=/x",)


def test_a_vg_with_free_extents_gets_the_exact_extension() -> None:
    snap = snapshot("snap", size=400 * MIB)
    made = inventory(lvm=report(ROOT, snap, vgs=(vg(free=40 * MIB),)), dm=(dm(snap, used(0.9)),))
    assert run(CHECK, made).findings[0].remedy.commands == ("lvextend --extents +10 vg/snap",)


def test_a_full_vg_on_a_loop_gets_a_second_file_with_its_name_quoted() -> None:
    snap = snapshot("snap", size=512 * MIB, pv_uuids=("PV1",))
    loops = LoopState(devices=(loop(3, "/store/vol-1 it's"),), nodes=8, max_loop=0, control=True)
    made = inventory(lvm=report(ROOT, snap, physical_volumes=(pv("PV1", "/dev/loop3"),)), dm=(dm(snap, used(0.9)),), loops=loops)
    commands = run(CHECK, made).findings[0].remedy.commands
    assert commands[0] == f"truncate --size {516 * MIB} '/store/vol-1 it'\"'\"'s.more'"
    assert commands[2] == "lvextend --extents +100%FREE vg/snap"


@pytest.mark.parametrize(("count", "expected"), [(1, []), (2, ["warning"]), (3, ["warning"]), (4, ["critical"])])
def test_several_snapshots_of_one_origin(count: int, expected: list[str]) -> None:
    snaps = [snapshot(f"snap{number}", snap_percent=0.1) for number in range(count)]
    result = run(CHECK, inventory(lvm=report(ROOT, *snaps)))
    assert codes(result) == [("LVM_SNAPSHOTS_MULTIPLE", severity, "vg/root") for severity in expected]


def test_snapshots_of_different_origins_are_not_added_up() -> None:
    snaps = [snapshot(f"snap{number}", f"origin{number}", snap_percent=0.1) for number in range(5)]
    assert codes(run(CHECK, inventory(lvm=report(*snaps)))) == []


def test_thin_snapshots_are_no_cow_snapshots() -> None:
    thin = lv("thin", attr="Vwi-a-tz--", origin="root", pool="pool")
    assert run(CHECK, inventory(lvm=report(ROOT, thin))).not_applicable is not None


def test_without_lvms_answer_nothing_is_claimed() -> None:
    with pytest.raises(CannotLook):
        run(CHECK, inventory(lvm=Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport")))


def test_sizes_are_bytes() -> None:
    snap = snapshot("snap")
    facts = dict(run(CHECK, inventory(lvm=report(ROOT, snap), dm=(dm(snap, used(0.9)),))).findings[0].evidence)
    assert (facts["used"], facts["size"]) == (900 * MIB, 1000 * MIB)


@pytest.mark.parametrize(("store", "expected"), [(64, ["critical"]), (68, [])])
def test_a_store_that_holds_its_whole_origin_cannot_overflow(store: int, expected: list[str]) -> None:
    """As made by `lvcreate -s -L 64M` and `-l 100%ORIGIN` of an LV of 64 MiB in the virtual machine, all of it overwritten then:
    the first became Invalid, the second stayed at 131600/139264 sectors."""
    full = SnapshotStatus(state=SnapshotState.ACTIVE, used=store * MIB * 97 // 100, total=store * MIB, metadata=4096)
    made = inventory(lvm=report(lv("root", attr="owi-aos---", size=64 * MIB), snapshot("snap")), dm=(dm(snapshot("snap"), full),))
    result = run(CHECK, made)
    assert ([severity for _, severity, _ in codes(result)], result.examined) == (expected, 1)
