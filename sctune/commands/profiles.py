"""`sctune profiles`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from sctune.report.layout import Style


def run_profiles(name: str | None, *, format: Plain, output: str | None) -> int:
    """Lists all profiles, or shows one with what it includes. Returns 1 where a listed one is broken. Raises UserError for a name
    that none has."""
    from sctune.report import profiles as report
    from sctune.tuning.load import catalogue, joined

    destination = Output(output)
    found = catalogue()
    if name is not None:
        whole = joined(name, found)
        text = report.one_json(whole) if format is Plain.JSON else report.one_text(whole, _style(destination))
    else:
        text = report.all_json(found) if format is Plain.JSON else report.all_text(found, _style(destination))
    if format is Plain.JSON:
        destination.write(text.encode())
    else:
        from sctune.report.layout import encode

        destination.write(encode(text, sys.stdout.encoding or "utf-8"))
    return ExitCode.FAILED if name is None and found.broken else ExitCode.OK


def _style(destination: Output) -> Style:
    from sctune.report.layout import style_for

    return style_for(is_terminal=destination.is_terminal, environment=os.environ)
