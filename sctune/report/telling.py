"""Tells the journal what has changed, and keeps what it was told beside the doctor's last result.

The doctor's work is done by then: whatever is wrong here is one line of warning, and the next run tells what this one could not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from sctune.errors import UserError
from sctune.findings import Severity
from sctune.model.baseline import Earlier
from sctune.report.atomic import Output
from sctune.report.events import Told, after, events
from sctune.report.given import Given, read_given, short
from sctune.report.journald import SOCKET, Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.model.report import Report
    from sctune.report.events import Event

PATH = "/var/lib/sctune/told.json"
_MODE = 0o640
_MAX_BYTES = 64 * 1024 * 1024
_GIVEN = Given(name="what the journal was told", kind="record of that", hint="")

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Finding(msgspec.Struct):
    code: _Text
    kind: _Text
    id: _Text
    severity: Literal["info", "warning", "critical"]
    check: str
    summary: str
    muted: bool


class _Told(msgspec.Struct):
    schema: Literal[1]
    host: str
    incomplete: bool
    findings: list[_Finding]


def tell(report: Report, finds: Mapping[str, str], *, path: str = PATH, socket: str = SOCKET, seconds: float = 2.0) -> str:
    """What went wrong, "" where nothing did or there is no journal. `finds` names the check that finds a code."""
    try:
        journal = Journal(socket, seconds=seconds)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"the journal was not told what has changed: {_why(error)}"
    try:
        return _tell(report, finds, path, journal)
    finally:
        journal.close()


def _tell(report: Report, finds: Mapping[str, str], path: str, journal: Journal) -> str:
    told, wrong = read(path)
    sent: list[Event] = []
    due = events(report, told, finds)
    try:
        for event in due:
            journal.send(event.fields)
            sent.append(event)
    except OSError as error:
        wrong = f"the journal was told {len(sent)} of {len(due)} changes, the rest comes with the next run: {_why(error)}"
    known = after(report, told, sent)
    if known != told:
        try:
            _keep(known, path)
        except (UserError, OSError) as error:
            wrong = f"changes may be told to the journal twice: {error}"
    return wrong


def _why(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def read(path: str) -> tuple[Told | None, str]:
    """What the journal was told by earlier runs, None where it is not known, and then why if that is strange."""
    try:
        if not os.path.lexists(path):
            return None, ""
        found = msgspec.json.decode(read_given(path, _GIVEN, most=_MAX_BYTES), type=_Told)
    except UserError as error:
        return None, f"all findings are new to the journal: {error}"
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return None, f"all findings are new to the journal: {path}: {short(error)}"
    told = (
        Earlier(
            code=one.code,
            kind=one.kind,
            id=one.id,
            severity=Severity(one.severity),
            check=one.check,
            summary=one.summary,
            muted=one.muted,
        )
        for one in found.findings
    )
    return Told(host=found.host, findings=tuple(told), incomplete=found.incomplete), ""


def _keep(told: Told, path: str) -> None:
    findings = [
        _Finding(
            code=one.code,
            kind=one.kind,
            id=one.id,
            severity=one.severity.value,
            check=one.check,
            summary=one.summary,
            muted=one.muted,
        )
        for one in told.findings
    ]
    document = _Told(schema=1, host=told.host, incomplete=told.incomplete, findings=findings)
    Output(path, mode=_MODE).write(msgspec.json.encode(document) + b"\n")
