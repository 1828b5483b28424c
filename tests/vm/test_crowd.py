"""Crowds of volumes, each with its own fault, beside ten sound ones: one look finds each, and says nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .crowd import CROWD_SCRATCH_BYTES, make_crowd, untrue
from .faults.volumes import VOLUME_FAULTS
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .faults.base import VolumeFault
    from .hosts.overlay import Volume
    from .machine import Machine

# Two, so that two processors have something to do; neighbours in the table apart, since they are alike.
CROWDS = {"crowd-1": VOLUME_FAULTS[::2], "crowd-2": VOLUME_FAULTS[1::2]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A machine with its faults, and the volume of each by the fault's name."""

    name: str
    machine: Machine
    faults: tuple[VolumeFault, ...]
    volumes: dict[str, Volume]


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CROWDS])
def crowd(request: pytest.FixtureRequest, boot: Callable[..., Machine]) -> Iterator[Crowd]:
    """One of the crowds."""
    faults = CROWDS[request.param]
    with boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        yield Crowd(name=request.param, machine=machine, faults=faults, volumes=make_crowd(machine, faults))


def test_each_fault_is_really_there(crowd: Crowd) -> None:
    assert not untrue(crowd.machine, [fact for fault in crowd.faults for fact in fault.facts(crowd.volumes[fault.name])])


def test_the_doctor_finds_each_and_nothing_else(crowd: Crowd, keep: Callable[[Machine, str], None]) -> None:
    expected = [one for fault in crowd.faults for one in fault.expects(crowd.volumes[fault.name])]
    verdict = examine(crowd.machine)
    assert verdict.missing(expected) + verdict.surplus(expected) == []
    assert verdict.status == 1, verdict.unexamined()
    keep(crowd.machine, crowd.name)
