"""LVM by the reports for people that sos asks for: as exact as LVM itself, or not told at all."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.choose import open_host
from sctune.model.lvm import LvmReport
from sctune.probes import lvm_display, lvm_sos
from sctune.probes.lvm_sos import probe
from sctune.probes.lvm_table import parse as parse_table
from sctune.probes.lvm_table import size
from sctune.unavailable import Reason, Unavailable

from .sos_archives import host

if TYPE_CHECKING:
    from sctune.host.base import Host

ARCHIVE = Path(__file__).resolve().parent.parent / "scenarios" / "sos-volume-faults" / "host.tar.gz"
LINES = {"pvs": "pvs -a -v -o +x --nolocking", "vgs": "vgs -v -o +x", "lvs": "lvs -a -o +x", "vgdisplay": "vgdisplay -vv"}
MIB = 1 << 20


@cache
def recorded() -> Host:
    return open_host(str(ARCHIVE), None)


@cache
def texts() -> dict[str, str]:
    """What the four commands said in the machine."""
    found = {}
    for argv in (lvm_sos.PVS, lvm_sos.VGS, lvm_sos.LVS, lvm_sos.DISPLAY):
        completed = recorded().run(argv, timeout=1.0)
        assert not isinstance(completed, Unavailable)
        found[argv[0]] = completed.stdout
    return found


def parse(**changed: str) -> LvmReport | Unavailable:
    said = {**texts(), **changed}
    return lvm_sos.parse(said["pvs"], said["vgs"], said["lvs"], said["vgdisplay"])


def test_all_of_it_is_exact() -> None:
    report = probe(recorded())
    assert isinstance(report, LvmReport)
    vgs = {vg.name: vg for vg in report.volume_groups}
    assert len(vgs) == 7
    # vgs says <1.50g.
    assert vgs["euca-ebs-storage-vg-vol-391D02F1"].size == 383 * 4 * MIB
    assert vgs["euca-ebs-storage-vg-vol-391D02F1"].snapshot_count == 1
    assert (vgs["lab-missing-2"].partial, vgs["lab-missing-2"].missing_pv_count, vgs["lab-missing-2"].seqno) != (False, 0, 0)
    lvs = {lv.name: lv for lv in report.logical_volumes}
    snapshot = lvs["euca-snap-57C303B5"]
    # The size of a snapshot is that of its COW store, as lvs has it.
    assert (snapshot.size, snapshot.origin, snapshot.snapshot_invalid) == (16 * MIB, "euca-vol-391D02F1", True)
    volume = lvs["euca-vol-391D02F1"]
    assert (volume.size, volume.tags, volume.open, volume.device) == (1 << 30, ("vol-391D02F1",), True, (253, 0))
    assert volume.created is not None
    pool = lvs["pool0"]
    assert (pool.segment_types, pool.layout, pool.data_percent) == (("thin-pool",), ("thin", "pool"), 1.0)
    assert lvs["thin1"].pool == "pool0"
    by_uuid = {pv.uuid: pv for pv in report.physical_volumes}
    assert [by_uuid[uuid].path for uuid in lvs["thin1"].pv_uuids] == ["/dev/loop8"]
    assert by_uuid[volume.pv_uuids[0]].device == (7, 0)
    assert {lv.name for lv in report.internal} == {"pool0_tdata", "pool0_tmeta"}
    (missing,) = (pv for pv in report.physical_volumes if pv.missing)
    assert missing.last_path == "/dev/loop8"
    assert all("Reloading" not in line for line in report.warnings)


def test_the_devices_of_lvs_are_those_of_the_kernel() -> None:
    report = probe(recorded())
    assert isinstance(report, LvmReport)
    said = recorded().run(("dmsetup", "info", "-c"), timeout=1.0)
    assert not isinstance(said, Unavailable)
    active = [lv for lv in (*report.logical_volumes, *report.internal) if lv.active]
    assert len(active) == 12
    assert all(lv.dm_uuid in said.stdout for lv in active)


def test_messages_among_the_rows_are_no_rows() -> None:
    lines = texts()["lvs"].split("\n")
    noisy = "\n".join([*lines[:4], "  WARNING: Device /dev/sdq not initialized in udev database.", *lines[4:]])
    report, plain = parse(lvs=noisy), parse()
    assert isinstance(report, LvmReport)
    assert isinstance(plain, LvmReport)
    assert report.logical_volumes == plain.logical_volumes
    assert any("sdq" in line for line in report.warnings)


@pytest.mark.parametrize("command", ["pvs", "vgs", "lvs", "vgdisplay"])
def test_every_cut_is_noticed(command: str) -> None:
    """Whatever line an answer ends at: it is whole, or nothing is told."""
    whole = parse()
    assert isinstance(whole, LvmReport)
    lines = texts()[command].split("\n")
    for count in range(len(lines)):
        for part in (lines[:count], lines[count:]):
            try:
                report = parse(**{command: "\n".join(part)})
            except ValueError:
                continue
            if isinstance(report, LvmReport):
                assert (report.logical_volumes, report.volume_groups) == (whole.logical_volumes, whole.volume_groups), count
                assert {pv.uuid for pv in report.physical_volumes} == {pv.uuid for pv in whole.physical_volumes}, count


def test_rows_cut_in_the_middle_are_noticed() -> None:
    for command in ("vgs", "lvs"):
        text = texts()[command].rstrip("\n")
        for cut in range(1, 200, 7):
            try:
                report = parse(**{command: text[:-cut]})
            except ValueError:
                continue
            if isinstance(report, LvmReport):
                assert len(report.logical_volumes) == 11


def test_a_host_without_volumes(tmp_path: Path) -> None:
    said = {
        LINES["pvs"]: "  Reloading config files\n  No matching physical volumes found\n  Reloading config files\n",
        LINES["vgs"]: "  Reloading config files\n  No volume groups found.\n",
        LINES["lvs"]: "",
        LINES["vgdisplay"]: "  Reloading config files\n",
    }
    report = probe(host(tmp_path, said))
    assert isinstance(report, LvmReport)
    assert (report.volume_groups, report.logical_volumes, report.physical_volumes) == ((), (), ())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({LINES["lvs"]: {"filepath": None, "return_code": 127}}, Reason.ABSENT),
        ({LINES["vgdisplay"]: {"return_code": 124}}, Reason.TIMEOUT),
        ({LINES["vgs"]: {"return_code": 3}}, Reason.FAILED),
        ({LINES["pvs"]: {"truncated": True}}, Reason.MALFORMED),
    ],
)
def test_one_answer_that_is_missing_is_all_of_them(tmp_path: Path, changed: dict[str, dict[str, object]], reason: Reason) -> None:
    report = probe(host(tmp_path, {LINES[name]: text for name, text in texts().items()}, changed=changed))
    assert isinstance(report, Unavailable)
    assert report.reason is reason


def test_without_a_manifest_it_is_the_same(tmp_path: Path) -> None:
    report = probe(host(tmp_path, {LINES[name]: text for name, text in texts().items()}, manifest=False))
    assert isinstance(report, LvmReport)
    assert len(report.logical_volumes) == 11


def test_a_vg_made_meanwhile_is_not_half_told() -> None:
    fewer = "\n".join(line for line in texts()["lvs"].split("\n") if "lab-thin-3" not in line)
    report = parse(lvs=fewer)
    assert isinstance(report, Unavailable)
    assert report.reason is Reason.FAILED


def test_sizes() -> None:
    assert [size(text) for text in ("0", "", "<1.50g", "507.00k", "16,00m", "2b")] == [0, 0, 1610612736, 519168, 16777216, 2]
    with pytest.raises(ValueError, match="no size"):
        size("much")


@given(st.text(alphabet=" abLVG-PAtr\n%#0.", max_size=300))
def test_tables_raise_nothing_but_value_errors(text: str) -> None:
    for first, attributes in (("LV", lvm_sos._LV_ATTR), ("PV", lvm_sos._PV_ATTR)):
        try:
            parse_table(text, first, attributes)
        except ValueError:
            continue


@given(st.text(), st.integers(0, 500))
def test_displays_raise_nothing_but_value_errors(text: str, where: int) -> None:
    lines = texts()["vgdisplay"].split("\n")
    try:
        lvm_display.parse("\n".join([*lines[:where], text, *lines[where + 1 :]]))
    except ValueError:
        return
