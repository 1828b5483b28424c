"""The plan as it is kept in plan.json: to let all probes ask takes half a second, and somebody waits for the script.

`python -m sctune.script.kept` (`make script`) writes it; a test says when that is to be done.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sctune.script.plan import Plan

FILE = Path(__file__).with_name("plan.json")


def kept() -> Plan:
    """The plan."""
    from sctune.script.plan import Plan

    value = json.loads(FILE.read_text(encoding="utf-8"))
    return Plan(
        paths={kind: tuple(patterns) for kind, patterns in value["paths"].items()},
        commands=tuple(map(tuple, value["commands"])),
        tgt=tuple((mode, of_target) for mode, of_target in value["tgt"]),
        kernel_log=value["kernel_log"],
        logs=tuple((path, pattern) for path, pattern in value["logs"]),
    )


def text_of(plan: Plan) -> str:
    """What is kept of it, a question a line."""
    value = {"paths": plan.paths, "commands": plan.commands, "tgt": plan.tgt, "kernel_log": plan.kernel_log, "logs": plan.logs}
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from sctune.script.plan import plan

    FILE.write_text(text_of(plan()), encoding="utf-8")
