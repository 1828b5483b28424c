"""A crowd of volumes, each with its own fault, beside ten sound ones: one look finds each, and says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .crowd import CROWD_SCRATCH_BYTES, make_crowd, untrue
from .faults.volumes import VOLUME_FAULTS
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .hosts.overlay import Volume
    from .machine import Machine


@pytest.fixture(scope="module")
def crowd(boot: Callable[..., Machine]) -> Iterator[tuple[Machine, dict[str, Volume]]]:
    """The machine, and the volumes by their faults' names."""
    with boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        yield machine, make_crowd(machine, VOLUME_FAULTS)


def test_each_fault_is_really_there(crowd: tuple[Machine, dict[str, Volume]]) -> None:
    machine, volumes = crowd
    assert not untrue(machine, [fact for fault in VOLUME_FAULTS for fact in fault.facts(volumes[fault.name])])


def test_the_doctor_finds_each_and_nothing_else(crowd: tuple[Machine, dict[str, Volume]]) -> None:
    machine, volumes = crowd
    expected = [one for fault in VOLUME_FAULTS for one in fault.expects(volumes[fault.name])]
    verdict = examine(machine)
    assert verdict.missing(expected) + verdict.surplus(expected) == []
    assert verdict.status == 1, verdict.unexamined()
