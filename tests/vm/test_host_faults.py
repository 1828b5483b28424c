"""A machine for each fault of the whole host: the doctor finds it, and says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .faults.hosts import HOST_FAULTS
from .look import boot_options, make
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .faults.base import HostFault
    from .machine import Machine


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, id=fault.name, marks=[pytest.mark.thorough] if fault.rare else []) for fault in HOST_FAULTS]
)
def test_the_doctor_finds_it_and_nothing_else(
    fault: HostFault, boot: Callable[..., Machine], keep: Callable[[Machine, str, str], None]
) -> None:
    with boot(**boot_options(fault)) as machine:
        expected, options = make(machine, fault)
        verdict = examine(machine, options)
        assert verdict.missing(expected) + verdict.surplus(expected) == []
        keep(machine, fault.name, options)
