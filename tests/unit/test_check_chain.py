"""VOLUME_CHAIN_BROKEN: said of an exported volume that lacks a layer, and only where the layer was looked for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.check import Look, Result
from sctune.checks.chain import CHECKS, VOLUME_CHAIN_BROKEN
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.model.dm import DmTarget
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.synthetic import name_of, storage_controller
from tests.unit.chain_hosts import NOBODY, SIZE, TIMEOUT, backed, copy, device, euca, inventory, lv, pv, report, target
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import absent, facts, loops, only, store, store_file

if TYPE_CHECKING:
    from sctune.model.report import Report

(CHECK,) = CHECKS
VOL = "vol-391D44BE"
VG = f"euca-ebs-storage-vg-{VOL}"
ORIGIN = lv(VG, f"euca-{VOL}", 1, "P1")
ERRORS = (DmTarget(start=0, length=1 << 30, kind="error", status=None),)
DENIED = Unavailable(reason=Reason.DENIED, what="lvm fullreport")


def run(*targets: Any, **parts: Any) -> Result:
    """A healthy exported volume of 3.3+; parts override."""
    healthy: dict[str, Any] = {
        "lvm": report(ORIGIN, pv("P1", 1, VG)),
        "loops": loops(backed(1, VOL)),
        "dm": (device(ORIGIN),),
        "stores": (store(files=(store_file(VOL, 1 << 30, inode=1001),)),),
        "cloud": euca(),
    }
    made = inventory(*(targets or (target(1, ORIGIN.path),)), **(healthy | parts))
    return CHECK.run(Look(inventory=made, config=made.config))


def test_a_whole_chain() -> None:
    assert run() == Result(examined=1)


@pytest.mark.parametrize(
    ("layer", "parts"),
    [
        ("logical volume", {"lvm": report()}),
        ("logical volume", {"lvm": absent("lvm fullreport")}),
        ("device", {"dm": (replace(device(ORIGIN), targets=ERRORS),)}),
        ("loop device", {"loops": loops()}),
        ("loop device", {"loops": loops(), "lvm": report()}),
        ("backing file", {"loops": loops(backed(1, VOL, backing=absent(VOL))), "stores": (store(),)}),
        # Somebody attached a copy under another name: the volume is served from a file that the cloud takes for another's.
        ("backing file", {"loops": loops(backed(1, "vol-A110E8ED"))}),
    ],
)
def test_a_missing_layer_is_named(layer: str, parts: dict[str, Any]) -> None:
    result = run(**parts)
    if layer == "logical volume" and isinstance(parts["lvm"], Unavailable):
        # Without LVM there is no telling.
        assert (result.findings, result.unexamined[0].reason) == ((), Reason.ABSENT)
        return
    finding = only(result)
    assert (finding.code, finding.severity, finding.subject.id) == ("VOLUME_CHAIN_BROKEN", Severity.CRITICAL, VOL)
    assert facts(finding)["layer"] == layer
    assert layer in finding.summary


@pytest.mark.parametrize(("part", "what"), [("lvm", DENIED), ("lvm", TIMEOUT), ("loops", TIMEOUT), ("stores", TIMEOUT)])
def test_nothing_is_missing_where_nobody_looked(part: str, what: Unavailable) -> None:
    result = run(**{part: what})
    assert result.findings == ()
    assert [item.reason for item in result.unexamined] == [what.reason]
    assert result.examined == 1


def test_a_file_that_could_not_be_looked_at_is_not_missing() -> None:
    assert run(loops=loops(backed(1, VOL, backing=TIMEOUT)), stores=(store(files=TIMEOUT),)).findings == ()


def test_a_deleted_file_is_told_by_a_more_telling_code() -> None:
    assert run(loops=loops(backed(1, VOL, deleted=True, backing=absent(VOL))), stores=(store(),)).findings == ()


def test_a_volume_served_from_its_file_or_loop_device_needs_nothing_between() -> None:
    for path in (f"/var/lib/eucalyptus/volumes/{VOL}", "/dev/loop1"):
        assert run(target(1, path), lvm=report()) == Result(examined=1)


def test_das_needs_no_loop_device_and_no_file() -> None:
    das = lv("ebs", f"euca-{VOL}", 1, "P9")
    assert run(target(1, das.path), lvm=report(das), loops=loops(), stores=()) == Result(examined=1)


def test_an_lv_on_a_disk_that_lvm_was_kept_away_from_is_not_missing() -> None:
    """LVM reads no disk whose session is down; what is on it is not in its report."""
    path = f"/dev/ebs/euca-{VOL}"
    result = run(target(1, path), lvm=report(excluded=("sdb",)), loops=loops(), stores=())
    assert result.findings == ()
    assert "sdb" in result.unexamined[0].detail
    assert only(run(target(1, path), lvm=report(), loops=loops(), stores=())).subject.id == VOL


def test_a_dead_disk_does_not_blind_it_for_volumes_on_loop_devices() -> None:
    assert run(lvm=report(ORIGIN, pv("P1", 1, VG), excluded=("sdb",))) == Result(examined=1)
    assert only(run(lvm=report(excluded=("sdb",)))).subject.id == VOL
    assert run(lvm=report(excluded=("loop1",))).findings == ()


def test_hosts_without_exported_volumes() -> None:
    generic = lv("data", "disk", 2)
    assert run(target(1, generic.path), lvm=report(generic), loops=loops(), stores=()).not_applicable
    assert run(target(1, "/dev/sdz"), lvm=report(), loops=loops(), stores=()).not_applicable
    with pytest.raises(CannotLook):
        run(tgt=TIMEOUT)


def test_a_name_with_quotes_is_quoted() -> None:
    odd = replace(ORIGIN, name="x; rm -rf /", path=f"/dev/{VG}/x; rm -rf /")
    finding = only(run(target(1, f"/dev/{VG}/euca-{VOL}"), lvm=report(odd)))
    assert all("; rm" not in command or "'" in command for command in finding.remedy.commands)


def test_it_is_only_said_for_want_of_a_better_one() -> None:
    """The node of one LV has no device behind it: TARGET_BACKING_MISSING says so, and that is enough."""
    assert VOLUME_CHAIN_BROKEN.last_resort
    assert VOLUME_CHAIN_BROKEN.confirm
    host = storage_controller(3)
    entries = json.loads(host.lvm_report)["report"]
    host.lvm_report = json.dumps({"report": [entry for entry in entries if name_of(1) not in entry["vg"][0]["vg_name"]]})
    without = diagnose(host, Config(), strict=True)
    assert said_of_one(without) == {"VOLUME_CHAIN_BROKEN"}
    del host.files["/sys/dev/block/253:1/size"]
    assert said_of_one(diagnose(host, Config(), strict=True)) == {"TARGET_BACKING_MISSING"}


def said_of_one(found: Report) -> set[str]:
    return {f.code for f in found.findings if f.subject.id == name_of(1) and f.severity is not Severity.INFO}


NOW = FakeHost().now


def at_rest(**parts: Any) -> Result:
    """A host of 3.1 with one volume that was written to an hour ago and has no loop device; parts override."""
    file = replace(store_file(VOL, SIZE, inode=1001), mtime=NOW - 3600)
    answers: dict[str, Any] = {"stores": (store(files=(file,)),), "cloud": euca("3.1.2")}
    made = inventory(**(answers | parts))
    return CHECK.run(Look(inventory=made, config=made.config))


def test_up_to_3_1_every_volume_has_a_loop_device() -> None:
    finding = only(at_rest())
    assert (finding.code, finding.subject.id, facts(finding)["layer"]) == ("VOLUME_CHAIN_BROKEN", VOL, "loop device")
    assert at_rest(loops=loops(backed(1, VOL))).findings == ()
    # tgtd is not what tells; without loop devices' own word nothing is missing.
    assert only(at_rest(tgt=TIMEOUT)).subject.id == VOL
    assert at_rest(loops=TIMEOUT).findings == ()
    with pytest.raises(CannotLook):
        at_rest(processes=TIMEOUT)


@pytest.mark.parametrize("version", ["3.2.0", "4.4.2", ""])
def test_later_a_volume_at_rest_is_a_file(version: str) -> None:
    with pytest.raises(CannotLook):  # no tgtd: nothing is exported
        at_rest(cloud=replace(euca(version), installed=True))


def test_what_is_being_made_or_attached_is_not_judged() -> None:
    young = store(files=(replace(store_file(VOL, SIZE, inode=1001), mtime=NOW - 60),))
    assert at_rest(stores=(young,)).findings == ()
    zeros = replace(NOBODY, copies=(copy("/dev/zero", f"{STORE}/{VOL}"),))
    assert at_rest(processes=zeros).findings == ()
    assert at_rest(host=FakeHost(boot=599.0)).findings == ()
    assert at_rest(host=FakeHost(boot=600.0)).findings != ()
