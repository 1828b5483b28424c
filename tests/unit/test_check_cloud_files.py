"""The lengths of a cloud's files, what is being copied, and what was left of a snapshot; on composed hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.checks import snapshot_files, snapshot_leftovers, volume_files
from sctune.config.model import Config
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.chain_hosts import GIB, NOBODY, SIZE, backed, copy, euca, inventory, lv, pv, report, snapshot
from tests.unit.lvm_hosts import codes, run
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import loops, store, store_file

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.model.process import Copy

VOLUMES, SNAPSHOTS, LEFTOVER = volume_files.CHECKS[0], snapshot_files.CHECKS[0], snapshot_leftovers.CHECKS[0]
VOLUME, SNAP, COW = "vol-391D44BE", "snap-57C3C3E8", "vol-391D44BEMsmGAIzx"
VG = f"euca-ebs-storage-vg-{VOLUME}"
ORIGIN = lv(VG, f"euca-{VOLUME}", 1, "P1", size=15 * GIB)
TAKEN = snapshot(VG, f"euca-{SNAP}", 2, f"euca-{VOLUME}", "P2")
REPORT = report(ORIGIN, TAKEN, pv("P1", 1, VG), pv("P2", 2, VG))
LOOPS = loops(backed(1, VOLUME), backed(2, COW))
COPY = copy(f"/dev/{VG}/euca-{SNAP}", f"{STORE}/{SNAP}")
NOW = FakeHost().now


def a_store(*files: tuple[str, int], age: float = 3600.0, **facts: Any) -> tuple[object, ...]:
    found = tuple(replace(store_file(name, size, inode=1000 + n), mtime=NOW - age) for n, (name, size) in enumerate(files, 1))
    return (store(files=found, path=STORE, **facts),)


def made(*files: tuple[str, int], age: float = 3600.0, copies: tuple[Copy, ...] = (), **parts: Any) -> Any:
    answers: dict[str, Any] = {"cloud": euca(), "processes": replace(NOBODY, copies=copies), "stores": a_store(*files, age=age)}
    answers |= parts
    return inventory(**answers)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (SIZE, []),
        (15 * GIB + (4 << 20), []),
        (GIB, [VOLUME]),
        (SIZE - 1, [VOLUME]),
        (SIZE + 1, [VOLUME]),
        (4 << 20, [VOLUME]),
        (0, [VOLUME]),
    ],
)
def test_a_volume_is_whole_gib_and_4_mib(size: int, expected: list[str]) -> None:
    result = run(VOLUMES, made((VOLUME, size)))
    assert [subject for _, _, subject in codes(result)] == expected
    assert result.examined == 1


def test_a_volume_that_is_being_made_is_not_judged() -> None:
    zeros = copy("/dev/zero", f"/{STORE}/{VOLUME}")
    assert codes(run(VOLUMES, made((VOLUME, GIB), copies=(zeros,)))) == []
    assert codes(run(VOLUMES, made((VOLUME, GIB), age=599.0))) == []
    assert codes(run(VOLUMES, made((VOLUME, GIB), age=-300.0))) == []
    assert codes(run(VOLUMES, made((VOLUME, GIB), age=600.0))) != []
    # A guest's writes say nothing of the length.
    assert codes(run(VOLUMES, made((VOLUME, SIZE + 512), age=1.0, loops=loops(backed(1, VOLUME))))) != []


def test_what_was_cut_under_a_loop_device_has_its_cause() -> None:
    finding = run(VOLUMES, made((VOLUME, GIB), loops=loops(backed(1, VOLUME)))).findings[0]
    assert finding.caused_by is not None
    assert finding.caused_by.code == "LOOP_SIZE_MISMATCH"


def test_the_command_lengthens_to_what_the_lv_needs() -> None:
    part = report(lv(VG, f"euca-{VOLUME}", 1, "P1", size=2 * GIB), pv("P1", 1, VG))
    finding = run(VOLUMES, made((VOLUME, GIB), loops=loops(backed(1, VOLUME)), lvm=part)).findings[0]
    assert finding.remedy.commands[-1] == f"truncate --no-create --size={2 * GIB + (4 << 20)} {STORE}/{VOLUME}"


@pytest.mark.parametrize("check", [VOLUMES, SNAPSHOTS])
def test_names_alone_make_no_cloud(check: Any) -> None:
    """A host without Eucalyptus whose configured store has files that happen to be named so."""
    files = ((VOLUME, 5), (SNAP, 7), (COW, 9))
    bare = inventory(stores=a_store(*files))
    assert run(check, bare).not_applicable
    assert run(check, made(*files, config=Config(backend="generic"))).not_applicable
    assert codes(run(check, made(*files)))


def test_on_a_das_host_volumes_are_no_files_and_snapshots_are() -> None:
    das = made((VOLUME, 5), (SNAP, GIB + 5), config=Config(backend="eucalyptus-das"))
    assert run(VOLUMES, das).not_applicable
    assert codes(run(SNAPSHOTS, das)) == [("SNAPSHOT_TRUNCATED", "critical", SNAP)]


@pytest.mark.parametrize(("size", "cut"), [(GIB, False), (8 * GIB, False), (3224145920, True), (0, True), (GIB + 1, True)])
def test_a_snapshot_at_rest(size: int, cut: bool) -> None:
    result = run(SNAPSHOTS, made((SNAP, size)))
    assert codes(result) == ([("SNAPSHOT_TRUNCATED", "critical", SNAP)] if cut else [])
    assert result.examined == 1


def test_a_whole_gib_of_a_larger_volume_is_told_by_the_lv_that_is_left() -> None:
    host = made((VOLUME, 15 * GIB + (4 << 20)), (COW, 15 * GIB // 2), (SNAP, 3 * GIB), lvm=REPORT, loops=LOOPS)
    assert codes(run(SNAPSHOTS, host)) == [
        ("SNAPSHOT_TRUNCATED", "critical", SNAP),
        ("SNAPSHOT_COW_ORPHANED", "warning", VOLUME),
    ]


def operator_notes(*, copies: tuple[Copy, ...], age: float = 3600.0) -> Any:
    """The listing of the operator's notes: a snapshot of a volume of 15 GiB, 20.02 % of it copied."""
    files = (
        (VOLUME, 16110321664),
        (COW, 8053063680),
        ("snap-26EE3E3A", 8589934592),
        ("snap-D7E53AC0", 5368709120),
        (SNAP, 3224145920),
    )
    return made(*files, age=age, copies=copies, lvm=REPORT, loops=LOOPS)


def test_with_its_copy_running_it_is_in_progress_and_no_fault() -> None:
    host = operator_notes(copies=(COPY,))
    result = run(SNAPSHOTS, host)
    assert codes(result) == [("SNAPSHOT_IN_PROGRESS", "info", SNAP)]
    facts = dict(result.findings[0].evidence)
    assert (facts["done_ratio"], facts["total"]) == (0.2002, 15 * GIB)
    assert codes(run(LEFTOVER, host)) == []


def test_without_its_copy_the_same_host_has_a_cut_snapshot_and_a_leftover() -> None:
    host = operator_notes(copies=())
    result = run(SNAPSHOTS, host)
    assert codes(result) == [("SNAPSHOT_TRUNCATED", "critical", SNAP), ("SNAPSHOT_COW_ORPHANED", "warning", VOLUME)]
    # The remedy of its cause takes the file away.
    orphan = result.findings[1]
    assert orphan.caused_by is not None
    assert (orphan.caused_by.code, orphan.caused_by.subject.id, orphan.remedy.commands) == ("LVM_SNAPSHOT_LEFTOVER", SNAP, ())
    assert codes(run(LEFTOVER, host)) == [("LVM_SNAPSHOT_LEFTOVER", "warning", SNAP)]
    commands = run(LEFTOVER, host).findings[0].remedy.commands
    assert commands == (
        f"lvremove {VG}/euca-{SNAP}",
        f"vgreduce {VG} /dev/loop2",
        "pvremove /dev/loop2",
        "losetup --detach /dev/loop2",
        f"rm {STORE}/{COW}",
    )


def test_what_is_being_fetched_from_object_storage_is_in_progress() -> None:
    assert codes(run(SNAPSHOTS, made((SNAP, GIB + 5), age=120.0))) == [("SNAPSHOT_IN_PROGRESS", "info", SNAP)]


def test_a_copy_told_another_path_to_the_store_is_the_same_copy() -> None:
    other = copy("/dev/x/y", f"/mnt/disk1/{SNAP}")
    assert codes(run(SNAPSHOTS, made((SNAP, 5), copies=(other,)))) == [("SNAPSHOT_IN_PROGRESS", "info", SNAP)]


def test_a_copy_whose_file_is_not_there_yet() -> None:
    result = run(SNAPSHOTS, made(copies=(COPY,), lvm=REPORT))
    assert (codes(result), result.examined) == ([("SNAPSHOT_IN_PROGRESS", "info", SNAP)], 1)
    assert dict(result.findings[0].evidence)["done_ratio"] == 0.0


def test_a_cow_store_without_a_loop_device_is_orphaned() -> None:
    result = run(SNAPSHOTS, made((COW, GIB // 2)))
    assert codes(result) == [("SNAPSHOT_COW_ORPHANED", "warning", VOLUME)]
    assert result.findings[0].remedy.commands == (f"rm {STORE}/{COW}",)
    assert codes(run(SNAPSHOTS, made((COW, GIB // 2), age=10.0))) == []


def test_a_cow_store_on_a_loop_device_without_an_lv_is_orphaned() -> None:
    attached = loops(backed(1, COW))
    result = run(SNAPSHOTS, made((COW, GIB // 2), loops=attached, lvm=report(pv("P1", 1, VG))))
    assert result.findings[0].remedy.commands == (
        f"vgreduce {VG} /dev/loop1",
        "pvremove /dev/loop1",
        "losetup --detach /dev/loop1",
        f"rm {STORE}/{COW}",
    )


@pytest.mark.parametrize(
    ("volume", "length", "doubtful"),
    [
        (15 * GIB + (4 << 20), 15 * GIB // 2, False),
        (15 * GIB + (4 << 20), 15 * GIB + (4 << 20), True),
        (15 * GIB + (4 << 20), GIB, True),
        (15 * GIB, GIB, False),  # the volume's own file was cut, and tells no length
        (None, 15 * GIB // 2, False),
        (None, 15 * GIB + (4 << 20), True),
    ],
)
def test_somebodys_copy_of_a_volume_is_not_to_be_removed(volume: int | None, length: int, doubtful: bool) -> None:
    """vol-391D44BE-old_bak has the form of a COW store's name."""
    backup = VOLUME + "-old_bak"
    files = [(backup, length), *([(VOLUME, volume)] if volume is not None else [])]
    result = run(SNAPSHOTS, made(*files))
    assert codes(result) == [("SNAPSHOT_COW_ORPHANED", "warning", VOLUME)]
    finding = result.findings[0]
    assert dict(finding.evidence)["doubtful"] == ((f"{STORE}/{backup}",) if doubtful else ())
    assert any(command.startswith("rm ") for command in finding.remedy.commands) is not doubtful
    assert ("length of none" in finding.summary) is doubtful


def test_a_cow_store_whose_snapshot_may_wait_is_no_orphan() -> None:
    """The storage controller runs its two copies: a third snapshot, its COW store ready, waits for its turn."""
    cloud = replace(COPY.process, pid=500, name="eucalyptus-clou", argv=("eucalyptus-cloud",))
    others = tuple(
        replace(copy("/dev/a/b", f"{STORE}/snap-0000000{n}"), process=replace(COPY.process, pid=n, ppid=500)) for n in (1, 2)
    )
    busy = replace(NOBODY, eucalyptus=(cloud,), copies=others)
    host = made((VOLUME, 15 * GIB + (4 << 20)), (COW, 15 * GIB // 2), lvm=REPORT, loops=LOOPS, processes=busy)
    assert codes(run(SNAPSHOTS, host)) == [("SNAPSHOT_IN_PROGRESS", "info", f"snap-0000000{n}") for n in (1, 2)]


def test_a_version_file_that_is_not_there_makes_no_host_a_strangers() -> None:
    """All volumes at rest, and nothing but /etc/eucalyptus tells whose host it is."""
    installed = replace(euca(""), installed=True)
    for check, code in ((VOLUMES, "VOLUME_SIZE_INVALID"), (SNAPSHOTS, "SNAPSHOT_TRUNCATED")):
        files = ((VOLUME, 5), (SNAP, 5))
        assert [one[0] for one in codes(run(check, made(*files, cloud=installed)))] == [code]
        assert run(check, made(*files, cloud=euca(""))).not_applicable


def test_a_version_file_that_cannot_be_read_is_unknown() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/etc/eucalyptus/eucalyptus-version")
    for check in (VOLUMES, SNAPSHOTS):
        with pytest.raises(CannotLook):
            run(check, made((VOLUME, 5), cloud=denied))
        # Names that only Eucalyptus gives tell as much.
        assert codes(run(check, made((VOLUME, 5), (SNAP, 5), cloud=denied, lvm=report(ORIGIN, pv("P1", 1, VG)))))


def test_ids_that_differ_in_case_are_two_volumes() -> None:
    """File system, VG, LV, tag and the storage controller's own records tell them apart (the name is the volume's id as it was
    given: upper case up to 3.4, lower case in 4.x); only what an operator types may differ in case."""
    upper, lower = VOLUME, VOLUME.lower()
    result = run(VOLUMES, made((upper, 5), (lower, SIZE), ("vol-0a1b2c3d4e5f60718", 6), ("vol-0A1B2C3D4E5F60718", SIZE)))
    assert [subject for _, _, subject in codes(result)] == [upper, "vol-0a1b2c3d4e5f60718"]
    assert result.examined == 4


def test_two_of_one_volume_are_one_finding() -> None:
    result = run(SNAPSHOTS, made((COW, GIB // 2), (VOLUME + "12345678", GIB // 2)))
    assert codes(result) == [("SNAPSHOT_COW_ORPHANED", "warning", VOLUME)]


def test_what_lies_on_a_loop_device_is_unknown_while_lvm_does_not_answer() -> None:
    silent = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport")
    result = run(SNAPSHOTS, made((COW, GIB // 2), loops=loops(backed(1, COW)), lvm=silent))
    assert (codes(result), [item.reason for item in result.unexamined], result.examined) == ([], [Reason.TIMEOUT], 0)
    # Nothing can lie on a file that no loop device stands on.
    assert codes(run(SNAPSHOTS, made((COW, GIB // 2), lvm=silent))) != []


def test_without_the_process_table_nothing_is_called_cut() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="processes")
    for check in (VOLUMES, SNAPSHOTS):
        with pytest.raises(CannotLook):
            run(check, made((VOLUME, 5), (SNAP, 5), processes=denied))
    with pytest.raises(CannotLook):
        run(LEFTOVER, made(lvm=REPORT, processes=denied))


def test_a_store_that_cannot_be_read_is_unknown() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what=STORE)
    for check in (VOLUMES, SNAPSHOTS):
        result = run(check, inventory(cloud=euca(), stores=(store(files=hung, path=STORE),)))
        assert (result.examined, [item.reason for item in result.unexamined]) == (0, [Reason.TIMEOUT])


def leftover(**parts: Any) -> Result:
    return run(LEFTOVER, made(**({"lvm": REPORT} | parts)))


def test_a_snapshot_is_without_its_copy_for_a_moment() -> None:
    def aged(age: float) -> Result:
        return leftover(lvm=report(ORIGIN, replace(TAKEN, created=NOW - age)))

    assert codes(aged(4.9)) == []
    assert codes(aged(5.0)) == [("LVM_SNAPSHOT_LEFTOVER", "warning", SNAP)]


def test_a_snapshot_may_wait_for_one_of_two_copies_to_end() -> None:
    cloud = replace(COPY.process, pid=500, name="eucalyptus-clou", argv=("eucalyptus-cloud",))
    others = tuple(
        replace(copy("/dev/a/b", f"{STORE}/snap-0000000{n}"), process=replace(COPY.process, pid=n, ppid=500)) for n in (1, 2)
    )
    busy = replace(NOBODY, eucalyptus=(cloud,), copies=others)
    assert codes(leftover(processes=busy)) == []
    assert codes(leftover(processes=replace(busy, copies=others[:1]))) != []
    assert codes(leftover(processes=replace(busy, eucalyptus=()))) != []
    assert codes(leftover(processes=busy, cloud=euca("3.2.2"))) != []
    more = replace(euca(), properties=(("system.exec.max_restricted_concurrent_ops", "3"),))
    assert codes(leftover(processes=busy, cloud=more)) != []


def test_a_snapshot_that_lvm_is_removing_is_in_use() -> None:
    removing = replace(COPY.process, name="lvremove", argv=("lvremove", "-f", f"/dev/{VG}/euca-{SNAP}"))
    assert codes(leftover(processes=replace(NOBODY, lvm=(removing,)))) == []


def test_an_operators_or_cinders_snapshot_may_stay() -> None:
    root = lv("vg", "root", 1)
    kept = (snapshot("vg", "before-upgrade", 2, "root"), snapshot("vg", "_snapshot-57c3c3e8", 3, "root"))
    assert leftover(lvm=report(root, *kept)).not_applicable


def test_an_invalid_snapshot_has_a_code_of_its_own() -> None:
    assert codes(leftover(lvm=report(ORIGIN, replace(TAKEN, attr="swi-I-s---", snapshot_invalid=True)))) == []
