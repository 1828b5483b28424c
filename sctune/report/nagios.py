"""The report for Nagios, Icinga and whoever runs plug-ins of theirs: a status, one line, details, and numbers with thresholds.

Source: https://www.monitoring-plugins.org/doc/guidelines.html. Of several states the worse counts, and a fault that was found is
worse than something that could not be looked at (max_state_alt of the Monitoring Plugins): CRITICAL, WARNING, UNKNOWN, OK.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING

from sctune.findings import Severity
from sctune.model.baseline import Change, identity_of
from sctune.model.measure import MeasureUnit
from sctune.report.coverage import coverage
from sctune.report.exit import fails, is_news
from sctune.report.groups import by_mute, group
from sctune.report.sanitize import clean, clean_report
from sctune.report.words import count_words, list_words, reason_words, subject_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.findings import Finding
    from sctune.model.measure import Measure
    from sctune.model.report import Report
    from sctune.report.format import FailOn

_SHOWN = 5
"""Subjects of one code that have a line of their own; the others are named in one."""
_NAMED = 20
_CODES = 4
"""Codes that the first line names."""
_ROOM = 7500
"""Bytes of what is printed. Nagios reads 8 KiB and drops the rest; the numbers stand in the first line, so none of them is lost."""


class State(IntEnum):
    """A plug-in's exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_WORDS = {
    Severity.CRITICAL: ("critical", "critical"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("note", "notes"),
}
_UNITS = {MeasureUnit.COUNT: "", MeasureUnit.BYTES: "B", MeasureUnit.SECONDS: "s", MeasureUnit.RATIO: "%"}


def state(report: Report, fail_on: FailOn) -> State:
    """What the service is in: by the findings that count, else unknown where not everything could be examined."""
    failing = [finding for finding in report.findings if fails(report, finding, fail_on)]
    if any(finding.severity is Severity.CRITICAL for finding in failing):
        return State.CRITICAL
    if failing:
        return State.WARNING
    return State.UNKNOWN if coverage(report).incomplete else State.OK


def render(report: Report, fail_on: FailOn) -> str:
    """The plug-in's output, with a line break at its end."""
    clean_one = clean_report(report)
    status = state(clean_one, fail_on)
    failing = [finding for finding in clean_one.findings if fails(clean_one, finding, fail_on)]
    first = f"SCTUNE {status.name} - {_safe(_headline(clean_one, failing, status))}"
    lines = [f"{first} | {' '.join(map(_perfdata, _numbers(clean_one)))}"]
    room = _ROOM - len(lines[0].encode())
    details = [_safe(line) for line in _details(clean_one, fail_on)]
    for number, line in enumerate(details):
        room -= len(line.encode()) + 1
        if room < 0:
            lines.append(f"{count_words(len(details) - number, 'more line')}: sctune doctor says all")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def failure(message: str, hint: str) -> str:
    """The output where nothing could be looked at: a wrong command line or configuration, or a defect of ours."""
    lines = [f"SCTUNE {State.UNKNOWN.name} - {_safe(clean(message))}", *([_safe(clean(hint))] if hint else [])]
    return "\n".join(lines) + "\n"


def _headline(report: Report, failing: Sequence[Finding], status: State) -> str:
    seen = coverage(report)
    told = []
    if len(failing) == 1:
        told.append(f"{failing[0].code} {subject_words(failing[0].subject)}: {failing[0].summary}")
    elif failing:
        codes = list_words(tuple(dict.fromkeys(finding.code for finding in failing)), _CODES)
        told.append(f"{_severities(failing)}: {codes}")
    elif status is State.UNKNOWN:
        gap = seen.needs_root or (seen.gaps[0] if seen.gaps else None)
        why = f" ({list_words(gap.items, 1)})" if gap is not None else ""
        told.append(f"{seen.incomplete} of {len(report.checks)} checks could not see everything{why}")
    else:
        judged = sum(check.examined > 0 for check in report.checks)
        told.append(f"no fault found in {count_words(seen.examined, 'thing')} examined by {count_words(judged, 'check')}")
    failed = set(map(identity_of, failing))
    rest = [finding for finding in report.findings if identity_of(finding) not in failed]
    passing = [finding for finding in rest if is_news(report, finding)]
    below = " below --fail-on" if any(finding.severity is not Severity.INFO for finding in passing) else ""
    for words, found in (
        (below, passing),
        (" known from the baseline", [one for one in rest if one.muted is None and not is_news(report, one)]),
        (" muted", [finding for finding in rest if finding.muted is not None]),
    ):
        if found:
            told.append(f"{_severities(found)}{words}")
    if seen.incomplete and status is not State.UNKNOWN:
        told.append(f"{seen.incomplete} of {len(report.checks)} checks could not see everything")
    return "; ".join(told)


def _severities(findings: Sequence[Finding]) -> str:
    counts = {severity: sum(one.severity is severity for one in findings) for severity in reversed(Severity)}
    return ", ".join(count_words(number, *_WORDS[severity]) for severity, number in counts.items() if number)


def _details(report: Report, fail_on: FailOn) -> Iterator[str]:
    news = [finding for finding in report.findings if is_news(report, finding)]
    for one in group(news):
        yield from _lines(report, one.findings)
        yield from _lines(report, one.effects)
    known = [finding for finding in report.findings if finding.muted is None and not is_news(report, finding)]
    for one in group(known):
        yield from _lines(report, (*one.findings, *one.effects), mark="known from the baseline: ")
    for muted, found in by_mute(report.findings).items():
        yield from _lines(report, found, mark=f"muted until {muted.until} ({muted.reason}): ")
    if report.comparison is not None:
        for gone in report.comparison.gone:
            yield f"gone since the baseline: {gone.severity.value} {gone.code} {gone.kind} {gone.id}"
        for missed in report.comparison.not_seen:
            yield f"not seen: {missed.finding.severity.value} {missed.finding.code} {missed.finding.id}: {missed.why}"
    seen = coverage(report)
    for gap in (*((seen.needs_root,) if seen.needs_root else ()), *seen.gaps):
        why = f" - {reason_words(gap.reason)}" if gap.reason is not None else ""
        detail = f" ({gap.detail})" if gap.detail else ""
        yield f"could not be examined: {list_words(gap.items)}{why}{detail}; incomplete for it: {', '.join(gap.checks)}"
    if report.abandoned:
        yield f"left behind in uninterruptible sleep: pid {', '.join(map(str, report.abandoned))}"


def _lines(report: Report, findings: Sequence[Finding], mark: str = "") -> Iterator[str]:
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    for code, found in by_code.items():
        shown = found if len(found) <= _SHOWN + 1 else found[:_SHOWN]
        for finding in shown:
            change = report.comparison.changes[identity_of(finding)] if report.comparison else None
            changed = f"{change.value}: " if change not in (None, Change.SAME) else ""
            yield f"{mark}{changed}{finding.severity.value} {code} {subject_words(finding.subject)}: {finding.summary}"
        if len(shown) < len(found):
            names = list_words(tuple(finding.subject.id for finding in found[len(shown) :]), _NAMED)
            yield f"{mark}{len(found) - len(shown)} more of {code}: {names}"


def _numbers(report: Report) -> Iterator[Measure]:
    from sctune.model.measure import Measure

    yield Measure(name="time", value=report.seconds, unit=MeasureUnit.SECONDS)
    for severity in reversed(Severity):
        number = sum(finding.severity is severity and is_news(report, finding) for finding in report.findings)
        yield Measure(name=severity.value, value=number, unit=MeasureUnit.COUNT)
    muted = sum(finding.muted is not None for finding in report.findings)
    yield Measure(name="muted", value=muted, unit=MeasureUnit.COUNT)
    yield Measure(name="incomplete", value=coverage(report).incomplete, unit=MeasureUnit.COUNT, maximum=len(report.checks))
    yield from report.measures


def _perfdata(measure: Measure) -> str:
    """'label'=value[UOM];[warn];[crit];[min];[max]"""
    name = f"{measure.name}:{measure.of}" if measure.of else measure.name
    label = _safe(clean(name)).replace("=", "_").replace("'", "''")
    quoted = f"'{label}'" if not label.isascii() or not label.replace("_", "").isalnum() else label
    warning, critical = (_bound(bound, measure.unit) for bound in (measure.warning, measure.critical))
    maximum = "" if measure.maximum is None else _figure(measure.maximum, measure.unit)
    return f"{quoted}={_figure(measure.value, measure.unit)}{_UNITS[measure.unit]};{warning};{critical};0;{maximum}".rstrip(";")


def _bound(bound: float | None, unit: MeasureUnit) -> str:
    """A plug-in's plain threshold is the greatest value without an alert; ours is the least with one. For whole numbers that is
    told exactly, for others it is the same number."""
    if bound is None:
        return ""
    whole = unit in (MeasureUnit.COUNT, MeasureUnit.BYTES)
    return _figure(max(0, math.ceil(bound) - 1) if whole else bound, unit)


def _figure(value: float, unit: MeasureUnit) -> str:
    """A number as any locale and any of the graphers reads it: digits and a point, no exponent. U is theirs for unknown."""
    if isinstance(value, int) and unit is not MeasureUnit.RATIO:
        return str(value)
    if not math.isfinite(value):
        return "U"
    if unit is MeasureUnit.RATIO:
        value *= 100
    text = f"{value:.{2 if unit is MeasureUnit.RATIO else 6}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text  # which a grapher may not read


def _safe(text: str) -> str:
    """Without the character that ends the text and begins the numbers: shown as an escape, as all that is not harmless."""
    return text.replace("|", "\\x7c")
