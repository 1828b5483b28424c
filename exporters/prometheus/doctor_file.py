"""Reads what `sctune doctor --record` keeps, strictly: a file of somebody else's, half a file or one of another host is none."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from sctune.records import dataclass
from sctune.report.json import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")]
_Severity = Literal["info", "warning", "critical"]
_Status = Literal["ok", "info", "warning", "critical", "unknown", "not_applicable"]
_LONGEST = 160


class NotAReport(Exception):
    """The file is no report of this host, and why, in one line without anything that was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFinding:
    """One finding of the last run. `subject` is KIND/ID."""

    code: str
    severity: str
    subject: str
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The last run: when it began, in seconds since the epoch, how long it took (None: not told), the checks' status by name, and
    the findings, worst first."""

    started: float
    seconds: float | None
    checks: Mapping[str, str]
    findings: tuple[LastFinding, ...]


class _Host(msgspec.Struct):
    name: str
    source: _Text


class _Check(msgspec.Struct):
    check: _Text
    status: _Status


class _Subject(msgspec.Struct):
    kind: _Text
    id: str


class _Finding(msgspec.Struct):
    code: _Text
    severity: _Severity
    subject: _Subject
    muted: dict[str, object] | None


class _Schema(msgspec.Struct):
    schema: int


class _Report(msgspec.Struct):
    host: _Host
    started: _Moment
    duration_seconds: float | None
    checks: list[_Check]
    findings: list[_Finding]


def parse_last_run(text: str, host: str) -> LastRun:
    """The run in a file's text, which has to be one of this host (by its node name). Raises NotAReport."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise NotAReport(f"a report of schema {schema}, and this sctune reads {SCHEMA}")
        report = msgspec.json.decode(data, type=_Report)
        started = datetime.fromisoformat(report.started).timestamp()
    except msgspec.ValidationError as error:
        raise NotAReport(f"no report of sctune doctor: {str(error)[:_LONGEST]}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError):
        raise NotAReport("no report of sctune doctor: not JSON, or not all of it") from None
    if report.host.source != "live" or report.host.name != host:
        raise NotAReport("a report of another host")
    return LastRun(
        started=started,
        seconds=report.duration_seconds,
        checks={one.check: one.status for one in report.checks},
        findings=tuple(
            LastFinding(
                code=one.code,
                severity=one.severity,
                subject=f"{one.subject.kind}/{one.subject.id}",
                muted=one.muted is not None,
            )
            for one in report.findings
        ),
    )
