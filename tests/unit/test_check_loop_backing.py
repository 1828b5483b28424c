"""Backing files of loop devices: deleted, on two devices, of another size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks.loop_backing import CHECKS as BACKING_CHECKS
from sctune.findings import Risk, Severity, Subject, SubjectKind
from sctune.host.base import FileKind, FileStat
from sctune.loop_use import expected_size
from tests.unit.serving_hosts import GIB, MIB, STORE, chain, chains
from tests.unit.storage_hosts import (
    a_file,
    absent,
    block,
    codes,
    denied,
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

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.model.loop import LoopDevice

(BACKING,) = BACKING_CHECKS


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


def test_an_ordinary_user_without_lvm_still_gets_the_codes_of_sysfs() -> None:
    seen = look(loops=loops(gone()), chains=chains(), block=(), mounts=(), lvm=denied("lvm"))
    assert codes(BACKING.run(seen)) == ["LOOP_BACKING_DELETED"]
