"""Disks that fail, by the real words of smartctl and of the kernel.

Recorded on a virtual machine: nvme-degraded, ata-sound, scsi-debug, no-type. The others are shortened
from the test data of smartctl_exporter."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks.disk_health import CHECKS
from sctune.findings import Severity
from sctune.model.block import BlockKind
from sctune.model.disk_health import DiskHealth
from sctune.probes.kernel_log_text import parse
from sctune.probes.smart_json import ASLEEP, parse_nvme, parse_smartctl
from sctune.unavailable import CannotLook
from tests.unit.storage_hosts import absent, block, denied, only, run

DATA = Path(__file__).parent.parent / "data"
(CHECK,) = CHECKS
SDA = block("sda", BlockKind.DISK)


def smart(name: str, status: int = 0) -> DiskHealth:
    health = parse_smartctl((DATA / "smart" / f"{name}.json").read_text(), status, "sda")
    assert isinstance(health, DiskHealth)
    return health


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("nvme-degraded", Severity.CRITICAL),
        ("nvme-memory-backup-failed", Severity.CRITICAL),
        ("scsi-uncorrected", Severity.WARNING),
        ("ata-sound", None),
        ("ata-error-log", None),
        ("ata-checksum", None),
        ("scsi-debug", None),
        ("no-type", None),
    ],
)
def test_recorded(name: str, severity: Severity | None) -> None:
    result = run(
        CHECK, block=(SDA,), disk_health=(smart(name, 1 if name == "no-type" else 0),), kernel_log=absent("log"), disk_ids={}
    )
    assert [finding.severity for finding in result.findings] == ([] if severity is None else [severity])


@pytest.mark.parametrize(("pending", "found"), [(0, 0), (1, 1)])
def test_pending_sectors(pending: int, found: int) -> None:
    health = DiskHealth(device="sda", tool="smartctl", passed=True, pending=pending)
    result = run(CHECK, block=(SDA,), disk_health=(health,), kernel_log=absent("log"), disk_ids={})
    assert len(result.findings) == found


def test_the_kernels_medium_errors() -> None:
    log = parse((DATA / "kernel" / "medium-error.txt").read_text(), "test")
    finding = only(run(CHECK, block=(block("sdb", BlockKind.DISK),), disk_health=absent("smartctl"), kernel_log=log, disk_ids={}))
    assert finding.severity is Severity.CRITICAL


def test_what_could_not_be_asked() -> None:
    asleep = parse_smartctl("{}", ASLEEP, "sda")
    result = run(CHECK, block=(SDA,), disk_health=(asleep,), kernel_log=absent("log"), disk_ids={})
    assert (result.examined, len(result.unexamined)) == (0, 1)
    assert run(CHECK, block=(), disk_health=(), kernel_log=absent("log"), disk_ids={}).not_applicable
    for answer in (absent("smartctl"), denied("smartctl")):
        with pytest.raises(CannotLook) as caught:
            run(CHECK, block=(SDA,), disk_health=answer, kernel_log=absent("log"), disk_ids={})
        assert caught.value.unavailable.reason is answer.reason


@given(st.text(), st.integers(min_value=0, max_value=255))
def test_any_text(text: str, status: int) -> None:
    with contextlib.suppress(ValueError):
        parse_smartctl(text, status, "sda")
    with contextlib.suppress(ValueError):
        parse_nvme(text, "nvme0n1")
