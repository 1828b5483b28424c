r"""Text from a host, made harmless: what could move a cursor, hide a letter or break an encoding becomes a visible escape.

Anybody who may create a volume or a file can put escape sequences, line breaks, right-to-left overrides or bytes that are not
UTF-8 into its name, and a doctor's report is read by root in a terminal. The escapes are those of `ls --escape` and of Python:
`\n`, `\x1b`, `\u202e`, `\xff` for a byte that is not UTF-8.

A remedy's command has to stay exact as well as harmless: quoted text with such characters becomes `$'...'`, which bash, ksh and zsh
(and sh since POSIX.1-2024) read as the very bytes of the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.redact import redact_text
from sctune.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.check import Unexamined
    from sctune.findings import Cause, Finding, Remedy, Subject, Value
    from sctune.model.report import CheckResult, Report

_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def clean(text: str) -> str:
    """`text` on one line, without control, format, surrogate or unassigned characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def clean_command(command: str) -> str:
    """A shell command, harmless and still the same command where its odd characters stand in single quotes (shlex.quote)."""
    if command.isprintable():
        return command
    out: list[str] = []
    rest = command
    while rest:
        at = next((i for i, char in enumerate(rest) if char in "'\""), len(rest))
        out.append(clean(rest[:at]))
        if at == len(rest):
            break
        end = rest.find(rest[at], at + 1)
        if end < 0:
            out.append(clean(rest[at:]))
            break
        quoted = rest[at : end + 1]
        out.append(_ansi_c(quoted[1:-1]) if quoted[0] == "'" and not quoted.isprintable() else clean(quoted))
        rest = rest[end + 1 :]
    return "".join(out)


def clean_report(report: Report) -> Report:
    """The report with every string in it made harmless: what the output formats print."""
    identity = replace(report.identity, name=clean(report.identity.name), kernel=clean(report.identity.kernel))
    return replace(
        report,
        identity=identity,
        backends=tuple(map(clean, report.backends)),
        checks=tuple(map(_check, report.checks)),
        findings=tuple(map(_finding, report.findings)),
    )


def _check(result: CheckResult) -> CheckResult:
    return replace(
        result,
        check=clean(result.check),
        title=clean(result.title),
        reason=None if result.reason is None else clean(redact_text(result.reason)),
        unexamined=tuple(map(_unexamined, result.unexamined)),
    )


def _unexamined(item: Unexamined) -> Unexamined:
    # A probe that does not understand a line quotes it, and the line may hold a secret.
    return replace(item, what=clean(redact_text(item.what)), detail=clean(redact_text(item.detail)))


def _finding(finding: Finding) -> Finding:
    if all(map(str.isprintable, _strings(finding))):
        return finding  # as nearly all are; thousands of copies would show in the time of a run
    return replace(
        finding,
        code=clean(finding.code),
        check=clean(finding.check),
        subject=_subject(finding.subject),
        summary=clean(finding.summary),
        evidence=tuple((clean(key), _value(value)) for key, value in finding.evidence),
        remedy=_remedy(finding.remedy),
        caused_by=_cause(finding.caused_by),
        muted=None if finding.muted is None else replace(finding.muted, reason=clean(finding.muted.reason)),
    )


def _strings(finding: Finding) -> Iterator[str]:
    """Every string in it."""
    yield from (finding.code, finding.check, finding.subject.id, finding.summary, finding.remedy.text, *finding.remedy.commands)
    if finding.muted is not None:
        yield finding.muted.reason
    if finding.caused_by is not None:
        yield from (finding.caused_by.code, finding.caused_by.subject.id)
    for key, value in finding.evidence:
        yield key
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from value


def _subject(subject: Subject) -> Subject:
    return replace(subject, id=clean(subject.id))


def _remedy(remedy: Remedy) -> Remedy:
    return replace(remedy, text=clean(remedy.text), commands=tuple(map(clean_command, remedy.commands)))


def _cause(cause: Cause | None) -> Cause | None:
    return None if cause is None else replace(cause, code=clean(cause.code), subject=_subject(cause.subject))


def _value(value: Value) -> Value:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        return tuple(map(clean, value))
    return value


def _escape(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:  # surrogateescape: a byte that was not UTF-8
        return f"\\x{point - 0xDC00:02x}"
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _ansi_c(text: str) -> str:
    out: list[str] = []
    for char in text:
        if char in "\\'":
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        elif char in _NAMED:
            out.append(_NAMED[char])
        else:
            # Octal: always three digits, so that a digit which follows is not taken for a part of it.
            errors = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"
            out.extend(f"\\{byte:03o}" for byte in char.encode("utf-8", errors))
    return "$'" + "".join(out) + "'"
