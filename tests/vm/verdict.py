"""What the doctor said in the machine, against what it had to say."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .faults.implied import IMPLIED
from .faults.pending import PENDING
from .hosts.tgt import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .faults.base import Expected
    from .machine import Machine

# The checkout that these tests lie in, wherever an installation in the interpreter leads.
SCTUNE = f"env -C {Path(__file__).resolve().parents[2]} {sys.executable} -m tests.vm.patient"
DOCTOR = f"{SCTUNE} doctor --format json"
DOCTOR_SECONDS = 120.0
# What depends on how busy the machine was while the host was made: it may be said beside anything, unless it is what is looked for.
OF_THE_MOMENT = frozenset({"IO_PRESSURE_HIGH", "MEMORY_PRESSURE", "LVM_COMMAND_SLOW", "TGT_CPU_SATURATED"})


def steady(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Code, severity and subject of the findings that do not depend on how busy the machine is."""
    found = {(one["code"], one["severity"], one["subject"]["id"]) for one in document["findings"]}
    return {one for one in found if one[0] not in OF_THE_MOMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The doctor's exit status, its JSON document, and how long it took in the machine."""

    status: int
    document: dict[str, Any]
    seconds: float

    def above_info(self) -> list[dict[str, Any]]:
        """The findings that are a warning or worse."""
        return [finding for finding in self.document["findings"] if finding["severity"] != "info"]

    def unexamined(self) -> list[str]:
        """What could not be looked at, with the reason, as the checks say it."""
        checks = self.document["checks"]
        return [f"{check['check']}: {part['what']}: {part['reason']}" for check in checks for part in check["unexamined"]]

    def missing(self, expected: Iterable[Expected]) -> list[str]:
        """What was expected, is known to some check, and was not said."""
        said = {(finding["code"], finding["severity"], finding["subject"]["id"]) for finding in self.document["findings"]}
        return [
            f"not found: {one}" for one in expected if one.code not in PENDING and (one.code, one.severity, one.subject) not in said
        ]

    def surplus(self, expected: Iterable[Expected]) -> list[str]:
        """What was said above info though nobody expected it, and no table of implications allows it."""
        wanted = list(expected)
        exact = {(one.code, one.severity, one.subject) for one in wanted}
        codes = {one.code for one in wanted}
        allowed = {code for one in wanted for code in IMPLIED.get(one.code, ())}
        found = []
        for finding in self.above_info():
            cause = finding["caused_by"]
            if (finding["code"], finding["severity"], finding["subject"]["id"]) in exact or finding["code"] in allowed:
                continue
            if finding["code"] in OF_THE_MOMENT - codes:
                continue
            if cause is not None and cause["code"] in codes:
                continue
            found.append(f"not expected: {finding['severity']} {finding['code']} {finding['subject']['id']}: {finding['summary']}")
        return found


def examine(machine: Machine, options: str = "") -> Verdict:
    """Runs the checkout's doctor in the machine."""
    done = machine.run(f"{DOCTOR} {options}", timeout=DOCTOR_SECONDS)
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert done.status in {0, 1, 3}, f"exit status {done.status}: {done.stderr}"
    return Verdict(status=done.status, document=json.loads(done.stdout), seconds=done.seconds)
