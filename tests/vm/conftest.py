"""One machine and one storage host for all tests of this folder: a boot and a chain are too dear for one a test.

Where the kernel or QEMU is missing the tests are skipped and say why; with ``SCTUNE_REQUIRE_VM=1`` they fail instead.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import capture
from .kernel import MachineUnavailable, find_program
from .machine import Machine
from .stages import STATES, Stage
from .storage import OTHER, SECRET, VOLUME, Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
DOCTOR = f"{sys.executable} -I -m sctune doctor --format json"
DOCTOR_SECONDS = 120.0
# The machine runs the host's own tools.
PROGRAMS = {"tgtd": "tgt", "lvm": "lvm2", "dmsetup": "dmsetup", "iscsid": "open-iscsi", "thin_check": "thin-provisioning-tools"}


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
    """The machine of this run."""
    with boot() as booted:
        yield booted


@pytest.fixture(scope="session")
def storage(machine: Machine) -> Storage:
    """A storage host with two attached volumes, of which a fault hits the first."""
    built = Storage(machine)
    built.start()
    for volume in (VOLUME, OTHER):
        built.attach(volume)
    return built


@pytest.fixture(scope="session")
def stage(storage: Storage) -> Iterator[Stage]:
    """What the states are made on."""
    built = Stage(storage)
    yield built
    built.clear()  # proves that the last one can be undone, too


@pytest.fixture(scope="module", params=list(STATES))
def state(request: pytest.FixtureRequest, stage: Stage) -> str:
    """The storage host in each of its states; pytest keeps a state while any test of the module wants it."""
    name: str = request.param
    stage.enter(name)
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the doctor said: its exit status, the JSON document, and how long it took in the machine."""

    status: int
    document: dict[str, Any]
    seconds: float

    def faults(self) -> set[tuple[str, str]]:
        """(code, subject) of every finding above info that no other finding explains."""
        return {
            (finding["code"], finding["subject"]["id"])
            for finding in self.document["findings"]
            if finding["severity"] != "info" and finding["caused_by"] is None
        }

    def unexamined(self) -> list[str]:
        """What could not be looked at, with the reason, as the checks say it."""
        checks = self.document["checks"]
        return [f"{check['check']}: {part['what']}: {part['reason']}" for check in checks for part in check["unexamined"]]


@pytest.fixture(scope="session")
def doctor(machine: Machine) -> Callable[..., Verdict]:
    """Runs the checkout's doctor in the machine, with further options."""

    def examine(*options: str) -> Verdict:
        done = machine.run(" ".join((DOCTOR, *options)), timeout=DOCTOR_SECONDS)
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert done.status in {0, 1, 3}, f"exit status {done.status}: {done.stderr}"
        return Verdict(status=done.status, document=json.loads(done.stdout), seconds=done.seconds)

    return examine
