"""What a profile's iSCSI part comes to on the machine it runs on, as data, and does and undoes that part alone by the journal:
``python -m tests.vm.drive_iscsi plan|apply|undo PROFILE [--any]``. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from sctune.commands.planned import planner
from sctune.tuning.execute import Request, apply
from sctune.tuning.iscsi.plan import operations
from sctune.tuning.machine import machine
from sctune.tuning.outcome import Outcome
from sctune.tuning.owned import owned
from sctune.tuning.rollback import rollback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.tuning.iscsi.plan import IscsiPlan


def made(profile: str, *, told: bool) -> IscsiPlan:
    """The plan for this machine."""
    given = ("paths=any",) if told else ()
    look = planner(profile, given=given, live=True, persist=True, from_path=None, root=None, config_path="/dev/null")
    found = look().plan.iscsi
    assert found is not None
    return found


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("plan", "apply", "undo"))
    parser.add_argument("profile")
    parser.add_argument("--any", action="store_true")
    given = parser.parse_args(arguments)
    here = machine()
    if given.what == "undo":
        done = rollback(None, writer=here.writer, journal=here.journal, lock=here.lock)
        assert done.exit_code == 0, done.with_outcome(Outcome.LEFT, Outcome.FAILED)
        print(json.dumps({"gone": [setting for setting, _ in done.with_outcome(Outcome.GONE)]}))
        return 0
    what = made(given.profile, told=given.any)
    steps = operations(what)
    if given.what == "apply":
        request = Request(profile=given.profile, user="root")
        applied = apply(owned(steps, here.writer), writer=here.writer, journal=here.journal, request=request, lock=here.lock)
        assert applied.exit_code == 0, (applied.failed, applied.reason)
    print(
        json.dumps(
            {
                "steps": [one.setting for one in steps],
                "items": [[one.place, one.where, one.key, one.current, one.wanted, one.decision, one.why] for one in what.items],
                "rows": [[one.where, one.key, one.file, one.record, one.session, one.multipath, one.wanted] for one in what.rows],
                "agree": [one.agree for one in what.rows],
                "refusals": [str(one) for one in what.refusals],
                "survivals": [one.words for one in what.survivals],
                "notes": what.notes,
                "difference": what.difference(),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
