from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.backends.eucalyptus import ERA_32, EucalyptusOverlay
from sctune.checks.loop_backing import CHECKS as BACKING_CHECKS
from sctune.checks.loop_backing import expected_size
from sctune.checks.loop_direct_io import CHECKS as DIRECT_IO_CHECKS
from sctune.checks.loop_leaks import CHECKS as LEAK_CHECKS
from sctune.checks.loops import CHECKS as LIMIT_CHECKS
from sctune.config.model import Config
from sctune.findings import Risk, Severity, Subject, SubjectKind
from sctune.host.base import FileKind, FileStat
from sctune.model.lvm import LvmReport
from sctune.unavailable import CannotLook, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import GIB, MIB, STORE, chain, chains, lv
from tests.unit.storage_hosts import (
    a_file,
    absent,
    block,
    codes,
    denied,
    dm,
    facts,
    idle_tgtd,
    look,
    loop,
    loops,
    mount,
    only,
    processes,
    run,
    tgtd,
    timeout,
)
from tests.unit.test_chain_state import a_copy, an_export, attached, inactive

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.model.loop import LoopDevice

(LIMIT,) = LIMIT_CHECKS
(BACKING,) = BACKING_CHECKS
LEAKED, DETACH = LEAK_CHECKS
(BUFFERED,) = DIRECT_IO_CHECKS
NO_LVM = LvmReport(physical_volumes=(), volume_groups=(), logical_volumes=(), duplicates=(), warnings=(), seconds=0.0)


# LOOP_LIMIT_NEAR


def limit(used: int, config: Config | None = None, *, ours: bool = True, **state: object) -> Result:
    found = loops(*(loop(n) for n in range(used)), **state)  # type: ignore[arg-type]
    return run(LIMIT, loops=found, chains=chains(chain(ours=ours)), config=config or Config())


@pytest.mark.parametrize(
    ("used", "severity"),
    [
        (0, None),
        (204, None),
        (205, Severity.WARNING),
        (243, Severity.WARNING),
        (244, Severity.CRITICAL),
        (256, Severity.CRITICAL),
        (300, Severity.CRITICAL),
    ],
)
def test_the_policy_of_256(used: int, severity: Severity | None) -> None:
    result = limit(used)
    assert result.examined == 1
    assert [finding.severity for finding in result.findings] == ([severity] if severity else [])


def test_what_a_near_limit_says() -> None:
    finding = only(limit(250, max_loop=8))
    assert finding.subject == Subject(kind=SubjectKind.SETTING, id="loop.limit")
    assert finding.summary == "250 of 256 loop devices are attached: 6 more can be"
    known = facts(finding)
    assert (known["used"], known["limit"], known["limited_by"]) == (250, 256, "policy of eucalyptus-overlay")
    assert known["kernel"] == "adds devices on demand (loop-control); max_loop=8 bounds nothing"


def test_where_the_kernel_adds_on_demand_and_nobody_has_a_policy_there_is_no_limit() -> None:
    result = limit(300, ours=False, max_loop=8)
    assert (result.examined, result.findings) == (1, ())
    assert limit(0, ours=False).not_applicable


def test_max_loop_is_hard_without_loop_control() -> None:
    finding = only(limit(64, ours=False, max_loop=64, control=False))
    assert finding.severity is Severity.CRITICAL
    assert facts(finding)["limit"] == 64
    assert codes(limit(64, ours=False, max_loop=0, control=False)) == []
    assert codes(limit(64, ours=False, max_loop=None, control=False)) == []


def test_the_smallest_limit_counts() -> None:
    assert facts(only(limit(60, Config(loop_limit=64))))["limited_by"] == "loop_limit in the configuration"
    assert facts(only(limit(250, Config(loop_limit=4096))))["limit"] == 256
    assert facts(only(limit(1, Config(loop_limit=0))))["limit"] == 0


def test_limit_without_chains_is_not_called_ok() -> None:
    result = run(LIMIT, loops=loops(loop(0)), chains=denied("chains"))
    assert (result.examined, len(result.unexamined)) == (0, 1)
    # A limit that binds anyhow is judged all the same.
    assert codes(run(LIMIT, loops=loops(loop(0)), chains=denied("chains"), config=Config(loop_limit=1))) == ["LOOP_LIMIT_NEAR"]


def test_loops_that_cannot_be_read() -> None:
    for check in (LIMIT, BACKING, DETACH):
        with pytest.raises(CannotLook):
            run(check, loops=denied("loops"), chains=chains())


# LOOP_BACKING_DELETED


def backing(*devices: LoopDevice, **parts: object) -> Result:
    return run(BACKING, **{"loops": loops(*devices), "chains": chains(), "block": (), "mounts": (), **parts})


def gone(number: int = 0, **more: object) -> LoopDevice:
    return loop(number, deleted=True, backing=absent("x"), **more)


def test_healthy_backing_files() -> None:
    result = backing(loop(0), loop(1), loop(2, read_only=True))
    assert (result.examined, result.findings, result.unexamined) == (3, (), ())
    assert backing().not_applicable


def test_a_deleted_backing_file() -> None:
    finding = only(backing(gone(), loop(1)))
    assert (finding.code, finding.severity) == ("LOOP_BACKING_DELETED", Severity.CRITICAL)
    assert finding.subject == Subject(kind=SubjectKind.LOOP, id=f"{STORE}/vol-00000000")
    assert finding.remedy.risk is Risk.DISRUPTIVE
    # An LV's writes pass by the loop device's own page cache, which may hold what was there before.
    copy = f"{STORE}/vol-00000000.rescued"
    assert finding.remedy.commands == (
        f"dd if=/dev/loop0 of={copy} bs=4M iflag=direct conv=sparse,fsync",
        f"blockdev --flushbufs /dev/loop0 && cmp /dev/loop0 {copy}",
    )
    assert facts(finding)["another_file_has_the_name"] is False


def test_the_volume_is_the_subject_where_there_is_one() -> None:
    volume = chain("vol-1", loops=(gone(),))
    assert only(backing(gone(), chains=chains(volume, by_loop={"loop0": volume}))).subject.id == "vol-1"


def test_a_file_that_took_the_name_is_said() -> None:
    finding = only(backing(replace(gone(), backing=a_file(5))))
    assert facts(finding)["another_file_has_the_name"] is True
    assert finding.code == "LOOP_BACKING_DELETED"  # and no size mismatch with a file that is not under it


def test_snapd_images_removed_under_a_mount_are_no_fault() -> None:
    assert codes(backing(gone(read_only=True, backing_file="/var/lib/snapd/snaps/core_1.snap"))) == []
    volume = chain("vol-1", loops=(gone(read_only=True),))
    assert codes(backing(gone(read_only=True), chains=chains(volume, by_loop={"loop0": volume}))) == ["LOOP_BACKING_DELETED"]


def test_a_path_of_another_mount_namespace_is_no_deleted_file() -> None:
    result = backing(loop(0, backing=absent("/initrd/image")))
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_backing_files_that_could_not_be_looked_at() -> None:
    result = backing(loop(0, backing=timeout("/dead/a")), loop(1, backing=denied("/root/b")), loop(2))
    assert (result.examined, [item.reason for item in result.unexamined]) == (1, ["timeout", "denied"])


def test_names_are_quoted_in_commands() -> None:
    finding = only(backing(gone(backing_file="/s/a b; rm -rf $HOME")))
    assert "'/s/a b; rm -rf $HOME.rescued'" in finding.remedy.commands[0]


# LOOP_DUPLICATE_BACKING


def pair(**second: object) -> tuple[LoopDevice, LoopDevice]:
    file = a_file(GIB, inode=7)
    return loop(0, backing=file, backing_file="/s/a"), loop(1, **{"backing": file, "backing_file": "/s/a", **second})


def test_one_file_on_two_loops_is_one_finding() -> None:
    finding = only(backing(*pair(), block=(block("loop0", holders=("dm-0",)), block("loop1"))))
    assert (finding.code, finding.severity) == ("LOOP_DUPLICATE_BACKING", Severity.CRITICAL)
    assert facts(finding)["loops"] == ("/dev/loop0", "/dev/loop1")
    assert finding.remedy.commands[1:] == ("losetup --detach /dev/loop1",)  # the one that nothing lies on


def test_a_mounted_loop_is_not_offered_for_detaching() -> None:
    finding = only(backing(*pair(), block=(block("loop0"), block("loop1")), mounts=(mount("/mnt", device=(7, 1)),)))
    assert finding.remedy.commands[1:] == ("losetup --detach /dev/loop0",)


def test_without_knowing_users_nothing_is_offered_for_detaching() -> None:
    assert len(only(backing(*pair(), block=denied("block"))).remedy.commands) == 1


@pytest.mark.parametrize("tgt", [timeout("tgtd"), denied("tgtd"), replace(idle_tgtd(), unanswered=(timeout("tgtd"),))])
def test_while_a_tgtd_cannot_be_asked_what_it_serves_nothing_is_offered_for_detaching(tgt: object) -> None:
    assert len(only(backing(*pair(), tgt=tgt)).remedy.commands) == 1


def test_a_tgtd_out_of_reach_may_serve_a_loop_too() -> None:
    assert len(only(backing(*pair(), tgt=absent("tgtd"), processes=processes(tgtd(1.0)))).remedy.commands) == 1


def test_three_loops_and_a_hard_link() -> None:
    file = a_file(GIB, inode=7)
    third = loop(2, backing=file, backing_file="/s/link")
    finding = only(backing(*pair(), third))
    assert facts(finding)["loops"] == ("/dev/loop0", "/dev/loop1", "/dev/loop2")


@pytest.mark.parametrize(
    ("offset", "size", "overlap"), [(GIB // 2, GIB // 2, True), (GIB // 4, GIB // 2, True), (0, GIB // 4, True), (GIB, GIB, False)]
)
def test_ranges(offset: int, size: int, overlap: bool) -> None:
    file = a_file(2 * GIB, inode=7)
    first = loop(0, backing=file, sizelimit=GIB)
    second = loop(1, backing=file, offset=offset, size=size, sizelimit=size)
    assert codes(backing(first, second)) == (["LOOP_DUPLICATE_BACKING"] if overlap else [])


def test_readers_may_share() -> None:
    file = a_file(GIB, inode=7)
    readers = loop(0, backing=file, read_only=True), loop(1, backing=file, read_only=True)
    assert codes(backing(*readers)) == []
    assert codes(backing(readers[0], loop(1, backing=file))) == ["LOOP_DUPLICATE_BACKING"]


def test_deleted_files_are_not_compared() -> None:
    assert codes(backing(gone(0, backing_file="/s/a"), gone(1, backing_file="/s/a"))) == ["LOOP_BACKING_DELETED"] * 2


def test_same_inode_number_on_another_file_system() -> None:
    assert codes(backing(loop(0, backing=a_file(GIB, inode=7)), loop(1, backing=a_file(GIB, inode=7, device=9)))) == []


def test_two_loops_on_one_disk() -> None:
    def disk(inode: int) -> FileStat:
        return FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=inode, mtime=0.0, rdevice=(8, 16))

    assert codes(backing(loop(0, backing=disk(1)), loop(1, backing=disk(2)))) == ["LOOP_DUPLICATE_BACKING"]


# LOOP_SIZE_MISMATCH


@pytest.mark.parametrize(
    ("file_size", "offset", "sizelimit", "expected"),
    [
        (1048576, 0, 0, 1048576),
        (1000, 0, 0, 512),
        (511, 0, 0, 0),
        (1048576, 512, 0, 1048064),
        (1048576, 0, 4096, 4096),
        (1048576, 0, 5000, 4608),
        (1048576, 0, 1 << 40, 1048576),
        (100, 4096, 0, 0),
    ],
)
def test_the_kernels_rule(file_size: int, offset: int, sizelimit: int, expected: int) -> None:
    assert expected_size(file_size, offset, sizelimit) == expected
    device = loop(0, size=expected, offset=offset, sizelimit=sizelimit, backing=a_file(file_size))
    assert codes(backing(device)) == []


def test_a_file_that_grew() -> None:
    finding = only(backing(loop(0, backing=a_file(2 * GIB))))
    assert (finding.code, finding.severity) == ("LOOP_SIZE_MISMATCH", Severity.WARNING)
    assert finding.summary == "The file under /dev/loop0 is 1 GiB longer than the device shows"
    assert finding.remedy.commands == ("losetup --set-capacity /dev/loop0",)


def test_a_file_that_was_cut() -> None:
    finding = only(backing(loop(0, backing=a_file(GIB - MIB), backing_file="/s/a b")))
    assert finding.summary == "The file under /dev/loop0 was cut: 1 MiB at the device's end are gone"
    assert finding.remedy.commands == (f"truncate --no-create --size={GIB} '/s/a b'",)


def test_less_than_a_sector_is_no_difference() -> None:
    assert codes(backing(loop(0, backing=a_file(GIB + 511)))) == []
    assert codes(backing(loop(0, backing=a_file(GIB + 512)))) == ["LOOP_SIZE_MISMATCH"]


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_expected_size_is_whole_sectors_within_the_file(file_size: int, offset: int, sizelimit: int) -> None:
    found = expected_size(file_size, offset, sizelimit)
    assert found % 512 == 0
    assert 0 <= found <= max(file_size - offset, 0)
    assert not sizelimit or found <= sizelimit


# LOOP_LEAKED

BOOT = FakeHost().boot
STARTED = 500.0


def leaked(*members: object, **parts: object) -> Result:
    defaults: dict[str, object] = {
        "loops": loops(loop(0)),
        "chains": chains(*members),  # type: ignore[arg-type]
        "tgt": idle_tgtd(),
        "processes": processes(tgtd(STARTED)),
        "lvm": NO_LVM,
        "dm": (),
        "cloud": absent("/etc/eucalyptus/eucalyptus-version"),
    }
    return run(LEAKED, **{**defaults, **parts})


def test_a_leaked_loop() -> None:
    finding = only(leaked(attached()))
    assert (finding.code, finding.severity, finding.subject.id) == ("LOOP_LEAKED", Severity.WARNING, "vol-00000001")
    assert finding.remedy.commands == ("lvchange --activate n vg/euca-vol-00000001", "losetup --detach /dev/loop0")
    known = facts(finding)
    assert (known["lv_activated"], known["tgtd_started"]) == (1000.0, 500.0)


def test_a_leaked_loop_under_an_inactive_lv() -> None:
    assert only(leaked(attached(**inactive()))).remedy.commands == ("losetup --detach /dev/loop0",)


def test_what_is_not_leaked() -> None:
    lost = attached(STARTED - 1)
    members = (attached(exports=(an_export(),)), attached(copies=(a_copy(),)), lost)
    result = leaked(*members)
    assert (result.examined, result.findings, result.unexamined) == (3, (), ())


def test_what_is_just_being_attached_is_not_leaked() -> None:
    assert codes(leaked(attached(BOOT - 59))) == []
    assert codes(leaked(attached(BOOT - 61))) == ["LOOP_LEAKED"]


def test_a_volume_that_may_wait_for_its_copy_is_not_leaked() -> None:
    """Made from a snapshot, or snapshotted at rest, while the storage controller runs the two copies it allows itself."""
    controller = replace(tgtd(1.0, pid=500), name="eucalyptus-clou")
    copies = tuple(replace(a_copy(), process=replace(a_copy().process, pid=n, ppid=500)) for n in (7, 8))
    busy = replace(processes(tgtd(STARTED)), eucalyptus=(controller,), copies=copies)
    assert codes(leaked(attached(), processes=busy)) == []
    assert codes(leaked(attached(), processes=replace(busy, copies=copies[:1]))) == ["LOOP_LEAKED"]
    # No copy is made of an LV that is not active, and 3.2 counts no copies.
    assert codes(leaked(attached(**inactive()), processes=busy)) == ["LOOP_LEAKED"]
    assert codes(leaked(attached(backend=EucalyptusOverlay(era=ERA_32)), processes=busy)) == ["LOOP_LEAKED"]


def test_while_tgtd_is_down_nothing_is_leaked() -> None:
    result = leaked(attached(), tgt=idle_tgtd(daemons=()), processes=processes())
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_tgtd_that_does_not_answer_makes_it_unknown() -> None:
    for tgt in (timeout("tgtd socket.0"), denied("tgtd socket.0"), idle_tgtd(unanswered=(timeout("tgtd socket.0"),))):
        result = leaked(attached(), tgt=tgt)
        assert (result.examined, result.findings) == (0, ())
        assert [item.what for item in result.unexamined] == ["volume vol-00000001"]


def test_without_udev_it_is_unknown() -> None:
    assert len(leaked(attached(None)).unexamined) == 1


def test_without_lvm_it_is_unknown_and_without_an_lv_another_codes_business() -> None:
    assert len(leaked(attached(lv=None, dm=None), lvm=denied("lvm")).unexamined) == 1
    result = leaked(attached(lv=None, dm=None))
    assert (result.findings, result.unexamined) == ((), ())


def test_a_host_without_cloud_volumes() -> None:
    assert leaked(attached(ours=False)).not_applicable
    assert leaked(chain()).not_applicable
    with pytest.raises(CannotLook):
        leaked(loops=denied("loops"))


def test_an_open_lv_is_not_deactivated_by_our_advice() -> None:
    used = attached(lv=replace(lv("euca-vol-00000001", GIB), open=True))
    assert only(leaked(used)).remedy.commands == ("fuser --verbose /dev/vg/euca-vol-00000001",)


def test_leftover_snapshots_come_first() -> None:
    from sctune.model.chain import SnapshotLink

    snapshot = SnapshotLink(
        subject=Subject(kind=SubjectKind.SNAPSHOT, id="snap-1"),
        lv=lv("euca-snap-1", GIB),
        dm=None,
        status=None,
        cow_loops=("loop9",),
    )
    finding = only(leaked(attached(snapshots=(snapshot,))))
    assert facts(finding)["snapshots_left"] == ("vg/euca-snap-1",)
    assert not any("detach" in command for command in finding.remedy.commands)


# LOOP_DETACH_PENDING


def detach(device: LoopDevice, *, holders: tuple[str, ...] = (), **parts: object) -> Result:
    defaults: dict[str, object] = {
        "loops": loops(device, loop(9)),
        "block": (block(device.name, holders=holders),),
        "mounts": (mount("/"),),
        "chains": chains(),
    }
    return run(DETACH, **{**defaults, **parts})


def test_a_lazy_detach_waits() -> None:
    finding = only(detach(loop(0, autoclear=True)))
    assert (finding.code, finding.severity) == ("LOOP_DETACH_PENDING", Severity.INFO)
    assert "a process has it open" in finding.summary
    held = only(detach(loop(0, autoclear=True), holders=("dm-0",), dm=(dm(number=0),)))
    assert facts(held)["used_by"] == ("dm-0",)


def test_no_flag_no_finding() -> None:
    assert (detach(loop(0)).examined, codes(detach(loop(0)))) == (2, [])


@pytest.mark.parametrize(
    "mounted",
    [
        mount("/snap/core", device=(7, 0), filesystem="squashfs"),
        mount("/mnt", device=(0, 50), filesystem="btrfs", source="/dev/loop0"),
        mount("/mnt", device=(259, 3), source="/dev/loop0p1"),
    ],
)
def test_mounts_set_the_flag_themselves(mounted: object) -> None:
    assert codes(detach(loop(0, autoclear=True), mounts=(mounted,))) == []


def test_another_loops_mount_does_not_count() -> None:
    assert codes(detach(loop(1, autoclear=True), mounts=(mount("/mnt", device=(7, 10), source="/dev/loop10"),))) != []


@pytest.mark.parametrize("uuid", ["CRYPT-LUKS2-abc-name", ""])
def test_cryptsetup_and_docker_set_it_themselves(uuid: str) -> None:
    assert codes(detach(loop(0, autoclear=True), holders=("dm-0",), dm=(dm(uuid=uuid),))) == []


def test_without_the_mount_table_it_is_unknown() -> None:
    with pytest.raises(CannotLook):
        detach(loop(0, autoclear=True), mounts=denied("mountinfo"))
    assert codes(detach(loop(0), mounts=denied("mountinfo"))) == []


# LOOP_BUFFERED


def buffered(*members: object, config: Config | None = None) -> Result:
    return run(BUFFERED, loops=loops(), chains=chains(*members), config=config or Config())  # type: ignore[arg-type]


def test_a_buffered_volume_is_advice() -> None:
    finding = only(buffered(attached()))
    assert (finding.code, finding.severity, finding.subject.id) == ("LOOP_BUFFERED", Severity.INFO, "vol-00000001")
    assert finding.remedy.commands == ("losetup --direct-io=on /dev/loop0",)


def test_wanted_makes_it_a_warning() -> None:
    assert only(buffered(attached(), config=Config(wanted=frozenset({"LOOP_BUFFERED"})))).severity is Severity.WARNING


def test_direct_and_read_only_loops_are_fine() -> None:
    result = buffered(attached(loops=(loop(0, direct_io=True), loop(1, read_only=True))))
    assert (result.examined, result.findings) == (1, ())


def test_loops_of_nobodys_volume_are_left_alone() -> None:
    assert buffered(attached(ours=False)).not_applicable
    assert codes(buffered(attached(ours=False, exports=(an_export(),)))) == ["LOOP_BUFFERED"]


def test_an_ordinary_user_without_lvm_still_gets_the_codes_of_sysfs() -> None:
    seen = look(loops=loops(gone()), chains=chains(), block=(), mounts=(), lvm=denied("lvm"))
    assert codes(BACKING.run(seen)) == ["LOOP_BACKING_DELETED"]


@pytest.mark.parametrize("check", [LIMIT, BACKING, LEAKED, DETACH, BUFFERED])
def test_every_code_is_explained(check: object) -> None:
    from sctune.check import Check

    assert isinstance(check, Check)
    for code in check.codes:
        for text in (code.title, code.meaning, code.why, code.thresholds, code.remedy, code.source, *code.see):
            assert text.strip()


def test_an_absent_loop_driver_is_not_applicable() -> None:
    for check in (LIMIT, BACKING, LEAKED, DETACH):
        with pytest.raises(CannotLook) as caught:
            run(check, chains=chains())
        assert isinstance(caught.value.unavailable, Unavailable)
        assert caught.value.unavailable.reason == "absent"
