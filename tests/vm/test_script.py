"""The script for hosts without Python, on a host with faults: what the doctor says of what it wrote is what it says of the host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sctune.script import generate
from sctune.version import VERSION

from .crowd import CROWD_SCRATCH_BYTES, make_crowd, script
from .faults.hosts import HOST_FAULTS
from .faults.volumes import VOLUME_FAULTS
from .hosts.tgt import SECRET
from .verdict import OF_THE_MOMENT, SCTUNE, examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

# An emulated machine takes 0.1 s for each fork.
SECONDS = 600
FAULTS = (
    "target-removed-under-session",
    "session-given-up",
    "session-differs",
    "noop-half-off",
    "secret-exposed",
    "missing-pv",
    "lv-suspended",
)


def judged(document: dict[str, Any], *, but: set[str]) -> set[tuple[str, str, str]]:
    """What was found, without the checks of which either look could not see all, and what is another at every moment."""
    return {
        (finding["code"], finding["severity"], finding["subject"]["id"])
        for finding in document["findings"]
        if finding["code"] not in OF_THE_MOMENT and finding["check"] not in but
    }


def by_script(machine: Machine, name: str) -> dict[str, Any]:
    """The doctor's document of what the script writes."""
    file = f"/run/{name}.txt"
    # Made here: finding out what to ask takes a minute in an emulated machine.
    machine.check(f"cat > /run/sctune-capture.sh <<'END OF IT'\n{generate.script(VERSION)}END OF IT")
    machine.check(f"dash /run/sctune-capture.sh -t {SECONDS} -o {file} </dev/null", timeout=SECONDS + 60.0)
    assert machine.run(f"grep -c {SECRET} {file}").stdout.strip() == "0"
    done = machine.run(f"{SCTUNE} doctor --from {file} --format json", timeout=SECONDS)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def unknown(document: dict[str, Any]) -> set[str]:
    return {check["check"] for check in document["checks"] if check["unexamined"]}


@pytest.mark.thorough  # two and a half minutes; tests/live runs the script on this machine
def test_lost_sessions_and_a_failing_disk(boot: Callable[..., Machine]) -> None:
    faults = [fault for fault in VOLUME_FAULTS if fault.name in FAULTS]
    (failing,) = (fault for fault in HOST_FAULTS if fault.name == "disk-and-raid-failing")
    with boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        volumes = make_crowd(machine, faults, sound=2)
        script(machine, failing.breaks([]))
        expected = [one for fault in faults for one in fault.expects(volumes[fault.name])]
        live = examine(machine)
        assert live.missing(expected) == []
        captured = by_script(machine, "lost")
        unseen = unknown(captured) | unknown(live.document)
        assert judged(captured, but=unseen) == judged(live.document, but=unseen)
        # The script has more patience than a look that ends within 15 s.
        assert unknown(captured) <= unknown(live.document) | {"lvm-physical-volumes"}
        found = judged(captured, but=set())
        assert {code for code, _, _ in found} >= {"ISCSI_SESSION_FAILED", "DISK_FAILING", "RAID_DEGRADED", "KERNEL_STORAGE_ERRORS"}
