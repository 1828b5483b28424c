"""Crowds of volumes, each with its own fault, beside sound ones: one look finds each, and says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .crowd import CROWD_SCRATCH_BYTES, make_crowd
from .faults.volumes import VOLUME_FAULTS
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

# Two, so that two processors have something to do; neighbours in the table apart, since they are alike.
CROWDS = {"crowd-1": VOLUME_FAULTS[::2], "crowd-2": VOLUME_FAULTS[1::2]}


# The second one alone costs the ordinary run two minutes; its recorded host is judged there.
@pytest.mark.parametrize("name", ["crowd-1", pytest.param("crowd-2", marks=pytest.mark.thorough)])
def test_the_doctor_finds_each_and_nothing_else(
    name: str, boot: Callable[..., Machine], keep: Callable[[Machine, str], None]
) -> None:
    faults = CROWDS[name]
    with boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        volumes = make_crowd(machine, faults)
        expected = [one for fault in faults for one in fault.expects(volumes[fault.name])]
        verdict = examine(machine)
        assert verdict.missing(expected) + verdict.surplus(expected) == []
        assert verdict.status == 1, verdict.unexamined()
        # tests/scenarios lists the volumes of what is kept here.
        keep(machine, name)
