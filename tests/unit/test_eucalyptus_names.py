"""Names of Eucalyptus as they come: of both eras on one host, in both cases and lengths, with dots, doubled hyphens and slashes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.backends.eucalyptus import EucalyptusOverlay
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.base import FileEntry, FileKind, FileStat, FilesystemSpace
from tests.fakes import FakeHost
from tests.unit.chain_hosts import SIZE, backed, by_id, chains, euca, files, lv, mapper, pv, report, snapshot, target
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import loops

if TYPE_CHECKING:
    from sctune.backends.base import FileName

OLD_VG, OLD_LV = "vg-1lS3pg..", "lv-28NzTQ.."
OLD, NEW, LONG = "vol-391D44BE", "vol-a110e8ed", "vol-0a1b2c3d4e5f60718"
NEW_VG, LONG_VG = f"euca-ebs-storage-vg-{NEW}", f"euca-ebs-storage-vg-{LONG}"
QUESTIONS = frozenset(
    (
        "read",
        "list",
        "readlink",
        "stat",
        "lstat_mtime",
        "stat_files",
        "list_files",
        "space",
        "processes",
        "run",
        "dm",
        "tgt",
        "kernel_log",
    )
)


def mixed(*targets: Any, **parts: Any) -> Any:
    """An upgraded host: a volume of 3.2, one of 3.3, and one with a long id that is snapshotted."""
    found: dict[str, Any] = {
        "lvm": report(
            lv(OLD_VG, OLD_LV, 1, "P1"),
            lv(NEW_VG, f"euca-{NEW}", 2, "P2"),
            lv(LONG_VG, f"euca-{LONG}", 3, "P3"),
            snapshot(LONG_VG, "euca-snap-0f1e2d3c4b5a69788", 4, f"euca-{LONG}", "P4"),
            *(pv(f"P{number}", number, vg) for number, vg in enumerate((OLD_VG, NEW_VG, LONG_VG, LONG_VG), 1)),
        ),
        "loops": loops(backed(1, OLD, folder=f"/{STORE}"), backed(2, NEW), backed(3, LONG), backed(4, f"{LONG}Ms-GA_zx")),
        "stores": files(OLD, NEW, LONG, f"{LONG}Ms-GA_zx"),
        "cloud": euca(),
    }
    return chains(*targets, **(found | parts))


def test_an_upgraded_host_has_volumes_of_both_eras() -> None:
    found = by_id(mixed())
    assert found.keys() == {OLD, NEW, LONG}
    assert {chain.id: [loop.name for loop in chain.loops] for chain in found.values()} == {
        OLD: ["loop1"],
        NEW: ["loop2"],
        LONG: ["loop3"],
    }
    assert [link.subject.id for link in found[LONG].snapshots] == ["snap-0f1e2d3c4b5a69788"]
    assert found[LONG].snapshots[0].cow_loops == ("loop4",)
    assert {chain.backend.era for chain in found.values()} == {"3.3+"}


def test_without_its_version_file_it_is_judged_by_the_newer_names() -> None:
    found = by_id(mixed(cloud=replace(euca(""), installed=True)))
    assert found.keys() == {OLD, NEW, LONG}
    assert not any(chain.backend.loops_at_rest for chain in found.values())


@pytest.mark.parametrize(
    ("path", "volume"),
    [
        (f"/dev/{OLD_VG}/{OLD_LV}", OLD),
        (f"//dev//{OLD_VG}/./{OLD_LV}", OLD),
        (f"/dev/mapper/{mapper(OLD_VG, OLD_LV)}", OLD),
        ("/dev/mapper/vg--1lS3pg..-lv--28NzTQ..", OLD),
        (f"/dev/{NEW_VG}/euca-{NEW}", NEW),
        ("/dev/mapper/euca--ebs--storage--vg--vol--a110e8ed-euca--vol--a110e8ed", NEW),
        (f"//dev/{LONG_VG}/euca-{LONG}", LONG),
    ],
)
def test_a_target_finds_its_volume_however_its_path_is_written(path: str, volume: str) -> None:
    found = by_id(mixed(target(4, path)))
    assert {name for name, chain in found.items() if chain.exports} == {volume}


def test_a_target_without_its_lv_is_found_by_the_name_in_its_path() -> None:
    found = by_id(chains(target(1, f"/dev/{LONG_VG}/euca-{LONG}"), cloud=euca(), stores=files(LONG)))
    assert found[LONG].exports
    # 3.2's name tells nothing: what is not there any more has only its LUN's name.
    assert "vol" not in next(iter(by_id(chains(target(1, f"/dev/{OLD_VG}/{OLD_LV}"), cloud=euca("3.2.2")))))


class Counting(FakeHost):
    """Counts what it is asked."""

    def __getattribute__(self, name: str) -> Any:
        if name in QUESTIONS:
            object.__getattribute__(self, "counted")[name] += 1
        return object.__getattribute__(self, name)


def full_store(count: int) -> Counting:
    """A storage controller with so many files in its store, all at rest."""
    names = [f"vol-{number:08x}" if number % 2 else f"snap-{number:08x}" for number in range(count)]
    stat = FileStat(kind=FileKind.FILE, size=SIZE, allocated=4096, device=64768, inode=1, mtime=1.0)
    entries = tuple(
        FileEntry(name=name, stat=replace(stat, inode=number, size=SIZE if number % 2 else 1 << 30))
        for number, name in enumerate(names)
    )
    host = Counting.__new__(Counting)
    object.__setattr__(host, "counted", Counter())
    host.__init__(  # type: ignore[misc]
        files={"/etc/eucalyptus/eucalyptus-version": "4.4.2\n"},
        folders={STORE: entries},
        stats={STORE: replace(stat, kind=FileKind.DIRECTORY)},
        spaces={STORE: FilesystemSpace(total=1 << 50, free=1 << 49, available=1 << 49, inodes=10**8, inodes_free=10**7)},
    )
    return host


def test_thousands_of_files_cost_no_more_questions_and_each_is_looked_at_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[int] = Counter()
    plain = EucalyptusOverlay.file_name

    def counted(self: EucalyptusOverlay, name: str) -> FileName:
        reads[count] += 1
        return plain(self, name)

    monkeypatch.setattr(EucalyptusOverlay, "file_name", counted)
    asked = {}
    for count in (500, 5000):
        host = full_store(count)
        found = diagnose(host, Config(), strict=True)
        examined = {check.check: check.examined for check in found.checks}
        assert (examined["volume-files"], examined["snapshot-files"]) == (count // 2, count // 2)
        asked[count] = dict(object.__getattribute__(host, "counted"))
    assert asked[500] == asked[5000]
    assert reads[5000] <= 10.1 * reads[500]
