"""Every check on whole hosts: nothing healthy is called ill, and each recorded fault is exactly its finding."""

from __future__ import annotations

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.model.report import Report, Role, Status
from tests.fakes import FakeHost
from tests.synthetic import name_of, storage_controller
from tests.unit.whole_hosts import STATES, whole

Fault = tuple[str, str]

FAULTS: dict[str, set[Fault]] = {
    "healthy": set(),
    "thin-pool": set(),
    "backing-deleted": {("LOOP_BACKING_DELETED", "vol-391D44BE")},
    "duplicate-pv": {("LOOP_DUPLICATE_BACKING", "vol-391D44BE"), ("LVM_DUPLICATE_PV", "vol-391D44BE")},
    "lv-suspended": {("LVM_LV_SUSPENDED", "vol-391D44BE")},
    "missing-pv": {("LVM_PV_MISSING", "lab-missing")},
    "snapshot-invalid": {("LVM_SNAPSHOT_INVALID", "snap-57C3C3E8")},
    "thin-full": {("LVM_THIN_POOL_FILLING", "lab-thin/pool0")},
    "thin-out-of-space": {("LVM_THIN_POOL_BROKEN", "lab-thin/pool0")},
    "tgtd-killed": {
        ("TGT_DOWN", "tgtd"),
        ("TGT_EXPORT_LOST", "vol-391D44BE"),
        ("TGT_EXPORT_LOST", "vol-A110E8ED"),
        *(
            ("ISCSI_SESSION_FAILED", f"iqn.2009-06.com.eucalyptus.lab:store{n},127.0.0.1:3260,iqn.1993-08.org.debian:01:5ca1ab1e")
            for n in (1, 2)
        ),
    },
}


def faults(report: Report) -> set[Fault]:
    return {(f.code, f.subject.id) for f in report.findings if f.severity is not Severity.INFO}


def unknown(report: Report) -> dict[str, str | None]:
    return {check.check: check.reason for check in report.checks if check.status is Status.UNKNOWN or check.unexamined}


@pytest.mark.parametrize("state", STATES)
def test_a_recorded_host_has_exactly_its_fault(state: str) -> None:
    report = diagnose(whole(state), Config(), strict=True)
    assert faults(report) == FAULTS[state]
    assert unknown(report) == {}
    assert report.roles == (Role.STORAGE_CONTROLLER,)
    assert report.backends == ("eucalyptus-overlay 3.3+",)


def test_a_dead_daemon_explains_what_follows_from_it() -> None:
    report = diagnose(whole("tgtd-killed"), Config(), strict=True)
    causes = {f.code: f.caused_by.code if f.caused_by else None for f in report.findings if f.severity is not Severity.INFO}
    assert causes == {"TGT_DOWN": None, "TGT_EXPORT_LOST": "TGT_DOWN", "ISCSI_SESSION_FAILED": "TGT_DOWN"}


@pytest.mark.parametrize("volumes", [0, 1, 3, 200])
def test_a_healthy_storage_controller_of_any_size_has_no_fault(volumes: int) -> None:
    report = diagnose(storage_controller(volumes), Config(), strict=True)
    assert faults(report) == set()
    assert unknown(report) == {}


def test_with_250_of_256_loop_devices_that_is_all_that_is_wrong() -> None:
    report = diagnose(storage_controller(250), Config(), strict=True)
    assert faults(report) == {("LOOP_LIMIT_NEAR", "loop.limit")}
    assert unknown(report) == {}


def test_every_check_found_something_to_look_at_there() -> None:
    """A host on which most checks do not apply proves nothing."""
    report = diagnose(storage_controller(3), Config(), strict=True)
    examined = {check.check for check in report.checks if check.examined}
    assert {"volume-chain", "loop-backing", "lvm-physical-volumes", "target-luns", "target-backing", "tgt-exports"} <= examined
    assert {"store-space", "store-overcommit", "loop-limit", "lv-suspended", "writeback", "block-scheduler"} <= examined


def test_one_fault_among_many_is_found_and_is_alone() -> None:
    host = storage_controller(100)
    del host.files["/sys/dev/block/253:42/size"]  # the device behind the node is gone
    report = diagnose(host, Config(), strict=True)
    assert faults(report) == {("TARGET_BACKING_MISSING", name_of(42))}


@pytest.mark.parametrize("state", STATES)
def test_no_finding_is_said_twice(state: str) -> None:
    report = diagnose(whole(state), Config(), strict=True)
    identities = [finding.identity for finding in report.findings]
    assert len(identities) == len(set(identities))


def test_a_host_with_nothing_of_ours_is_told_so() -> None:
    report = diagnose(FakeHost(), Config(), strict=True)
    assert faults(report) == set()
    assert report.roles == (Role.GENERIC,)
    assert {check.status for check in report.checks} <= {Status.OK, Status.NOT_APPLICABLE}
