"""LVM of 2011 and 2015: pvs, vgs and lvs instead of one report.

Recorded with LVM 2.02.87 and 2.02.130, built from their sources (lvmteam/lvm2, tags v2_02_87 and v2_02_130), in the virtual machine
on one host; old-host-2.03.16.json is what LVM 2.03.16 said of the same host at the same time. Which fields there are:
lib/report/columns.h at these tags.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed, FileKind, FileStat
from sctune.model.block import BlockKind
from sctune.model.lvm import LvmReport
from sctune.probes import lvm_json, lvm_old, lvm_rows, lvmconfig
from sctune.probes.lvm import probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.lvm_hosts import DATA, block, loops

if TYPE_CHECKING:
    from collections.abc import Sequence

LVM = DATA / "lvm"
NOW = lvm_json.parse((LVM / "old-host-2.03.16.json").read_text())
UNKNOWN_COMMAND = Completed(argv=(), status=2, stdout="", stderr="  No such command.  Try 'help'.\n", seconds=0.1)
UNKNOWN_FIELD = Completed(argv=(), status=5, stdout="", stderr=(LVM / "lvs-2.02.87.stderr").read_text(), seconds=0.1)
NO_SESSIONS = Unavailable(reason=Reason.ABSENT, what="/sys/class/iscsi_session")

SAME = (
    *("name", "vg", "vg_uuid", "path", "dm_path", "size", "origin", "pool", "tags", "active", "open", "device"),
    *("snap_percent", "data_percent", "metadata_percent", "snapshot_invalid", "segment_types", "pv_uuids"),
)


def texts(version: str) -> tuple[str, str, str]:
    pvs, vgs, lvs = ((LVM / f"{command}-{version}.txt").read_text() for command in ("pvs", "vgs", "lvs"))
    return pvs, vgs, lvs


@pytest.mark.parametrize("version", ["2.02.87", "2.02.130"])
def test_physical_volumes_and_groups_are_those_that_todays_lvm_reports(version: str) -> None:
    tables, torn = lvm_rows.parse(*texts(version))
    assert not torn
    # What a missing PV is called, and device numbers, differ.
    plain = {pv.uuid: replace(pv, device=None, path="" if pv.missing else pv.path) for pv in tables.physical_volumes}
    assert plain == {pv.uuid: replace(pv, device=None, path="" if pv.missing else pv.path) for pv in NOW.physical_volumes}
    assert [pv.missing for pv in tables.physical_volumes].count(True) == 1
    # Of the metadata area, today's LVM rounds up to a sector more.
    groups = {vg.name: replace(vg, metadata_free=0) for vg in tables.volume_groups}
    assert groups == {vg.name: replace(vg, metadata_free=0) for vg in NOW.volume_groups}
    free = {vg.name: vg.metadata_free for vg in NOW.volume_groups}
    assert all(0 <= vg.metadata_free - free[vg.name] <= 512 for vg in tables.volume_groups)


@pytest.mark.parametrize("version", ["2.02.87", "2.02.130"])
def test_logical_volumes_are_the_same_and_what_cannot_be_told_is_not_known(version: str) -> None:
    tables, _ = lvm_rows.parse(*texts(version))
    now = {lv.uuid: lv for lv in NOW.logical_volumes}
    old = {lv.uuid: lv for lv in tables.logical_volumes}
    assert old.keys() == now.keys()
    thin = {uuid for uuid, lv in now.items() if lv.vg.startswith("lab-thin")}
    for uuid in now.keys() - (thin if version == "2.02.87" else set()):
        one, other = old[uuid], now[uuid]
        for name in SAME:
            assert getattr(one, name) == getattr(other, name), f"{one.full_name}: {name}"
        assert one.created is None
    # 2.02.87 knows no thin LVs: it tells their names and neither their pool nor how full that is.
    if version == "2.02.87":
        assert {(old[uuid].pool, old[uuid].data_percent) for uuid in thin} == {("", None)}


def test_a_change_between_the_commands_is_seen() -> None:
    pvs, vgs, lvs = texts("2.02.87")
    assert lvm_rows.parse(pvs, vgs, lvs.replace("-pzNCIc|3|", "-pzNCIc|4|", 1))[1]
    assert lvm_rows.parse(pvs, vgs, "  " + lvs.strip().replace("CfpxvX", "Xfpxv9") + "\n")[1]


def test_of_several_missing_pvs_it_is_not_guessed_which_one_an_lv_lies_on() -> None:
    pvs, vgs, lvs = texts("2.02.87")
    second = pvs.replace("/dev/loop6", "unknown device").replace("29360128|a--", "29360128|a-m")
    tables, _ = lvm_rows.parse(second, vgs, lvs)
    assert next(lv for lv in tables.logical_volumes if lv.name == "lost").pv_uuids == ()


def test_a_device_may_have_the_separator_in_its_name() -> None:
    pvs, vgs, lvs = texts("2.02.87")
    tables, _ = lvm_rows.parse(pvs.replace("/dev/loop0", "/dev/a|b"), vgs, lvs.replace("/dev/loop0", "/dev/a|b"))
    assert any(pv.path == "/dev/a|b" for pv in tables.physical_volumes)


@given(st.sampled_from(range(3)), st.data())
def test_whatever_the_commands_print_is_read_or_refused(which: int, data: st.DataObject) -> None:
    parts = list(texts("2.02.130"))
    text = parts[which]
    start = data.draw(st.integers(0, len(text)))
    parts[which] = text[:start] + data.draw(st.text(max_size=40)) + text[data.draw(st.integers(start, len(text))) :]
    with contextlib.suppress(ValueError):
        lvm_rows.parse(*parts)


class OldHost(FakeHost):
    """A host whose LVM is of 2011."""

    version = "2.02.87"

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        self.asked.append(tuple(argv))
        words = tuple(argv)
        texts_of = dict(zip(("pvs", "vgs", "lvs"), texts(self.version), strict=True))
        if words == lvm_old.VERSION:
            return Completed(argv=words, status=0, stdout=(LVM / "version-2.02.87.txt").read_text(), stderr="", seconds=0.1)
        if words[1] not in texts_of:
            return UNKNOWN_COMMAND
        if words[: len(lvm_old.LVS)] == lvm_old.LVS:
            return UNKNOWN_FIELD
        return Completed(argv=words, status=0, stdout=texts_of[words[1]], stderr="", seconds=0.1)


def node(minor: int) -> FileStat:
    return FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=minor, mtime=0.0, rdevice=(7, minor))


def test_the_probe_falls_back_and_finds_the_devices_by_their_nodes() -> None:
    host = OldHost(stats={f"/dev/loop{number}": node(number) for number in range(9)})
    report = probe(host, block=loops(*range(9)), sessions=NO_SESSIONS)
    assert isinstance(report, LvmReport)
    assert {pv.path: pv.device for pv in report.physical_volumes if not pv.missing}["/dev/loop4"] == (7, 4)
    assert len(report.logical_volumes) == len(NOW.logical_volumes)
    commands = [argv[1] for argv in host.asked]
    assert commands[:2] == ["fullreport", "version"]
    assert {"pvs", "vgs", "lvs"} <= set(commands)
    asked = [argv for argv in host.asked if argv[1] in ("pvs", "vgs", "lvs")]
    assert all("locking_type=0" in argv[argv.index("--config") + 1] for argv in asked)


def test_what_old_lvm_does_not_say_is_a_reason() -> None:
    class Silent(OldHost):
        def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
            answer = super().run(argv, timeout=timeout)
            if argv[1] == "vgs":
                return Completed(
                    argv=tuple(argv), status=3, stdout="", stderr="  Error during parsing of command line.\n", seconds=0.1
                )
            return answer

    report = probe(Silent(), block=loops(0), sessions=NO_SESSIONS)
    assert isinstance(report, Unavailable)
    assert (report.reason, report.what) == (Reason.FAILED, "lvm vgs")


PATTERNS = ("a|^/dev/loop0$|", "r|.*|")


@pytest.mark.parametrize(
    ("own", "must", "version", "imposed"),
    [
        (frozenset(), False, (2, 2, 87), ("filter",)),
        (frozenset({"filter"}), False, (2, 2, 87), ()),
        (frozenset({"filter"}), True, (2, 2, 87), ("filter",)),
        (frozenset(), False, (2, 2, 130), ("filter", "global_filter")),
        (frozenset({"filter"}), False, (2, 2, 98), ("global_filter",)),
        (frozenset({"filter", "global_filter"}), False, (2, 2, 130), ()),
        (frozenset({"filter", "global_filter"}), True, (2, 2, 130), ("filter", "global_filter")),
        (frozenset(), True, None, ("filter",)),
    ],
)
def test_before_2_02_98_there_is_one_filter(
    own: frozenset[str], must: bool, version: tuple[int, int, int] | None, imposed: tuple[str, ...]
) -> None:
    text = lvm_old.configuration(lvm_old.Filters(accept=PATTERNS, own=own, must=must), version)
    assert tuple(name for name in ("filter", "global_filter") if f" {name}=[" in text) == imposed


def test_a_disk_that_has_to_be_left_out_is_left_out_there_too() -> None:
    host = OldHost(files={"/etc/lvm/lvm.conf": 'devices {\n    filter = [ "a/.*/" ]\n}\n'})
    probe(host, block=(*loops(0), block("sda", BlockKind.DISK, device_state="blocked")), sessions=NO_SESSIONS)
    asked = next(argv for argv in host.asked if argv[1] == "pvs")
    assert 'filter=["a|^/dev/loop(0)' in asked[asked.index("--config") + 1]


@pytest.mark.parametrize("version", ["2.02.87", "2.02.130"])
def test_settings_of_versions_without_lvmconfig(version: str) -> None:
    text = (LVM / f"dumpconfig-{version}.txt").read_text()
    completed = Completed(argv=(), status=0, stdout=text, stderr="", seconds=0.1)
    refused = replace(UNKNOWN_COMMAND, status=2 if version == "2.02.87" else 3)
    host = FakeHost(commands={lvmconfig.ARGV: refused, lvmconfig.OLD_ARGV: completed})
    settings = lvmconfig.probe(host)
    assert not isinstance(settings, Unavailable)
    assert settings.use_lvmetad is (None if version == "2.02.87" else False)
    assert (settings.scan_lvs, settings.use_devicesfile) == (None, None)


def test_settings_of_2_02_187() -> None:
    settings = lvmconfig.parse((LVM / "lvmconfig-2.02.187.txt").read_text())
    assert settings is not None
    assert (settings.scan_lvs is not None, settings.use_lvmetad) == (True, False)
