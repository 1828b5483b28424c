"""`sctune history`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from sctune.tuning.machine import Machine


def run_history(number: int | None, *, format: Plain, output: str | None, machine: Machine | None = None) -> ExitCode:
    """Lists what was applied, or shows one transaction. Returns 1 where the journal cannot be looked at, 3 where a part of it
    cannot be read."""
    from sctune.commands.refusing import refused
    from sctune.tuning.history import history
    from sctune.tuning.machine import machine as this_machine
    from sctune.tuning.writer import Refused

    destination = Output(output)
    try:
        told = history((machine or this_machine()).journal, number)
    except Refused as error:
        return refused(error)
    if format is Plain.JSON:
        from sctune.report.history_json import render as render_json

        destination.write(render_json(told).encode())
    else:
        from sctune.report.history_text import render

        destination.write_text(render(told, style=destination.style, whole=number is not None))
    return ExitCode.INCOMPLETE if told.unread else ExitCode.OK
