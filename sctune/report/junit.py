"""The report for CI servers: one test case a check, in the XML of JUnit that they all read.

Valid against both schemas in use, Jenkins' (xunit-plugin, junit-10.xsd) and Maven's (surefire-test-report.xsd): one test suite
as the root, no attribute that either lacks, and in a test case at most one of failure, error and skipped, since Jenkins reads the
first only. What has no place in them (host, kernel, when) is a property of the suite.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sctune.model.baseline import identity_of
from sctune.model.report import Status
from sctune.report.exit import fails, is_incomplete, is_news
from sctune.report.sanitize import clean, clean_report
from sctune.report.words import count_words, evidence_words, reason_words, subject_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sctune.check import Unexamined
    from sctune.findings import Finding
    from sctune.model.report import CheckResult, Report
    from sctune.report.format import FailOn

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"}
_MESSAGE = 5
"""Findings that a test case's message counts out."""


def render(report: Report, fail_on: FailOn, *, finds: Mapping[str, str]) -> str:
    """The XML document, with a line break at its end. Text of a host holds no character that XML does not allow: `clean_report`.
    `finds` names the check that finds a code."""
    one = clean_report(report)
    cases = [_case(one, check, fail_on, finds) for check in one.checks]
    kinds = [kind for _, kind in cases]
    suite = _attributes(
        name="sctune doctor",
        time=_seconds(one.seconds),
        tests=str(len(cases)),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        failures=str(kinds.count("failure")),
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuite{suite}>", "  <properties>"]
    lines += [f"    <property{_attributes(name=name, value=value)}/>" for name, value in _properties(one, fail_on)]
    lines += ["  </properties>", *(line for text, _ in cases for line in text), "</testsuite>"]
    return "\n".join(lines) + "\n"


def _properties(report: Report, fail_on: FailOn) -> Iterator[tuple[str, str]]:
    from sctune.report.json import rfc3339

    yield "sctune", report.version
    yield "host", report.identity.name
    yield "kernel", report.identity.kernel
    yield "source", report.source.value
    yield "started", rfc3339(report.started)
    yield "fail-on", fail_on.value
    if report.comparison is not None:
        yield "baseline", f"{report.comparison.baseline.file} of {report.comparison.baseline.started}"


def _case(report: Report, check: CheckResult, fail_on: FailOn, finds: Mapping[str, str]) -> tuple[list[str], str]:
    """A test case's lines, and what it is: failure, error, skipped or ""."""
    found = [finding for finding in report.findings if finding.check == check.check]
    failing = [finding for finding in found if fails(report, finding, fail_on)]
    failed = set(map(identity_of, failing))
    others = [finding for finding in found if identity_of(finding) not in failed]
    unexamined = [_unexamined(item) for item in check.unexamined]
    said = [line for finding in others for line in _finding(report, finding)] + _since(report, check, finds)
    inner: list[str] = []
    kind = ""
    if failing:
        kind = "failure"
        worst = failing[0]
        type_of = f"{worst.severity.value} {worst.code}"
        inner.append(
            _element(kind, [line for one in failing for line in _finding(report, one)], type=type_of, message=_count(failing))
        )
        said = unexamined + said
    elif is_incomplete(check):
        kind = "error"
        inner.append(_element(kind, unexamined, type="incomplete", message=check.reason or unexamined[0]))
    elif check.status is Status.NOT_APPLICABLE:
        kind = "skipped"
        inner.append(_element(kind, [], message=check.reason or "not applicable"))
    if said:
        inner.append(_element("system-out", said))
    case = _attributes(name=check.check, classname="sctune.doctor", time=_seconds(check.seconds))
    if not inner:
        return [f"  <testcase{case}/>"], kind
    return [f"  <testcase{case}>", *(f"    {line}" for line in inner), "  </testcase>"], kind


def _count(failing: Sequence[Finding]) -> str:
    if len(failing) == 1:
        return f"{failing[0].code} {subject_words(failing[0].subject)}: {failing[0].summary}"
    by_code: dict[str, int] = {}
    for finding in failing:
        by_code[finding.code] = by_code.get(finding.code, 0) + 1
    told = [f"{code} ({number})" if number > 1 else code for code, number in by_code.items()]
    more = f" and {len(told) - _MESSAGE} more" if len(told) > _MESSAGE else ""
    return f"{count_words(len(failing), 'finding')}: {', '.join(told[:_MESSAGE])}{more}"


def _finding(report: Report, finding: Finding) -> Iterator[str]:
    mark = ""
    if finding.muted is not None:
        mark = f"muted until {finding.muted.until} ({finding.muted.reason}): "
    elif not is_news(report, finding):
        mark = "known from the baseline: "
    elif report.comparison is not None:
        mark = f"{report.comparison.changes[identity_of(finding)].value}: "
    yield f"{mark}{finding.severity.value} {finding.code} {subject_words(finding.subject)}: {finding.summary}"
    facts = (evidence_words(key, value) for key, value in finding.evidence)
    yield "  " + "; ".join(f"{name}: {value}" for name, value in facts)
    if finding.caused_by is not None:
        yield f"  follows from {finding.caused_by.code} on {subject_words(finding.caused_by.subject)}"
    yield f"  remedy ({finding.remedy.risk.value}): {finding.remedy.text}"
    yield from (f"    {command}" for command in finding.remedy.commands)


def _since(report: Report, check: CheckResult, finds: Mapping[str, str]) -> list[str]:
    """What of this check's findings of an earlier run is not there any more."""
    if report.comparison is None:
        return []
    told = [
        f"gone since the baseline: {one.severity.value} {one.code} {one.kind} {one.id}: {one.summary}"
        for one in report.comparison.gone
        if finds.get(one.code) == check.check
    ]
    return told + [
        f"not seen: {one.finding.severity.value} {one.finding.code} {one.finding.kind} {one.finding.id}: {one.why}"
        for one in report.comparison.not_seen
        if finds.get(one.finding.code) == check.check
    ]


def _unexamined(item: Unexamined) -> str:
    return f"could not be examined: {item.what} - {reason_words(item.reason)}" + (f" ({item.detail})" if item.detail else "")


def _element(name: str, lines: Sequence[str], **attributes: str) -> str:
    text = "\n".join(lines)
    return f"<{name}{_attributes(**attributes)}>{_escaped(text)}</{name}>" if text else f"<{name}{_attributes(**attributes)}/>"


def _attributes(**values: str) -> str:
    return "".join(f' {name}="{_escaped(clean(value))}"' for name, value in values.items())


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if math.isfinite(seconds) and seconds >= 0 else "0.000"
