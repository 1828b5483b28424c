from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.checks.store import CHECKS as SPACE_CHECKS
from sctune.checks.store_filesystem import CHECKS as FILESYSTEM_CHECKS
from sctune.config.model import Config
from sctune.findings import Severity, Subject, SubjectKind
from sctune.model.store import StoreOrigin, VolumeStore
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.serving_hosts import GIB, MIB, STORE, chain, chains
from tests.unit.storage_hosts import (
    DATA,
    a_file,
    absent,
    codes,
    denied,
    facts,
    loop,
    loops,
    mount,
    only,
    run,
    space,
    store,
    store_file,
    timeout,
)

if TYPE_CHECKING:
    from sctune.check import Check, Result
    from sctune.host.base import FilesystemSpace

SPACE, OVERCOMMIT, HEADROOM = SPACE_CHECKS
REACHABLE, FILESYSTEM = FILESYSTEM_CHECKS
EVERY = (*SPACE_CHECKS, *FILESYSTEM_CHECKS)


@pytest.mark.parametrize("check", EVERY)
def test_a_host_without_a_store(check: Check) -> None:
    assert run(check, stores=(), chains=chains(), mounts=(mount("/"),), loops=loops()).not_applicable


@pytest.mark.parametrize("check", EVERY)
def test_stores_that_cannot_be_known(check: Check) -> None:
    with pytest.raises(CannotLook):
        run(check, stores=denied("loops"), chains=chains(), mounts=())


@pytest.mark.parametrize("check", EVERY)
def test_a_healthy_store(check: Check) -> None:
    file = store_file("vol-1", GIB, allocated=GIB // 2)
    volume = chain("vol-1", file=file)
    result = run(check, stores=(store(files=(file,)),), chains=chains(volume), mounts=(mount(),), loops=loops())
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


@pytest.mark.parametrize("check", EVERY)
def test_every_code_is_explained(check: Check) -> None:
    for code in check.codes:
        for text in (code.title, code.meaning, code.why, code.thresholds, code.remedy, code.source, *code.see):
            assert text.strip()


# STORE_NEARLY_FULL


def full(found: FilesystemSpace | Unavailable) -> Result:
    return run(SPACE, stores=(store(space=found),))


@pytest.mark.parametrize(
    ("used", "severity"),
    [
        (0, None),
        (8499, None),
        (8500, Severity.WARNING),
        (9499, Severity.WARNING),
        (9500, Severity.CRITICAL),
        (10000, Severity.CRITICAL),
    ],
)
def test_used_space(used: int, severity: Severity | None) -> None:
    result = full(space(total=10000, available=10000 - used))
    assert [finding.severity for finding in result.findings] == ([severity] if severity else [])


def test_space_reserved_for_root_is_not_usable() -> None:
    # df: used 800 of 800 + 100 usable, as 100 are reserved.
    finding = only(full(space(total=1000, free=200, available=100)))
    assert facts(finding)["used"] == round(800 / 900, 4)


@pytest.mark.parametrize(
    ("left", "severity"), [(151, None), (150, Severity.WARNING), (50, Severity.CRITICAL), (0, Severity.CRITICAL)]
)
def test_used_inodes(left: int, severity: Severity | None) -> None:
    result = full(space(inodes=1000, inodes_free=left))
    assert [finding.severity for finding in result.findings] == ([severity] if severity else [])
    assert not severity or "inodes" in result.findings[0].summary


def test_file_systems_that_count_no_inodes_or_have_no_size() -> None:
    assert codes(full(space(inodes=0, inodes_free=0))) == []
    assert codes(full(space(total=0, available=0, inodes=0, inodes_free=0))) == []


def test_two_folders_of_one_file_system_are_one_finding() -> None:
    nearly = space(total=100, available=1)
    result = run(SPACE, stores=(store(space=nearly), store("/var/lib/eucalyptus/b", space=nearly)))
    finding = only(result)
    assert finding.subject == Subject(kind=SubjectKind.FILESYSTEM, id="/var/lib/eucalyptus")
    assert facts(finding)["folders"] == (STORE, "/var/lib/eucalyptus/b")
    assert result.examined == 1


def test_a_store_whose_space_is_not_known() -> None:
    result = full(denied(STORE))
    assert (result.examined, [item.reason for item in result.unexamined]) == (0, ["denied"])


# STORE_OVERCOMMITTED


def overcommitted(*members: VolumeStore, **parts: object) -> Result:
    return run(OVERCOMMIT, **{"stores": members, "loops": loops(), **parts})


@pytest.mark.parametrize(
    ("unwritten", "available", "severity"),
    [
        (0, 0, None),
        (999, 1000, None),
        (1000, 1000, Severity.WARNING),
        (999, 999, Severity.CRITICAL),  # below 10 % of 10,000 free
        (1, 0, Severity.CRITICAL),
    ],
)
def test_what_sparse_files_promise(unwritten: int, available: int, severity: Severity | None) -> None:
    file = store_file("vol-1", unwritten + 500, allocated=500)
    result = overcommitted(store(space=space(total=10000, available=available), files=(file,)))
    assert [finding.severity for finding in result.findings] == ([severity] if severity else [])


def test_files_that_are_longer_on_disk_than_they_look_promise_nothing() -> None:
    file = store_file("vol-1", 100, allocated=4096)
    assert codes(overcommitted(store(space=space(total=100, available=0), files=(file,)))) == []


def test_hard_links_count_once() -> None:
    files = tuple(store_file(name, 600, inode=7) for name in ("a", "b"))
    assert codes(overcommitted(store(space=space(total=10000, available=1000), files=files))) == []


def test_other_sparse_files_beside_a_loops_file_are_not_ours() -> None:
    ours, other = store_file("disk.img", 900, inode=1, folder="/home/u"), store_file("qemu.raw", 10**12, inode=2, folder="/home/u")
    small = space(total=10000, available=1000)
    home = store("/home/u", origin=StoreOrigin.LOOP, files=(ours, other), space=small)
    attached = loops(loop(0, backing_file="/home/u/disk.img", backing=a_file(900, inode=1)))
    assert codes(overcommitted(home, loops=attached)) == []
    grown = store("/home/u", origin=StoreOrigin.LOOP, files=(store_file("disk.img", 1000, inode=1), other), space=small)
    assert facts(only(overcommitted(grown, loops=attached)))["unwritten"] == 1000


def test_a_store_that_could_not_be_listed() -> None:
    result = overcommitted(store(files=denied(STORE)))
    assert (result.examined, len(result.unexamined)) == (0, 1)
    result = overcommitted(store(space=denied(STORE)))
    assert (result.examined, len(result.unexamined)) == (0, 1)


# STORE_NO_SNAPSHOT_HEADROOM


def headroom(available: int, config: Config | None = None, *, ours: bool = True) -> Result:
    files = (store_file("vol-1", 2 * GIB, inode=1), store_file("vol-2", GIB, inode=2))
    members = tuple(chain(file.name, file=file, ours=ours) for file in files)
    stores = (store(files=files, space=space(total=16 * GIB, available=available)),)
    return run(HEADROOM, stores=stores, chains=chains(*members), config=config or Config())


def test_room_for_a_snapshot_of_the_largest_volume() -> None:
    assert codes(headroom(3 * GIB)) == []
    finding = only(headroom(3 * GIB - 1))
    assert (finding.code, finding.severity) == ("STORE_NO_SNAPSHOT_HEADROOM", Severity.INFO)
    assert facts(finding)["largest_volume"] == "vol-1"


def test_headroom_wanted() -> None:
    config = Config(wanted=frozenset({"STORE_NO_SNAPSHOT_HEADROOM"}))
    assert only(headroom(0, config)).severity is Severity.WARNING


def test_headroom_is_for_stores_of_a_cloud() -> None:
    assert headroom(0, ours=False).not_applicable


# STORE_UNREACHABLE


def test_a_store_that_hangs() -> None:
    hung = store(files=timeout(STORE), space=timeout(STORE), mount=mount(filesystem="nfs4", source="server:/a"))
    finding = only(run(REACHABLE, stores=(hung,)))
    assert (finding.code, finding.severity) == ("STORE_UNREACHABLE", Severity.CRITICAL)
    assert finding.subject.id == "/var/lib/eucalyptus"
    assert (facts(finding)["stuck_pids"], facts(finding)["mounted_from"]) == (("4711",), "server:/a")


def test_a_store_that_fails() -> None:
    stale = Unavailable(reason=Reason.FAILED, what=STORE, detail="Stale file handle")
    assert only(run(REACHABLE, stores=(store(files=stale),))).summary == f"A look at {STORE} failed: Stale file handle"


def test_a_store_that_may_not_be_read_is_unknown() -> None:
    result = run(REACHABLE, stores=(store(files=denied(STORE)), store("/b", mount=mount("/b", device=(8, 1)))))
    assert (result.examined, result.findings, len(result.unexamined)) == (1, (), 1)


# STORE_READ_ONLY, STORE_BARRIERS_OFF, STORE_NETWORK_FILESYSTEM, STORE_FILESYSTEM_UNUSUAL, STORE_NOT_MOUNTED


def filesystem(*members: VolumeStore, **parts: object) -> Result:
    return run(FILESYSTEM, **{"stores": members, "mounts": (mount("/", device=(8, 1)), mount()), "chains": chains(), **parts})


@pytest.mark.parametrize("options", [("ro",), ("rw", "ro", "errors=remount-ro"), ("rw", "emergency_ro")])
def test_read_only(options: tuple[str, ...]) -> None:
    finding = only(filesystem(store(mount=mount(options=options))))
    assert (finding.code, finding.severity) == ("STORE_READ_ONLY", Severity.CRITICAL)


def test_options_that_only_look_like_read_only() -> None:
    assert codes(filesystem(store(mount=mount(options=("rw", "errors=remount-ro"))))) == []


def test_errors_that_ext4_met() -> None:
    # As Debian's 6.1.0-56 shows a file system in which it forbids all writes: mountinfo says rw.
    finding = only(filesystem(store(errors=1, mount=mount(options=("rw", "relatime", "errors=remount-ro")))))
    assert (finding.code, finding.severity) == ("STORE_FILESYSTEM_ERRORS", Severity.CRITICAL)
    assert "lets nothing be written" in finding.summary
    going_on = only(filesystem(store(errors=2)))
    assert "2 errors" in going_on.summary
    assert "nothing" not in going_on.summary
    assert codes(filesystem(store(errors=0))) == []


@pytest.mark.parametrize("option", ["nobarrier", "barrier=0"])
def test_barriers_off_by_mount_option(option: str) -> None:
    finding = only(filesystem(store(mount=mount(options=("rw", option)))))
    assert (finding.code, finding.severity) == ("STORE_BARRIERS_OFF", Severity.CRITICAL)
    assert facts(finding)["source"] == "/proc/self/mountinfo"


def test_barriers_off_in_the_superblock_only() -> None:
    driver = tuple((DATA / "mounts" / "ext4-options-nobarrier.txt").read_text().split())
    finding = only(filesystem(store(driver_options=driver)))
    assert finding.code == "STORE_BARRIERS_OFF"
    assert "superblock" in str(facts(finding)["source"])
    on = tuple("barrier" if word == "nobarrier" else word for word in driver)
    assert codes(filesystem(store(driver_options=on))) == []


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "ceph", "9p", "fuse.glusterfs"])
def test_network_file_systems(kind: str) -> None:
    assert codes(filesystem(store(mount=mount(filesystem=kind)))) == ["STORE_NETWORK_FILESYSTEM"]


def test_unusual_file_systems() -> None:
    assert codes(filesystem(store(mount=mount(filesystem="xfs")))) == []
    finding = only(filesystem(store(mount=mount(filesystem="btrfs"))))
    assert (finding.code, finding.severity) == ("STORE_FILESYSTEM_UNUSUAL", Severity.INFO)


def test_a_laptop_with_a_disk_image_on_btrfs() -> None:
    home = store("/home/u", origin=StoreOrigin.LOOP, mount=mount("/home", filesystem="btrfs"))
    assert codes(filesystem(home)) == []
    carries = chain("vol-1", loops=(loop(0, backing_file="/home/u/vol-1"),))
    assert codes(filesystem(home, chains=chains(carries))) == ["STORE_FILESYSTEM_UNUSUAL"]


def test_a_declared_mount_that_is_missing() -> None:
    root = mount("/", device=(8, 1))
    finding = only(filesystem(store(declared_mount="/var/lib/eucalyptus", mount=root), mounts=(root,)))
    assert (finding.code, finding.severity) == ("STORE_NOT_MOUNTED", Severity.WARNING)
    assert finding.subject == Subject(kind=SubjectKind.FILESYSTEM, id="/var/lib/eucalyptus")
    assert codes(filesystem(store(declared_mount="/var/lib/eucalyptus"))) == []


def test_a_configured_folder_that_does_not_exist() -> None:
    missing = store("/srv/volumes", origin=StoreOrigin.CONFIGURED, files=absent("x"), space=absent("x"))
    assert codes(filesystem(missing)) == ["STORE_NOT_MOUNTED"]
    assert "does not exist or is no folder" in only(filesystem(missing)).summary
    assert codes(run(REACHABLE, stores=(missing,))) == []


def test_without_the_mount_table_it_is_unknown() -> None:
    result = filesystem(store(mount=None, declared_mount="/var/lib/eucalyptus"), mounts=denied("mountinfo"))
    assert (result.examined, result.findings, [item.reason for item in result.unexamined]) == (0, (), ["denied"])


def test_every_finding_names_its_source() -> None:
    bad = store(
        mount=mount(filesystem="nfs", options=("ro", "nobarrier")),
        space=space(total=100, available=1),
        files=(store_file("vol-1", 10 * MIB),),
    )
    for check in (SPACE, OVERCOMMIT, FILESYSTEM):
        result = run(check, stores=(bad,), chains=chains(), mounts=(), loops=loops())
        assert result.findings
        for finding in result.findings:
            assert finding.evidence[-1][0] == "source"
            assert finding.remedy.commands
