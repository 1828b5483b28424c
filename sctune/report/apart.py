"""What stands apart in the report for people: what a baseline knew, what is muted, what is gone, what was not seen.

None of it is told in full, all of it is told: a line a code, however many subjects it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sctune.model.baseline import Change, identity_of
from sctune.report.exit import is_news
from sctune.report.groups import by_mute
from sctune.report.layout import atom
from sctune.report.words import list_words, subject_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sctune.findings import Finding, Severity
    from sctune.model.baseline import Comparison, Earlier
    from sctune.model.report import Report
    from sctune.report.layout import Page

_Row: TypeAlias = "tuple[Severity, str, str, str, str]"
"""Severity, code, the subject in words, its name alone, what is said of it."""

_NAMED = 20


def known_findings(report: Report) -> tuple[Finding, ...]:
    """Those that the baseline knew and nobody muted."""
    return tuple(finding for finding in report.findings if finding.muted is None and not is_news(report, finding))


def muted_findings(report: Report) -> tuple[Finding, ...]:
    """Those that somebody muted."""
    return tuple(finding for finding in report.findings if finding.muted is not None)


def change_words(report: Report, finding: Finding) -> str:
    """What a baseline makes of a finding that is told in full: "new", "was a warning", "no longer muted"; "" without one."""
    if report.comparison is None:
        return ""
    identity = identity_of(finding)
    change = report.comparison.changes[identity]
    if change is Change.WORSE:
        return f"was {report.comparison.before[identity].value}"
    return {Change.NEW: "new", Change.UNMUTED: "no longer muted"}.get(change, "")


def compared_with(page: Page, comparison: Comparison, host: str) -> None:
    """Which run this one is compared with."""
    baseline = comparison.baseline
    when = baseline.started.replace("T", " ").replace("Z", " UTC")
    other = "" if baseline.host == host else f", a run on another host, {atom(baseline.host)}"
    page.add(f"compared with {atom(baseline.file)} of {when}, sctune {baseline.version}{other}", indent=6, hang=6)


def apart(page: Page, report: Report) -> None:
    """All sections that have something in them."""
    known = known_findings(report)
    if known:
        page.blank()
        page.add("", lead="Known from the baseline:", sgr="1")
        _by_code(page, [_row(one, better_words(report, one)) for one in known])
    if report.comparison is not None:
        page.blank()
        _since(page, report.comparison)
    for muted, found in by_mute(report.findings).items():
        page.blank()
        page.add(f"{muted.reason}", lead=f"Muted until {muted.until}: ", hang=4, sgr="1")
        _by_code(page, [_row(one, one.summary) for one in found])


def _row(finding: Finding, said: str) -> _Row:
    return (finding.severity, finding.code, subject_words(finding.subject), finding.subject.id, said)


def better_words(report: Report, finding: Finding) -> str:
    """What is said of a finding that a baseline knew."""
    identity = identity_of(finding)
    if report.comparison is None or report.comparison.changes[identity] is not Change.BETTER:
        return finding.summary
    return f"was {report.comparison.before[identity].value}; {finding.summary}"


def _since(page: Page, comparison: Comparison) -> None:
    if comparison.gone:
        page.add("", lead="Gone since the baseline:", sgr="1")
        _by_code(page, [_earlier(finding) for finding in comparison.gone])
    if comparison.not_seen:
        page.blank()
        page.add("", lead="In the baseline, but not seen this time:", sgr="1")
        reasons: dict[str, list[Earlier]] = {}
        for item in comparison.not_seen:
            reasons.setdefault(item.why, []).append(item.finding)
        for why, found in reasons.items():
            page.add(f"{why}:", indent=2, hang=4, lead="- ")
            _by_code(page, [_earlier(finding) for finding in found], indent=4)


def _earlier(finding: Earlier) -> _Row:
    return (finding.severity, finding.code, f"{finding.kind} {finding.id}", finding.id, finding.summary)


def _by_code(page: Page, rows: Iterable[_Row], *, indent: int = 2) -> None:
    """A line a code and severity: the one subject with what is said of it, or the names of all."""
    groups: dict[tuple[Severity, str], list[tuple[str, str, str]]] = {}
    for severity, code, subject, name, summary in rows:
        groups.setdefault((severity, code), []).append((subject, name, summary))
    for (severity, code), found in groups.items():
        lead = f"- {severity.value} {code}"
        if len(found) == 1:
            subject, _, summary = found[0]
            page.add(f"{atom(subject)}: {summary}", indent=indent, hang=indent + 2, lead=f"{lead}  ")
        else:
            names = _names([name for _, name, _ in found])
            page.add(names, indent=indent, hang=indent + 2, lead=f"{lead} ({len(found)} times)  ")


def _names(names: Sequence[str]) -> str:
    return list_words(tuple(map(atom, names)), _NAMED)
