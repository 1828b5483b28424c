"""What has changed since the journal was told last: one event a change.

It is compared with what the journal *was told*, not with the last report: an event that found no room is told by the next run, and
a finding that a run could not look for is neither gone nor, when it is seen again, new.

A muted finding makes no event, and is new when its mute ends. One that was told before it was muted is told once more: when it is
gone, which is true and closes what was told.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sctune.baseline import compare
from sctune.findings import Severity
from sctune.model.baseline import Baseline, Earlier, identity_of
from sctune.pages import reference
from sctune.records import dataclass, replace
from sctune.report.coverage import coverage
from sctune.report.exit import is_incomplete
from sctune.report.sanitize import clean_report
from sctune.report.words import count_words, list_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.findings import Finding
    from sctune.model.baseline import Identity
    from sctune.model.report import Report


class Kind(Enum):
    """What an event says, with its MESSAGE_ID. An id is for ever: others search by it (packaging/systemd/sctune.catalog)."""

    NEW = "807a1265088044bea107a71f8264dd20"
    GONE = "88c7535221db4a37973a1389d657405b"
    SEVERITY = "f242653dfb904c96933e1f41edfe676c"
    INCOMPLETE = "475d68a6fe814b2b90e489ef7fe5079f"
    COMPLETE = "590cbec89838424eb441a85d6e879f93"


_PRIORITIES = {Severity.CRITICAL: 2, Severity.WARNING: 4, Severity.INFO: 6}
"""syslog's LOG_CRIT, LOG_WARNING, LOG_INFO."""
_WARNING, _NOTICE = 4, 5
_NAMED = 20
_MANUAL = "man:sctune-codes(7)"

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the journal was told of a host, and nothing has taken back: findings, and that the look was incomplete."""

    host: str
    findings: tuple[Earlier, ...] = ()
    incomplete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change. `identity` is the finding's, None where it is of the look; `leaves` is what is then known of the finding."""

    kind: Kind
    fields: Fields
    identity: Identity | None = None
    leaves: Earlier | None = None


def events(report: Report, told: Told | None, finds: Mapping[str, str]) -> tuple[Event, ...]:
    """In the order of the report: the look, what there is, what is gone. `told` is None at a host's first record: all that is found
    is new then. `finds` names the check that finds a code."""
    clean = clean_report(report)
    before = _of_this_host(clean, told)
    known = {one.identity: one for one in before.findings}
    found: list[Event] = [*_look(clean, before)]
    for finding in clean.findings:
        earlier = known.get(identity_of(finding))
        if finding.muted is not None:
            continue
        if earlier is None or earlier.muted:
            found.append(_there(Kind.NEW, finding))
        elif earlier.severity is not finding.severity:
            found.append(_there(Kind.SEVERITY, finding, before=earlier.severity))
    baseline = Baseline(file="", version="", host=before.host, started="", findings=before.findings)
    found.extend(_gone(one) for one in compare(clean, baseline, finds=finds).gone)
    return tuple(found)


def after(report: Report, told: Told | None, sent: Sequence[Event]) -> Told:
    """What the journal knows once these events have reached it."""
    clean = clean_report(report)
    before = _of_this_host(clean, told)
    muted = {identity_of(finding) for finding in clean.findings if finding.muted is not None}
    known = {one.identity: replace(one, muted=True) if one.identity in muted else one for one in before.findings}
    incomplete = before.incomplete
    for event in sent:
        if event.identity is None:
            incomplete = event.kind is Kind.INCOMPLETE
        elif event.leaves is None:
            known.pop(event.identity, None)
        else:
            known[event.identity] = event.leaves
    return Told(host=clean.identity.name, findings=tuple(known.values()), incomplete=incomplete)


def _of_this_host(report: Report, told: Told | None) -> Told:
    """A machine that was cloned has its own past from then on."""
    return told if told is not None and told.host == report.identity.name else Told(host=report.identity.name)


def _look(report: Report, before: Told) -> tuple[Event, ...]:
    seen = coverage(report)
    if bool(seen.incomplete) == before.incomplete:
        return ()
    if not seen.incomplete:
        message = f"all {count_words(len(report.checks), 'check')} could see everything again"
        return (Event(kind=Kind.COMPLETE, fields=_entry(Kind.COMPLETE, message, _NOTICE, ())),)
    gap = seen.needs_root or (seen.gaps[0] if seen.gaps else None)
    why = f" ({list_words(gap.items, 1)})" if gap is not None else ""
    message = f"{seen.incomplete} of {count_words(len(report.checks), 'check')} could not see everything{why}"
    names = list_words(tuple(check.check for check in report.checks if is_incomplete(check)), _NAMED)
    return (Event(kind=Kind.INCOMPLETE, fields=_entry(Kind.INCOMPLETE, message, _WARNING, (("SCTUNE_CHECKS", names),))),)


def _there(kind: Kind, finding: Finding, *, before: Severity | None = None) -> Event:
    leaves = Earlier(
        code=finding.code,
        kind=finding.subject.kind.value,
        id=finding.subject.id,
        severity=finding.severity,
        check=finding.check,
        summary=finding.summary,
        muted=False,
    )
    changed = "" if before is None else f", {before.value} before"
    message = f"{finding.severity.value}{changed}: {finding.code} {leaves.kind} {leaves.id}: {finding.summary}"
    more = () if before is None else (("SCTUNE_SEVERITY_BEFORE", before.value),)
    fields = _entry(kind, message, _PRIORITIES[finding.severity], (*_fields(leaves), *more))
    return Event(kind=kind, fields=fields, identity=leaves.identity, leaves=leaves)


def _gone(one: Earlier) -> Event:
    message = f"gone: {one.code} {one.kind} {one.id}, {one.severity.value} before"
    return Event(kind=Kind.GONE, fields=_entry(Kind.GONE, message, _NOTICE, _fields(one)), identity=one.identity)


def _fields(one: Earlier) -> Fields:
    return (
        ("SCTUNE_CODE", one.code),
        ("SCTUNE_SUBJECT", one.id),
        ("SCTUNE_SUBJECT_KIND", one.kind),
        ("SCTUNE_SEVERITY", one.severity.value),
        ("SCTUNE_CHECK", one.check),
        ("SCTUNE_SUMMARY", one.summary),
        ("SCTUNE_RUNBOOK", reference(one.code)),
    )


def _entry(kind: Kind, message: str, priority: int, more: Fields) -> Fields:
    return (
        ("MESSAGE", message),
        ("MESSAGE_ID", kind.value),
        ("PRIORITY", str(priority)),
        ("SYSLOG_IDENTIFIER", "sctune"),
        ("SCTUNE_EVENT", kind.name.lower()),
        *more,
        ("DOCUMENTATION", _MANUAL),
    )
