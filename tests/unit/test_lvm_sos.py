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
NOTES = ARCHIVE.parents[2] / "data" / "operator-notes"
PV_UUID = "u8vTQh-pEhU-9ID2-ewEO-kOIh-iwQx-Kb7Br"
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
    lvs = {lv.name: lv for lv in report.logical_volumes}
    assert len(vgs) == 7
    (snapshot,) = (lv for lv in report.logical_volumes if lv.snapshot_invalid)
    # vgs says <1.50g, and the size of a snapshot is that of its COW store, as lvs has it.
    assert (vgs[snapshot.vg].size, vgs[snapshot.vg].snapshot_count, snapshot.size) == (383 * 4 * MIB, 1, 16 * MIB)
    volume = lvs[snapshot.origin]
    assert (volume.size, volume.tags, volume.open) == (1 << 30, (volume.name.replace("euca-", ""),), True)
    assert volume.created is not None
    (partial,) = (vg for vg in report.volume_groups if vg.partial)
    assert (partial.name.startswith("lab-missing-"), partial.missing_pv_count, partial.seqno > 1) == (True, 1, True)
    pool = lvs["pool0"]
    assert (pool.segment_types, pool.layout, pool.data_percent) == (("thin-pool",), ("thin", "pool"), 1.0)
    assert lvs["thin1"].pool == "pool0"
    by_uuid = {pv.uuid: pv for pv in report.physical_volumes}
    assert [by_uuid[uuid].vg for uuid in lvs["thin1"].pv_uuids] == [lvs["thin1"].vg]
    below = by_uuid[volume.pv_uuids[0]]
    assert below.path == f"/dev/loop{below.device[1] if below.device else ''}"
    assert {lv.name for lv in report.internal} == {"pool0_tdata", "pool0_tmeta"}
    (missing,) = (pv for pv in report.physical_volumes if pv.missing)
    assert missing.last_path.startswith("/dev/loop")
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
    fewer = "\n".join(line for line in texts()["lvs"].split("\n") if "lab-thin-" not in line)
    report = parse(lvs=fewer)
    assert isinstance(report, Unavailable)
    assert report.reason is Reason.FAILED


def _indented(name: str) -> str:
    """A listing of the notes, whose indentation was lost."""
    text = (NOTES / name).read_text()
    return "\n".join(f"  {line}" if line else "   " for line in text.rstrip("\n").split("\n"))


def test_a_host_of_2012(tmp_path: Path) -> None:
    """LVM 2.02 of an operator's notes: names of LVs are paths, sizes in GB, attributes of six letters, Snap%."""
    pvs = "".join(
        f"  {name:10} {vg:11} {fmt:4} {attr:4} {sizes:20} {uuid:38}\n"
        for name, vg, fmt, attr, sizes, uuid in (
            ("PV", "VG", "Fmt", "Attr", "PSize  PFree DevSize", "PV UUID"),
            ("/dev/loop1", "vg-WsNskQ..", "lvm2", "a-", "15.00G     0  15.00G", f"{PV_UUID}Z"),
            ("/dev/loop2", "vg-WsNskQ..", "lvm2", "a-", " 7.50G     0   7.50G", f"{PV_UUID}A"),
        )
    )
    vgs = (
        "    Using volume group(s) on command line\n"
        "  VG          Attr   Ext   #PV #LV #SN VSize  VFree VG UUID                                VMdaFree  VMdaSize  VG Tags\n"
        "  vg-WsNskQ.. wz--n- 4.00M   2   2   1 22.50G    0  Dh0Xs7-Pvlr-vUbm-d1mA-7pCf-I94z-dS3r0l    94.00K   188.00K        \n"
    )
    lvs = (
        "  LV                VG          Attr   LSize  Origin        Snap%  Move Log Copy%  Convert LV Tags Devices     \n"
        "  lv-OWzOIQ..       vg-WsNskQ.. owi-ao 15.00G                                                       /dev/loop1(0)\n"
        "  lv-snap-CfzmRA..  vg-WsNskQ.. swi-ao  7.50G lv-OWzOIQ..     0.00                                  /dev/loop2(0)\n"
    )
    devices = "".join(
        f"\n  PV Name               /dev/loop{number}\n  PV UUID               {PV_UUID}{letter}\n"
        f"  PV Status             allocatable\n  Total PE / Free PE    {total} / 0\n"
        for number, letter, total in ((1, "Z", 3840), (2, "A", 1919))
    )
    display = f"{_indented('vgdisplay-copying.txt')}\n{_indented('lvdisplay-copying.txt')}\n  --- Physical volumes ---{devices}"
    lines = {LINES["pvs"]: pvs, LINES["vgs"]: vgs, LINES["lvs"]: lvs, LINES["vgdisplay"]: display}
    report = probe(host(tmp_path, lines, manifest=False))
    assert isinstance(report, LvmReport)
    volume, snapshot = report.logical_volumes
    assert (volume.name, volume.size, volume.device) == ("lv-OWzOIQ..", 15 << 30, (253, 4))
    assert (snapshot.origin, snapshot.size, snapshot.snap_percent) == ("lv-OWzOIQ..", 1919 * 4 * MIB, 0.0)
    assert report.volume_groups[0].seqno == 5
    assert [pv.size for pv in report.physical_volumes] == [15 << 30, 1919 * 4 * MIB]


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
