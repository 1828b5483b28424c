"""`sctune profiles`."""

from __future__ import annotations

from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain


def run_profiles(name: str | None, *, format: Plain, output: str | None) -> int:
    """Lists all profiles, or shows one with what it includes. Returns 1 where a listed one is broken. Raises UserError for a name
    that none has."""
    from sctune.report import profiles as report
    from sctune.tuning.load import catalogue, joined

    destination = Output(output)
    found = catalogue()
    if name is not None:
        whole = joined(name, found)
        text = report.one_json(whole) if format is Plain.JSON else report.one_text(whole, destination.style)
    else:
        text = report.all_json(found) if format is Plain.JSON else report.all_text(found, destination.style)
    if format is Plain.JSON:
        destination.write(text.encode())
    else:
        destination.write_text(text)
    return ExitCode.FAILED if name is None and found.broken else ExitCode.OK
