"""The tables beside the faults are true: what is pending is pending, what is implied exists, what is made has a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.registry import load
from tests.vm.faults.hosts import HOST_FAULTS
from tests.vm.faults.implied import IMPLIED
from tests.vm.faults.pending import PENDING
from tests.vm.faults.volumes import VOLUME_FAULTS
from tests.vm.hosts.overlay import volume

if TYPE_CHECKING:
    import pytest

KNOWN = {code.code for _, code in load().codes()}
MADE = {one.code for fault in VOLUME_FAULTS for one in fault.expects(volume(1))} | {
    one.code for fault in HOST_FAULTS for one in fault.expects([volume(number + 1) for number in range(fault.volumes)])
}


def test_what_is_pending_is_known_to_no_check(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\npending codes:", *(f"\n  {code}: {fault}" for code, fault in sorted(PENDING.items())))
    assert not PENDING.keys() & KNOWN
    assert PENDING.keys() <= MADE


def test_what_is_expected_is_known_or_pending() -> None:
    assert KNOWN | PENDING.keys() >= MADE


def test_what_is_implied_is_known_and_follows_from_a_fault_that_is_made() -> None:
    assert IMPLIED.keys() <= MADE
    assert {code for codes in IMPLIED.values() for code in codes} <= KNOWN | PENDING.keys()


def test_no_two_faults_have_one_name() -> None:
    names = [fault.name for fault in VOLUME_FAULTS] + [fault.name for fault in HOST_FAULTS]
    assert len(names) == len(set(names))
