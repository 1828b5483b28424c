"""Crowds of volumes, each with its own fault, beside sound ones: one look finds each, and says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .crowd import CROWD_SCRATCH_BYTES, make_crowd
from .faults.volumes import VOLUME_FAULTS
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .faults.base import VolumeFault
    from .machine import Machine

# Two, so that two processors have something to do; neighbours in the table apart, since they are alike.
CROWDS = {"crowd-1": VOLUME_FAULTS[::2], "crowd-2": VOLUME_FAULTS[1::2]}
# Each of the two takes five minutes. The ordinary run makes every fifth fault, and judges the two as they were recorded.
QUICK = VOLUME_FAULTS[::5]


def test_every_fifth_is_found_and_nothing_else(boot: Callable[..., Machine]) -> None:
    crowd(boot, QUICK, lambda _: None)


@pytest.mark.thorough
@pytest.mark.parametrize("name", CROWDS)
def test_the_doctor_finds_each_and_nothing_else(
    name: str, boot: Callable[..., Machine], keep: Callable[[Machine, str], None]
) -> None:
    # tests/scenarios lists the volumes of what is kept here.
    crowd(boot, CROWDS[name], lambda machine: keep(machine, name))


def crowd(boot: Callable[..., Machine], faults: Sequence[VolumeFault], keep: Callable[[Machine], None]) -> None:
    """Makes a crowd with these faults and sound volumes beside them, and lets the doctor look at it."""
    with boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        volumes = make_crowd(machine, faults)
        expected = [one for fault in faults for one in fault.expects(volumes[fault.name])]
        verdict = examine(machine)
        assert verdict.missing(expected) + verdict.surplus(expected) == []
        assert verdict.status == 1, verdict.unexamined()
        keep(machine)
