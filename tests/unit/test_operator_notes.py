"""The host of the operator's notes: its listings fit the rules, and the doctor says of it what was so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.backends.base import FileRole
from sctune.backends.eucalyptus import ERA_31, EucalyptusOverlay
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.host.bundle import read_bundle
from sctune.host.capture import CaptureHost
from tests.scenarios.operator_notes import EXTENT, HERE, STATES, State, compose, listing, shown, text, volumes

if TYPE_CHECKING:
    from sctune.model.report import Report

GIB = 1 << 30
BY_NAME = {state.name: state for state in STATES}
BACKEND = EucalyptusOverlay(era=ERA_31)


def look(state: State) -> Report:
    return diagnose(CaptureHost(compose(state).answers()), Config(), strict=True)


def above_info(report: Report) -> set[tuple[str, str]]:
    return {(one.code, one.subject.id) for one in report.findings if one.severity is not Severity.INFO}


def test_the_listings_fit_the_rules() -> None:
    sizes = BACKEND.file_sizes
    assert sizes is not None
    found = {}
    for name, (size, _) in listing("ls-copying").items():
        read = BACKEND.file_name(name)
        found[name] = read.role
        if read.role is FileRole.VOLUME:
            assert sizes.fits_volume(size)
        elif read.role is FileRole.COW_STORE:
            assert sizes.fits_cow_store(size, listing("ls-copying")[read.id][0] - (4 << 20))
        else:
            assert sizes.fits_snapshot(size) is (name != "snap-C2DF3CF2")
    assert found["vol-D02E43C2MsmGAIzx"] is FileRole.COW_STORE
    assert FileRole.OTHER not in found.values()
    assert sizes.fits_snapshot(listing("ls-copied")["snap-C2DF3CF2"][0])


def test_lvm_takes_one_extent_of_each_file_for_itself() -> None:
    """15 GiB + 4 MiB are 3840 extents, 7.5 GiB are 1919, and the VG has both."""
    files = listing("ls-copying")
    extents = [lv.extents for lv in volumes(STATES[0])]
    assert extents == [
        files[name][0] // EXTENT - 1 for name in ("vol-178C3E9C", "vol-391D44BE", "vol-D02E43C2", "vol-D02E43C2MsmGAIzx")
    ]
    assert sum(extents[2:]) == int(shown("vgdisplay-copying", "Total PE")) == 5759


@pytest.mark.parametrize("version", ["3.0.1", "3.1.2"])
def test_a_snapshot_at_a_fifth_and_no_fault(version: str) -> None:
    report = look(State(name="x", version=version))
    assert above_info(report) == set()
    (running,) = [one for one in report.findings if one.code == "SNAPSHOT_IN_PROGRESS"]
    facts = dict(running.evidence)
    assert (running.subject.id, facts["done_ratio"], facts["total"]) == ("snap-C2DF3CF2", 0.2002, 15 * GIB)
    assert "of vol-D02E43C2" in running.summary
    examined = {check.check: check.examined for check in report.checks}
    # The snapshot that grows, two that are whole, and the COW store; three volumes and their loop devices.
    assert (examined["snapshot-files"], examined["volume-files"], examined["loop-leaked"], examined["loop-backing"]) == (4, 3, 3, 4)


def test_without_its_copy_it_is_cut_and_orphaned() -> None:
    report = look(BY_NAME["operator-notes-copy-gone"])
    assert above_info(report) == {
        ("SNAPSHOT_TRUNCATED", "snap-C2DF3CF2"),
        ("LVM_SNAPSHOT_LEFTOVER", "vg-WsNskQ../lv-snap-CfzmRA.."),
        ("SNAPSHOT_COW_ORPHANED", "vol-D02E43C2"),
    }
    (orphan,) = [one for one in report.findings if one.code == "SNAPSHOT_COW_ORPHANED"]
    assert orphan.caused_by is not None
    assert orphan.caused_by.code == "LVM_SNAPSHOT_LEFTOVER"


def test_after_the_copy_nothing_is_left() -> None:
    assert len(listing("ls-copied")) == 6
    report = look(BY_NAME["operator-notes-copied"])
    assert above_info(report) == set()
    assert {check.check: check.examined for check in report.checks}["snapshot-files"] == 3


@pytest.mark.parametrize(
    ("version", "leaked"), [("3.0.1", False), ("3.1.2", False), ("3.2.0", True), ("3.2.2", True), ("3.4.2", True), ("4.4.2", True)]
)
def test_a_loop_device_at_rest_is_leaked_from_3_2_on(version: str, leaked: bool) -> None:
    report = look(State(name="x", version=version))
    assert above_info(report) == ({("LOOP_LEAKED", "vol-178C3E9C")} if leaked else set())


def test_its_one_target_serves_its_volume() -> None:
    """Oracle of the notes' tgt-admin: target 4, LUN 1, no initiator, no account, no ACL."""
    from sctune.probes.tgt_text import parse_targets

    targets = parse_targets(text("tgt-admin"), 0)
    assert isinstance(targets, tuple)
    (target,) = targets
    assert (target.tid, target.nexuses, target.accounts, target.acls) == (4, (), (), ())
    assert [(lun.number, lun.backing_path) for lun in target.disks] == [(1, "/dev/vg-1lS3pg../lv-28NzTQ..")]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_the_captures_are_what_is_composed(state: State) -> None:
    """Each answer in them; what a newer probe asks is in the composed host alone until they are written anew."""
    kept, now = read_bundle(str(HERE / state.name / "host.tar.gz")), compose(state).answers()
    assert (kept.identity, kept.clock, kept.processes, kept.version) == (now.identity, now.clock, now.processes, "composed")
    for name in ("files", "lists", "links", "stats", "mtimes", "store_stats", "folders", "spaces", "commands", "dm", "tgt"):
        old, new = getattr(kept, name), getattr(now, name)
        assert {key: new.get(key) for key in old} == old, f"python -m tests.scenarios.operator_notes ({name})"
