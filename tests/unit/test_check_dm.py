from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sctune.checks.device_mapper import CHECKS, lv_key
from sctune.config.model import Config, Thresholds
from sctune.findings import Severity, Subject, SubjectKind
from sctune.model.lvm import LogicalVolume, LvmReport
from sctune.probes.dm import probe
from sctune.unavailable import CannotLook
from tests.unit.serving_hosts import GIB, chain, chains, lv
from tests.unit.storage_hosts import codes, denied, dm, facts, only, processes, recorded, run, tgtd

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.model.dm import DmDevice

(SUSPENDED,) = CHECKS
VG_UUID = "aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa"
LV_UUID = "bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb"
DM_UUID = f"LVM-{'a' * 32}{'b' * 32}"


def suspended(*devices: DmDevice, **parts: object) -> Result:
    return run(SUSPENDED, **{"dm": devices, "chains": chains(), **parts})


def the_lv() -> LogicalVolume:
    return replace(lv("euca-vol-1", GIB), vg_uuid=VG_UUID, uuid=LV_UUID)


def report(*lvs: LogicalVolume) -> LvmReport:
    return LvmReport(physical_volumes=(), volume_groups=(), logical_volumes=lvs, duplicates=(), warnings=(), seconds=0.1)


def test_running_lvs() -> None:
    result = suspended(dm(number=0), dm(number=1))
    assert (result.examined, result.findings) == (2, ())


def test_a_suspended_lv() -> None:
    finding = only(suspended(dm("vg--a-euca--vol", uuid=DM_UUID, suspended=True), dm(number=1)))
    assert (finding.code, finding.severity) == ("LVM_LV_SUSPENDED", Severity.CRITICAL)
    assert finding.subject == Subject(kind=SubjectKind.LV, id="vg-a/euca-vol")
    assert finding.remedy.commands[-1] == "dmsetup resume vg--a-euca--vol"
    assert facts(finding)["suspended_since"] == "not told by the kernel"


def test_the_recorded_one() -> None:
    found = probe(recorded("lv-suspended"))
    assert isinstance(found, tuple)
    finding = only(suspended(*found))
    assert finding.subject.id == "euca-ebs-storage-vg-vol-391D44BE/euca-vol-391D44BE"
    healthy = probe(recorded("healthy"))
    assert isinstance(healthy, tuple)
    assert codes(suspended(*healthy)) == []


def test_the_volume_is_the_subject_where_there_is_one() -> None:
    volume = chain("vol-1", lv=the_lv())
    known = replace(chains(volume), by_lv={LV_UUID: volume})
    finding = only(suspended(dm(uuid=DM_UUID, suspended=True), chains=known, lvm=report(the_lv())))
    assert finding.subject == Subject(kind=SubjectKind.VOLUME, id="vol-1")


def test_an_origin_and_its_layers_are_one_finding() -> None:
    devices = (
        dm("vg-lv", 0, uuid=DM_UUID, suspended=True),
        dm("vg-lv-real", 1, uuid=f"{DM_UUID}-real", suspended=True),
        dm("vg-other", 2, suspended=False),
    )
    finding = only(suspended(*devices))
    assert facts(finding)["kernel_names"] == ("dm-0", "dm-1")
    assert finding.subject.id == "vg/lv"


def test_devices_that_are_no_lvs_are_suspended_on_purpose() -> None:
    assert suspended(dm("luks", uuid="CRYPT-LUKS2-1", suspended=True)).not_applicable
    assert codes(suspended(dm("luks", uuid="CRYPT-LUKS2-1", suspended=True), dm(number=1))) == []


def test_lvm_commands_at_work_are_evidence() -> None:
    working = replace(processes(), lvm=(replace(tgtd(1.0, pid=77), argv=("lvcreate", "-s")),))
    finding = only(suspended(dm(uuid=DM_UUID, suspended=True), processes=working))
    assert facts(finding)["lvm_commands_running"] == ("77 lvcreate -s",)


def test_hosts_without_lvs_or_without_an_answer() -> None:
    assert suspended().not_applicable
    with pytest.raises(CannotLook):
        run(SUSPENDED, dm=denied("device-mapper"))


def test_names_are_quoted() -> None:
    assert only(suspended(dm("a\\x20b", uuid=DM_UUID, suspended=True))).remedy.commands[-1] == "dmsetup resume 'a\\x20b'"


def test_the_layer_is_not_part_of_the_key() -> None:
    assert lv_key(f"{DM_UUID}-cow") == DM_UUID


def test_it_is_looked_at_twice_and_explained() -> None:
    (code,) = SUSPENDED.codes
    assert code.confirm
    assert SUSPENDED.patience is not None
    assert SUSPENDED.patience(Config(thresholds=Thresholds(suspended_seconds=7.0))) == 7.0
    for text in (code.title, code.meaning, code.why, code.thresholds, code.remedy, code.source, *code.see):
        assert text.strip()
