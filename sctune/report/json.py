"""The report for programs: the structure in doctor.schema.json, valid UTF-8 whatever the host's names hold."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from sctune.model.baseline import Change
from sctune.model.report import Status
from sctune.pages import reference
from sctune.report.sanitize import clean_report

if TYPE_CHECKING:
    from sctune.findings import Cause, Finding, Subject, Value
    from sctune.model.baseline import Comparison, Earlier, Identity
    from sctune.model.report import CheckResult, Report

SCHEMA = 1
"""Grows when a reader of the old structure would misread the new; a new key alone does not."""

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_LAST_MOMENT = 253402300799.0  # 9999-12-31T23:59:59Z, where RFC 3339's four digits end


def render(report: Report) -> str:
    """One JSON document with a line break at its end."""
    import json

    return json.dumps(document(report), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def document(report: Report) -> dict[str, Json]:
    """The report as JSON values. Sizes in bytes, times in seconds, ratios 0..1."""
    clean = clean_report(report)
    value: dict[str, Json] = {
        "schema": SCHEMA,
        "version": clean.version,
        "host": {
            "name": clean.identity.name,
            "kernel": clean.identity.kernel,
            "roles": [role.value for role in clean.roles],
            "backends": list(clean.backends),
            "source": clean.source.value,
        },
        "started": rfc3339(clean.started),
        "duration_seconds": _number(clean.seconds),
        "summary": {status.value: sum(check.status == status for check in clean.checks) for status in Status},
        "checks": [_check(check) for check in clean.checks],
        "findings": [_finding(finding) for finding in clean.findings],
    }
    if clean.comparison is not None:
        value["baseline"] = _comparison(clean.comparison)
    return value


def _comparison(comparison: Comparison) -> Json:
    baseline = comparison.baseline
    changed = {identity: change for identity, change in comparison.changes.items() if identity in comparison.before}
    return {
        "file": baseline.file,
        "version": baseline.version,
        "host": baseline.host,
        "started": baseline.started,
        "new": [_identity(identity) for identity, change in comparison.changes.items() if change is Change.NEW],
        "changed": [
            {**_identity(identity), "change": change.value, "severity_before": comparison.before[identity].value}
            for identity, change in changed.items()
            if change is not Change.SAME
        ],
        "same": sum(change is Change.SAME for change in changed.values()),
        "gone": [_earlier(finding) for finding in comparison.gone],
        "not_seen": [{**_earlier(item.finding), "reason": item.why} for item in comparison.not_seen],
    }


def _identity(identity: Identity) -> dict[str, Json]:
    code, kind, name = identity
    return {"code": code, "subject": {"kind": kind, "id": name}}


def _earlier(finding: Earlier) -> dict[str, Json]:
    return {**_identity(finding.identity), "severity": finding.severity.value, "summary": finding.summary}


def _check(check: CheckResult) -> Json:
    return {
        "check": check.check,
        "status": check.status.value,
        "examined": check.examined,
        "unexamined": [{"what": item.what, "reason": item.reason.value, "detail": item.detail} for item in check.unexamined],
        "reason": check.reason,
        "duration_seconds": _number(check.seconds),
    }


def _finding(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "check": finding.check,
        "subject": _subject(finding.subject),
        "summary": finding.summary,
        "evidence": {key: _value(value) for key, value in finding.evidence},
        "caused_by": _cause(finding.caused_by),
        "remedy": {
            "text": finding.remedy.text,
            "commands": list(finding.remedy.commands),
            "risk": finding.remedy.risk.value,
        },
        "doc": reference(finding.code),
        "muted": None if finding.muted is None else {"reason": finding.muted.reason, "until": finding.muted.until},
    }


def _subject(subject: Subject) -> Json:
    return {"kind": subject.kind.value, "id": subject.id}


def _cause(cause: Cause | None) -> Json:
    return None if cause is None else {"code": cause.code, "subject": _subject(cause.subject)}


def _value(value: Value) -> Json:
    if isinstance(value, tuple):
        return list(value)
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity; microseconds are as fine as anything here is measured."""
    return round(value, 6) if math.isfinite(value) else None


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as UTC; what no calendar knows as the nearest that one does."""
    inside = min(max(seconds, 0.0), _LAST_MOMENT) if math.isfinite(seconds) else 0.0
    return datetime.fromtimestamp(int(inside), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
