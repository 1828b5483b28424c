"""Reads an earlier report, for --baseline: what `sctune doctor --format json` wrote, and nothing else.

The file may come from anywhere, so it is read strictly: bounded in size, valid against what is used of it, and every text in it is
made harmless. What a newer sctune of the same schema has added is passed over.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Annotated, Literal

import msgspec

from sctune.errors import UserError
from sctune.findings import Severity
from sctune.model.baseline import Baseline, Earlier
from sctune.report.json import SCHEMA
from sctune.report.sanitize import clean

MAX_BYTES = 64 * 1024 * 1024
"""Ten thousand volumes with several findings each are 30 MB."""
_LONGEST = 200
_HINT = "Name a file that 'sctune doctor --format json --output FILE' wrote."

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
    data = _read(path)
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise UserError(f"{path}: a report of schema {schema}, and this sctune reads {SCHEMA}", _HINT)
        report = msgspec.json.decode(data, type=_Report)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: no report of sctune doctor: {_short(error)}", _HINT) from None
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


def _short(error: Exception) -> str:
    """What the decoder says, on one line; it may quote a value of the file, of any length."""
    text = clean(str(error) or type(error).__name__)
    if not text[:2].isupper():  # JSON is malformed
        text = text[:1].lower() + text[1:]
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _read(path: str) -> bytes:
    try:
        # Non-blocking: a FIFO without a writer would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "not a path"
        hint = _HINT if isinstance(error, OSError) and error.errno == errno.ENOENT else ""
        raise UserError(f"{path}: cannot read the baseline: {reason}", hint) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: no report of sctune doctor: not a regular file", _HINT)
        if status.st_size > MAX_BYTES:
            raise UserError(f"{path}: no report of sctune doctor: larger than {MAX_BYTES // (1024 * 1024)} MiB", _HINT)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot read the baseline: {os.strerror(error.errno or 0).lower()}") from None
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: no report of sctune doctor: larger than {MAX_BYTES // (1024 * 1024)} MiB", _HINT)
    return data
