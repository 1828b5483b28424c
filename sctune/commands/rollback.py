"""`sctune rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.commands.refusing import agreed, may_ask, refused
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from sctune.tuning.machine import Machine


def run_rollback(number: int | None, *, force: bool, yes: bool, machine: Machine | None = None) -> ExitCode:
    """Shows what is to be undone, asks, undoes, says what became of it. Returns 1 where it was refused or something is not back."""
    from sctune.report.history_text import render_preview, render_rolled_back
    from sctune.tuning.machine import machine as this_machine
    from sctune.tuning.machine import user
    from sctune.tuning.rollback import RolledBack, choose, preview, rollback

    here = machine or this_machine()
    destination = Output(None)
    style, say = destination.style, destination.write_text
    try:
        found = choose(here.journal, number, force=force)
        if found is None or found.begin is None:
            say(render_rolled_back(RolledBack(), style=style))
            return ExitCode.OK
        if not yes:
            words = preview(found, here.writer, force=force)
            say(render_preview(found.number, found.begin.profile, found.begin.time, found.status.value, words, style=style))
            if not may_ask():
                raise Refused("nothing was changed: there is no terminal to ask on", "--yes rolls back without asking.")
            if not agreed("Roll back?"):
                raise Refused("nothing was changed")
        done = rollback(found.number, writer=here.writer, journal=here.journal, lock=here.lock, user=user(), force=force)
    except Refused as error:
        return refused(error)
    say(render_rolled_back(done, style=style))
    return done.exit_code
