"""LVM's metadata areas and archive, thin pools' promises, lvmetad, what was left behind, and guests' PVs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sctune.checks.dm_leftover import CHECKS as LEFTOVER
from sctune.checks.lvm_housekeeping import CHECKS as HOUSEKEEPING
from sctune.checks.lvm_volumes import CHECKS as VOLUMES
from sctune.checks.thin_promises import CHECKS as PROMISES
from sctune.host.base import FileEntry, FileKind, FileStat
from sctune.model.block import BlockKind
from sctune.model.cinder import Cinder
from sctune.model.dm import DmDevice, DmTarget
from sctune.model.lvm import LvmArchive, LvmSettings
from sctune.probes import dm_lower, lvm_archive, lvmetad
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.lvm_hosts import GIB, MIB, block, codes, dm, inventory, lv, pool, pv, recorded, report, run, snapshot, vg
from tests.unit.serving_hosts import chain, chains

METADATA, ARCHIVE = HOUSEKEEPING
PROMISE, AUTOEXTEND = PROMISES
SCANS, RACE = VOLUMES
DENIED = Unavailable(reason=Reason.DENIED, what="/etc/lvm/archive")
SETTINGS = LvmSettings(
    scan_lvs=False,
    use_devicesfile=False,
    filter=(),
    global_filter=(),
    snapshot_autoextend_threshold=1.0,
    snapshot_autoextend_percent=0.2,
    thin_pool_autoextend_threshold=1.0,
    thin_pool_autoextend_percent=0.2,
    monitoring=True,
    use_lvmetad=None,
)
POOL = lv("pool0", attr="twi-aotz--", segment_types=("thin-pool",))


def thin(name: str, size: int) -> Any:
    return lv(name, attr="Vwi-aotz--", segment_types=("thin",), pool="pool0", size=size)


@pytest.mark.parametrize(("free", "expected"), [(200, []), (199, ["LVM_METADATA_LOW"]), (0, ["LVM_METADATA_LOW"])])
def test_a_description_may_take_half_of_its_area(free: int, expected: list[str]) -> None:
    result = run(METADATA, inventory(lvm=report(vgs=(replace(vg(), metadata_free=free, metadata_size=2000),))))
    assert [code for code, _, _ in codes(result)] == expected


def test_an_area_of_which_nothing_is_told_is_unexamined() -> None:
    result = run(METADATA, inventory(lvm=report(vgs=(replace(vg(), metadata_free=0, metadata_size=0),))))
    assert (result.examined, len(result.unexamined)) == (0, 1)


def test_recorded_hosts_have_room() -> None:
    assert codes(run(METADATA, recorded("healthy"))) == []


@pytest.mark.parametrize(
    ("files", "size", "expected"),
    [
        (2047, 32 * MIB - 1, []),
        (2048, 0, ["warning"]),
        (1, 32 * MIB, ["warning"]),
        (8191, 128 * MIB - 1, ["warning"]),
        (8192, 0, ["critical"]),
        (1, 128 * MIB, ["critical"]),
    ],
)
def test_the_archives_thresholds(files: int, size: int, expected: list[str]) -> None:
    archive = LvmArchive(folder="/etc/lvm/archive", files=files, size=size, vgs=("a", "vg"), oldest=0.0)
    result = run(ARCHIVE, inventory(lvm=report(), lvm_archive=archive))
    assert [severity for _, severity, _ in codes(result)] == expected
    if expected:
        assert dict(result.findings[0].evidence)["vgs_not_here"] == 1


def test_an_archive_that_may_not_be_read_is_unknown() -> None:
    with pytest.raises(CannotLook):
        run(ARCHIVE, inventory(lvm=report(), lvm_archive=DENIED))


def file(size: int, mtime: float = 5.0) -> FileStat:
    return FileStat(kind=FileKind.FILE, size=size, allocated=0, device=1, inode=1, mtime=mtime)


@pytest.mark.parametrize("count", [3, 100])
def test_the_archive_is_counted_by_its_names(count: int) -> None:
    names = [f"vg-{number % 2}_{number:05}-123.vg" for number in range(count)]
    folder = "/var/lvm/old"
    conf = f'backup {{\n # archive_dir = "/no"\n\tarchive_dir = "{folder}/"\n}}'
    files: dict[str, str | Unavailable] = {"/etc/lvm/lvm.conf": conf, f"{folder}/README": ""}
    files |= {f"{folder}/{name}": "" for name in names}
    host = FakeHost(
        files=files,
        stats={f"{folder}/{name}": file(10) for name in names},
        folders={folder: tuple(FileEntry(name=name, stat=file(10)) for name in [*names, "README"])},
    )
    found = lvm_archive.probe(host)
    assert found == LvmArchive(folder=folder, files=count, size=10 * count, vgs=("vg-0", "vg-1"), oldest=5.0)


def test_no_archive_is_absent() -> None:
    found = lvm_archive.probe(FakeHost())
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.ABSENT, lvm_archive.DEFAULT)


@pytest.mark.parametrize(("sizes", "expected"), [((GIB,), []), ((GIB, 1), ["LVM_THIN_OVERPROVISIONED"]), ((), [])])
def test_a_pool_that_promises_more_than_it_holds(sizes: tuple[int, ...], expected: list[str]) -> None:
    lvs = [thin(f"thin{number}", size) for number, size in enumerate(sizes)]
    assert [code for code, _, _ in codes(run(PROMISE, inventory(lvm=report(POOL, *lvs))))] == expected


@pytest.mark.parametrize(
    ("settings", "free", "expected"),
    [
        ({}, 4 * MIB, ["activation/thin_pool_autoextend_threshold"]),
        ({"thin_pool_autoextend_threshold": None}, 4 * MIB, ["activation/thin_pool_autoextend_threshold"]),
        ({"thin_pool_autoextend_threshold": 0.99}, 4 * MIB, []),
        ({"thin_pool_autoextend_threshold": 0.8, "monitoring": False}, 4 * MIB, ["activation/monitoring"]),
    ],
)
def test_a_pool_that_could_grow_and_is_not_let(settings: dict[str, Any], free: int, expected: list[str]) -> None:
    made = inventory(lvm=report(POOL, vgs=(vg(free=free),)), lvm_settings=replace(SETTINGS, **settings))
    assert [subject for _, _, subject in codes(run(AUTOEXTEND, made))] == expected


def test_nothing_is_asked_where_nothing_could_grow() -> None:
    full = report(POOL, snapshot("snap"), vgs=(vg(free=0),))
    assert run(AUTOEXTEND, inventory(lvm=full, lvm_settings=DENIED)).not_applicable
    unknown = run(AUTOEXTEND, inventory(lvm=report(snapshot("snap"), vgs=(vg(free=4 * MIB),)), lvm_settings=DENIED))
    assert [item.reason for item in unknown.unexamined] == [Reason.DENIED]


@pytest.mark.parametrize(
    ("daemon", "use", "ours", "expected"),
    [(True, True, True, 1), (False, True, True, 0), (True, False, True, 0), (True, None, True, 0), (True, True, False, 0)],
)
def test_lvmetad_matters_to_volumes_on_loop_devices_alone(daemon: bool, use: bool | None, ours: bool, expected: int) -> None:
    """No machine here has lvmetad, which LVM 2.03 no longer has: a composed host."""
    made = inventory(chains=chains(chain(ours=ours)), lvmetad=daemon, lvm_settings=replace(SETTINGS, use_lvmetad=use))
    assert [code for code, *_ in codes(run(RACE, made))] == ["LVM_LVMETAD_RACE"] * expected


def test_lvmetad_is_told_by_its_socket() -> None:
    assert lvmetad.probe(FakeHost()) is False
    assert lvmetad.probe(FakeHost(stats={"/run/lvm/lvmetad.socket": file(0)})) is True
    assert lvmetad.probe(FakeHost(stats={"/run/lvm/lvmetad.socket": DENIED})) == DENIED


def device(name: str, uuid: str, kind: str = "linear", *under: tuple[int, int]) -> DmDevice:
    targets = (DmTarget(start=0, length=GIB, kind=kind, status=None, underlying=under),)
    return DmDevice(name=name, kernel_name="dm-9", uuid=uuid, device=(253, 9), size=GIB, suspended=False, targets=targets)


GONE = frozenset({(8, 0)})
STRANGER = "LVM-" + "x" * 64
VOLUME = "euca--ebs--storage--vg--vol--391D02F1-euca--vol--391D02F1"
KNOWN = lv("root")


@pytest.mark.parametrize(
    ("left", "subject"),
    [
        (device(VOLUME, STRANGER, "error"), "vol-391D02F1"),
        (device("vg-old", STRANGER, "error"), "vg/old"),
        (device("vg-old", STRANGER, "linear", (8, 0)), "vg/old"),
        (device("vg-old", "LVM-uuidvg".ljust(36, "v") + "y" * 32), "vg/old"),
        (device("luks", "CRYPT-LUKS2-1-luks", "crypt", (8, 0)), "/dev/mapper/luks"),
        (replace(dm(KNOWN, None), targets=device("", "", "error").targets), "vg/root"),
    ],
)
def test_what_leads_nowhere_or_is_nobodys_is_a_leftover(left: DmDevice, subject: str) -> None:
    groups = (vg(), replace(vg("other"), uuid="uuidvg".ljust(32, "v")))
    made = inventory(lvm=report(KNOWN, vgs=groups), dm=(left,), dm_lower=GONE)
    assert [(code, found) for code, _, found in codes(run(LEFTOVER[0], made))] == [("DM_LEFTOVER", subject)]


@pytest.mark.parametrize(
    "sound",
    [
        device("vg-hidden", STRANGER, "linear", (8, 16)),  # a filter may hide its VG
        device("mpatha", "mpath-1", "multipath", (8, 0)),
        device("err", "", "error"),  # made on purpose
        device("luks", "CRYPT-LUKS2-1-luks", "crypt", (8, 16)),
        dm(KNOWN, None),
    ],
)
def test_what_somebody_accounts_for_is_none(sound: DmDevice) -> None:
    result = run(LEFTOVER[0], inventory(lvm=report(KNOWN), dm=(sound,), dm_lower=GONE))
    assert codes(result) == []


@pytest.mark.parametrize("state", ["healthy", "snapshot-invalid", "thin-pool", "thin-full", "lv-suspended", "missing-pv"])
def test_recorded_hosts_have_no_leftover(state: str) -> None:
    assert codes(run(LEFTOVER[0], recorded(state, dm_lower=frozenset()))) == []


def test_tables_that_may_not_be_read_are_unknown() -> None:
    hidden = replace(device("vg-old", STRANGER), targets=DENIED)
    result = run(LEFTOVER[0], inventory(lvm=DENIED, dm=(hidden,), dm_lower=frozenset()))
    assert result.examined == 0
    assert {item.reason for item in result.unexamined} == {Reason.DENIED}


def test_what_a_table_names_is_looked_for() -> None:
    made = (device("a", "", "linear", (8, 1), (8, 17), (7, 0)),)
    loop0 = block("loop0", BlockKind.LOOP, device=(7, 0))
    host = FakeHost(links={"/sys/dev/block/8:1": "../../sda1"})
    assert dm_lower.probe(host, dm=made, block=(loop0,)) == frozenset({(8, 17)})
    assert isinstance(dm_lower.probe(FakeHost(), dm=made, block=(loop0,)), Unavailable)


def test_a_guests_pv_is_seen_on_the_lv_and_on_the_disk() -> None:
    volume = lv("euca-vol-1", device=(253, 0))
    on_lv = device("vg-euca--vol--1", volume.dm_uuid)
    lower = block("dm-9", BlockKind.DM, device=(253, 0), holders=("dm-3",))
    upper = replace(device("guest-root", STRANGER), kernel_name="dm-3")
    parts = {
        "devices": (lower, block("dm-3", BlockKind.DM, device=(253, 3))),
        "dm": (on_lv, upper),
        "chains": chains(chain(lv=volume)),
        "lvm_settings": SETTINGS,
    }
    inside = replace(pv("GUEST", vg="guest"), path="/dev/mapper/vg-euca--vol--1", device=(253, 0))
    seen = run(SCANS, inventory(lvm=report(volume, physical_volumes=(inside,)), **parts))
    facts = dict(seen.findings[0].evidence)
    assert (facts["vgs"], facts["active_lvs"], facts["scan_lvs"]) == (("guest",), ("guest-root",), False)
    assert seen.findings[0].remedy.commands[0] == "vgchange --activate n guest"
    second = Cinder(files=(), unread=(), backends=(), folders=(), lvm_configuration="/etc/cinder/lvm.conf", lvm_settings=None)
    both = run(SCANS, inventory(lvm=report(volume, physical_volumes=(inside,)), **parts, cinder=second)).findings[0]
    assert dict(both.evidence)["cinder_lvm_conf"] == "/etc/cinder/lvm.conf"
    assert any(command.startswith("# /etc/lvm/lvm.conf and /etc/cinder/lvm.conf,") for command in both.remedy.commands)
    clean = {**parts, "devices": (replace(lower, holders=()),)}
    assert codes(run(SCANS, inventory(lvm=report(volume), **clean))) == []


def test_pool_statuses_are_no_volumes() -> None:
    """A host without volumes has nothing to look into."""
    made = inventory(lvm=report(POOL), dm=(dm(POOL, pool(10), kind="thin-pool"),), devices=())
    assert run(SCANS, made).not_applicable
