"""What the tests of this folder have in common: machines, and keeping their state as a scenario.

Where the kernel or QEMU is missing the tests are skipped and say why; with ``SCTUNE_REQUIRE_VM=1`` they fail instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import capture
from .kernel import MachineUnavailable, find_program
from .machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
# The machine runs the host's own tools.
PROGRAMS = {
    "tgtd": "tgt",
    "lvm": "lvm2",
    "dmsetup": "dmsetup",
    "iscsid": "open-iscsi",
    "thin_check": "thin-provisioning-tools",
    "setpriv": "util-linux",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder carries the marker ``vm``."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vm)


@pytest.fixture(scope="session")
def boot() -> Callable[..., Machine]:
    """Boots a machine of one's own with the options of `Machine.boot`, to be closed by the caller."""

    def boot_or_skip(**options: Any) -> Machine:
        try:
            for name, package in PROGRAMS.items():
                find_program(name, package)
            return Machine.boot(**options)
        except MachineUnavailable as error:
            if os.environ.get("SCTUNE_REQUIRE_VM") == "1":
                raise
            pytest.skip(str(error))

    return boot_or_skip


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps a machine's state as a scenario, where that is asked for (--update-scenarios)."""

    def keep_or_not(machine: Machine, name: str, options: str = "") -> None:
        if request.config.getoption("--update-scenarios"):
            capture.keep(machine, name, options)

    return keep_or_not


@pytest.fixture(scope="session")
def machine(boot: Callable[..., Machine]) -> Iterator[Machine]:
    """One machine for all tests of a run that leave it as it was."""
    with boot() as booted:
        yield booted
