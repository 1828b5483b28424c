"""Sessions that nobody needs end by the commands that the doctor gives, and take nothing else with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .crowd import make_crowd, make_fault
from .faults.sessions import FAULTS as VOLUME_FAULTS
from .faults.sessions import HOST_FAULTS, identity
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .hosts.overlay import Volume
    from .machine import Machine

CODE = "ISCSI_SESSION_LEFTOVER"
_REMOVED = tuple(fault for fault in VOLUME_FAULTS if fault.name in ("target-removed-under-session", "session-given-up"))


def _end(machine: Machine, left: list[Volume], options: str = "") -> None:
    """Runs what the findings about these say, and looks again."""
    verdict = examine(machine, options)
    findings = {one["subject"]["id"]: one for one in verdict.document["findings"] if one["code"] == CODE}
    assert {*findings} == {identity(volume) for volume in left}, verdict.unexamined()
    machine.run("\n".join(command for finding in findings.values() for command in finding["remedy"]["commands"]), timeout=120.0)
    machine.check("udevadm settle")
    for volume in left:
        assert machine.run(f"grep -qx {volume.iqn} /sys/class/iscsi_session/*/targetname").status != 0
        assert machine.run(f"test -e /etc/iscsi/nodes/{volume.iqn}").status != 0
    after = {(one["code"], one["subject"]["id"]) for one in examine(machine, options).document["findings"]}
    assert not {(code, subject) for code, subject in after if code.startswith("ISCSI_SESSION_")}


@pytest.mark.thorough
def test_on_the_host_with_the_target(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        volumes = make_crowd(machine, _REMOVED, sound=1)
        _end(machine, [volumes[fault.name] for fault in _REMOVED])
        assert machine.run("grep -lx LOGGED_IN /sys/class/iscsi_session/*/state | wc -l").stdout.strip() == "1"


@pytest.mark.thorough
def test_on_a_node_controller(boot: Callable[..., Machine]) -> None:
    (fault,) = HOST_FAULTS
    with boot() as machine:
        volumes = make_fault(machine, fault)
        _end(machine, [volumes[2]], fault.options)
        assert machine.run("grep -lx LOGGED_IN /sys/class/iscsi_session/*/state | wc -l").stdout.strip() == "2"
