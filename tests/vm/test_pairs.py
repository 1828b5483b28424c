"""Every fault of a volume alone, and faults in pairs: neither hides the other nor makes the doctor say what is not so."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from .crowd import make_crowd
from .faults.volumes import VOLUME_FAULTS
from .look import boot_options
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .faults.base import VolumeFault
    from .machine import Machine

pytestmark = pytest.mark.thorough

ALONE = [(fault,) for fault in VOLUME_FAULTS]
# Each once with its neighbour in the table and once with one far from it.
_HALF = len(VOLUME_FAULTS) // 2
PAIRS = [*pairwise(VOLUME_FAULTS), *zip(VOLUME_FAULTS[:_HALF], VOLUME_FAULTS[_HALF:], strict=False)]


@pytest.mark.parametrize("faults", [*ALONE, *PAIRS], ids=lambda faults: "+".join(fault.name for fault in faults))
def test_the_doctor_finds_each_and_nothing_else(faults: tuple[VolumeFault, ...], boot: Callable[..., Machine]) -> None:
    with boot(**boot_options(faults)) as machine:
        volumes = make_crowd(machine, faults, sound=1)
        expected = [one for fault in faults for one in fault.expects(volumes[fault.name])]
        verdict = examine(machine)
        assert verdict.missing(expected) + verdict.surplus(expected) == []
