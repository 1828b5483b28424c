"""The commands about what was applied: the list of it, and the way back. They are parsed here; see `sctune.cli`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from sctune.cli_options import Body, OutputFile  # noqa: TC001 - typer reads annotations when it runs
from sctune.report.format import Plain


def history(
    number: Annotated[int | None, typer.Argument(metavar="[ID]", min=1, help="Show what this transaction changed.")] = None,
    *,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
) -> Body:
    """List what was applied here, and what became of it.

    Exit code: 0 done; 1 there is none of that id, or the journal cannot be looked at; 2 wrong usage; 3 a part of it cannot be read.
    """
    from sctune.commands.history import run_history

    return partial(run_history, number, format=format, output=output)


def rollback(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", min=1, help="The transaction (sctune history); default: the last not rolled back."),
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Take back what somebody has changed since, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be undone, and undo nothing.")] = False,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
) -> Body:
    """Undo what was applied to this machine.

    In any later session, after a reboot or a crash. What somebody has changed since is left and named.

    Exit code: 0 all is back, or nothing was to do; 1 refused, or something is not back; 2 wrong usage; 4 something is to be rolled
    back (--dry-run).
    """
    from sctune.commands.rollback import run_rollback

    return partial(run_rollback, number, force=force, yes=yes, dry_run=dry_run, format=format)
