"""What the doctor calls a safe remedy is one: its commands are run as they stand, the finding is gone, and none came instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .crowd import CROWD_SCRATCH_BYTES, make_crowd
from .faults.volumes import VOLUME_FAULTS
from .hosts import overlay
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .faults.base import VolumeFault
    from .machine import Machine
    from .verdict import Verdict

# Those whose commands mend; the remedies of others only look, or name what nobody can know from here.
REMEDIED = frozenset(
    {
        "archive-large",
        "cow-orphaned",
        "cow-orphaned-attached",
        "dm-leftover",
        "file-cut",
        "file-grown",
        "leaked-active",
        "leaked-inactive",
        "lun-offline",
        "lv-suspended",
        "missing-own-pv",
        "snapshot-filling",
        "snapshot-invalid",
        "snapshot-leftover",
        "snapshot-nearly-full",
        "thin-filling",
        "thin-full",
        "thin-metadata-filling",
        "thin-out-of-space",
    }
)
FAULTS: tuple[VolumeFault, ...] = tuple(fault for fault in VOLUME_FAULTS if fault.name in REMEDIED)
# Advice for a volume without a fault.
ADVICE = "LOOP_BUFFERED"
# A volume that was brought back is attached, and nothing exports it; a minute later that is said.
AFTERWARDS = {("LOOP_LEAKED", "missing-own-pv")}
# What the kernel logged of a snapshot stays in its log when the snapshot is gone, and is then nobody's but the host's.
STILL_LOGGED = ("KERNEL_STORAGE_ERRORS", "host")


def _finding(verdict: Verdict, code: str, subject: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        one for one in verdict.document["findings"] if (one["code"], one["subject"]["id"]) == (code, subject)
    ]
    assert len(found) == 1, f"{code} {subject}: {len(found)} findings"
    return found[0]


def _identities(findings: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(finding["code"], finding["subject"]["id"]) for finding in findings}


@pytest.mark.thorough
def test_what_is_called_safe_mends_and_breaks_nothing(boot: Callable[..., Machine]) -> None:
    assert {fault.name for fault in FAULTS} == REMEDIED
    with boot(scratch_bytes=CROWD_SCRATCH_BYTES) as machine:
        volumes = make_crowd(machine, FAULTS, sound=2)
        expected = [(one.code, one.subject) for fault in FAULTS for one in fault.expects(volumes[fault.name])]
        wanted = [*expected, (ADVICE, overlay.volume(len(FAULTS) + 1).name)]
        before = examine(machine)
        findings = [_finding(before, code, subject) for code, subject in wanted]
        assert {finding["remedy"]["risk"] for finding in findings} == {"safe"}

        commands = [command for finding in findings for command in finding["remedy"]["commands"]]
        # lvremove asks, and the operator says yes.
        done = machine.run("\n".join(("yes | {", *commands, "}", "udevadm settle")), timeout=300.0)
        after = examine(machine)

        new = [one for one in after.above_info() if (one["code"], one["subject"]["id"]) not in _identities(before.above_info())]
        told = "\n".join((done.stdout, done.stderr, *(f"{one['summary']}: {one['evidence']}" for one in new)))
        assert not _identities(after.document["findings"]) & set(wanted), told
        allowed = {(code, volumes[name].name) for code, name in AFTERWARDS} | {STILL_LOGGED}
        assert _identities(new) <= allowed, told
