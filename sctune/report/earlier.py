"""Reads an earlier report, for --baseline: what `sctune doctor --format json` wrote, and nothing else.

The file may come from anywhere, so it is read strictly: bounded in size, valid against what is used of it, and every text in it is
made harmless. What a newer sctune of the same schema has added is passed over.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sctune.errors import UserError
from sctune.findings import Severity
from sctune.model.baseline import Baseline, Earlier
from sctune.report.given import Given, read_given, short
from sctune.report.json import SCHEMA
from sctune.report.sanitize import clean

MAX_BYTES = 64 * 1024 * 1024
"""Ten thousand volumes with several findings each are 30 MB."""
_HINT = "Name a file that 'sctune doctor --format json --output FILE' wrote."
_GIVEN = Given(name="the baseline", kind="report of sctune doctor", hint=_HINT)

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]*\Z")]
_Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")]


class _Schema(msgspec.Struct):
    schema: int


class _Subject(msgspec.Struct):
    kind: _Text
    id: _Text


class _Finding(msgspec.Struct):
    code: _Code
    severity: Literal["info", "warning", "critical"]
    check: _Text
    subject: _Subject
    summary: _Text
    muted: dict[str, object] | None


class _Host(msgspec.Struct):
    name: str


class _Report(msgspec.Struct):
    version: _Text
    host: _Host
    started: _Moment
    findings: list[_Finding]


def read_baseline(path: str) -> Baseline:
    """The earlier run in a file. Raises UserError, one line that names the file, for whatever is not one."""
    data = read_given(path, _GIVEN, most=MAX_BYTES)
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise UserError(f"{path}: a report of schema {schema}, and this sctune reads {SCHEMA}", _HINT)
        report = msgspec.json.decode(data, type=_Report)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _GIVEN.refused(path, short(error)) from None
    found: dict[tuple[str, str, str], Earlier] = {}
    for item in report.findings:
        one = Earlier(
            code=item.code,
            kind=clean(item.subject.kind),
            id=clean(item.subject.id),
            severity=Severity(item.severity),
            check=clean(item.check),
            summary=clean(item.summary),
            muted=item.muted is not None,
        )
        found.setdefault(one.identity, one)
    return Baseline(
        file=clean(path),
        version=clean(report.version),
        host=clean(report.host.name),
        started=report.started,
        findings=tuple(found.values()),
    )
