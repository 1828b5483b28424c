"""`sctune rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.commands.refusing import agreed, may_ask, refused
from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from sctune.report.layout import Style
    from sctune.tuning.journal import Undone
    from sctune.tuning.machine import Machine
    from sctune.tuning.rollback import RolledBack
    from sctune.tuning.transaction import Transaction


def run_rollback(
    number: int | None,
    *,
    force: bool,
    yes: bool,
    dry_run: bool = False,
    format: Plain = Plain.TEXT,
    machine: Machine | None = None,
) -> ExitCode:
    """Shows what is to be undone, asks, undoes, says what became of it. Returns 1 where it was refused or something is not back; a
    dry run returns 4 where a transaction is to be rolled back."""
    from sctune.tuning.machine import machine as this_machine
    from sctune.tuning.machine import user
    from sctune.tuning.rollback import RolledBack, choose, preview, rollback

    if format is Plain.JSON and not (yes or dry_run):
        raise UserError("--format json asks nobody", "add --yes, or --dry-run to see what would be undone")
    here = machine or this_machine()
    destination = Output(None)
    style, say = destination.style, destination.write_text
    as_json = format is Plain.JSON
    try:
        found = choose(here.journal, number, force=force)
        if found is None or found.begin is None:
            say(_told(RolledBack(), None, style=style, as_json=as_json, dry_run=dry_run))
            return ExitCode.OK
        if dry_run or not yes:
            words = preview(found, here.writer, force=force)
            say(_json(found, words, dry_run=True) if as_json else _preview(found, words, style=style))
            if dry_run:
                return ExitCode.PENDING
            if not may_ask():
                raise Refused("nothing was changed: there is no terminal to ask on", "--yes rolls back without asking.")
            if not agreed("Roll back?"):
                raise Refused("nothing was changed")
        done = rollback(found.number, writer=here.writer, journal=here.journal, lock=here.lock, user=user(), force=force)
    except Refused as error:
        return refused(error)
    say(_told(done, found, style=style, as_json=as_json))
    return done.exit_code


def _preview(found: Transaction, words: tuple[tuple[str, Undone], ...], *, style: Style) -> str:
    from sctune.report.history_text import render_preview

    assert found.begin is not None  # noqa: S101 - the caller looked
    return render_preview(found.number, found.begin.profile, found.begin.time, found.status.value, words, style=style)


def _told(done: RolledBack, found: Transaction | None, *, style: Style, as_json: bool, dry_run: bool = False) -> str:
    """What was undone; nothing where `done` has no number."""
    if as_json:
        return _json(found if done.number is not None else None, done.undone, unwritten=done.unwritten, dry_run=dry_run)
    from sctune.report.history_text import render_rolled_back

    return render_rolled_back(done, style=style)


def _json(found: Transaction | None, words: tuple[tuple[str, Undone], ...], *, unwritten: str = "", dry_run: bool) -> str:
    from sctune.report.rollback_json import render
    from sctune.tuning.history import entry

    return render(entry(found) if found is not None else None, words, unwritten=unwritten, dry_run=dry_run)
