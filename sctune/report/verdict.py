"""What a report comes to, in a sentence or two: the verdict, and what to do first. `atom`s in them stay together in text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sctune.findings import Severity
from sctune.host.base import Source
from sctune.model.baseline import Change, identity_of
from sctune.report.apart import known_findings, muted_findings
from sctune.report.exit import is_news
from sctune.report.groups import unseen_cause
from sctune.report.layout import atom
from sctune.report.words import count_words, kind_plural, list_words, subject_words
from sctune.unavailable import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.findings import Finding
    from sctune.model.report import Report
    from sctune.report.coverage import Coverage, Gap
    from sctune.report.groups import Group

SOURCES = {
    Source.LIVE: "looked at live",
    Source.SSH: "looked at over ssh",
    Source.CAPTURE: "from a capture",
    Source.SOS: "from a sos archive",
    Source.ROOT: "from a file tree",
}
"""How the host was looked at."""
_AS_ROOT = {Source.LIVE: "sudo sctune doctor sees the rest", Source.SSH: "--sudo, or root's login, shows the rest"}


def verdict(report: Report, groups: Sequence[Group], seen: Coverage) -> str:
    """How the host is."""
    news = [finding for finding in report.findings if is_news(report, finding)]
    new = ""
    if report.comparison is not None:
        new = " new" if all(report.comparison.changes[identity_of(one)] is Change.NEW for one in news) else " new or worse"
    counts = [
        count_words(number, f"{new} {word}".strip())
        for severity, word in ((Severity.CRITICAL, "critical fault"), (Severity.WARNING, "warning"), (Severity.INFO, "note"))
        if (number := sum(finding.severity is severity for finding in news))
    ]
    judged = sum(check.examined > 0 for check in report.checks)
    incomplete = f"{seen.incomplete} of {len(report.checks)} checks could not see everything" if seen.incomplete else ""
    clear = not any(finding.severity.rank > Severity.INFO.rank for finding in news)
    others = _others(report)
    told = []
    if clear and seen.examined:
        told.append(f"no{new} fault found" + (" in what could be examined" if incomplete else ""))
    if counts:
        effects = sum(len(one.effects) for one in groups)
        follow = f", of which {effects} {'follows' if effects == 1 else 'follow'} from another" if effects else ""
        told.append(" and ".join([", ".join(counts[:-1]), counts[-1]] if len(counts) > 1 else counts) + follow)
    told.extend(others)
    if incomplete:
        told.append(incomplete if told else f"nothing can be said: {incomplete}")
    if told and (counts or incomplete or others):
        return "; ".join(told) + "."
    if not judged:
        return "nothing on this host for sctune to judge."
    return f"no{new} fault found in {count_words(seen.examined, 'thing')} examined by {count_words(judged, 'check')}."


def next_step(report: Report, groups: Sequence[Group], seen: Coverage) -> str:
    """What to do first."""
    live = report.source is Source.LIVE
    again = "then run sctune doctor again" if live else "then look at that host again"
    as_root = ""
    if seen.needs_root is not None:
        as_root = _AS_ROOT.get(report.source, "a capture made by root shows the rest")
    if groups and groups[0].rank > Severity.INFO.rank:
        first = groups[0]
        on = f" on {atom(subject_words(first.findings[0].subject))}" if len(first.findings) == 1 else ""
        start = f"start with {first.code}{on} ({atom(f'sctune explain {first.code}')} says more), {again}"
        return f"{start}{f'; {as_root}' if as_root else ''}."
    if as_root:
        return f"{as_root}."
    if seen.gaps:
        return _fill(report, seen.gaps, again)
    if any(finding.severity is not Severity.INFO for finding in known_findings(report)):
        return "nothing new; what is known from the baseline is still there to mend."
    if groups:
        return f"nothing is urgent; {atom(f'sctune explain {groups[0].code}')} says more about the first note."
    return "nothing to do."


def _others(report: Report) -> list[str]:
    """What the numbers before it do not count, in numbers of its own."""
    known, muted = len(known_findings(report)), len(muted_findings(report))
    told = [f"{known} known from the baseline"] if known else []
    if report.comparison is not None:
        told += [f"{len(report.comparison.gone)} gone since"] if report.comparison.gone else []
        told += [f"{len(report.comparison.not_seen)} not seen this time"] if report.comparison.not_seen else []
    return told + ([f"{muted} muted"] if muted else [])


def _fill(report: Report, gaps: Sequence[Gap], again: str) -> str:
    """What to do about what was not seen. What was never recorded cannot be found out where it is missing."""
    for gap in gaps:
        # On this machine it is what time did not suffice for.
        # Where a host was asked it is what time did not suffice for.
        if report.source in (Source.LIVE, Source.SSH) or gap.reason is not Reason.NOT_COLLECTED:
            return f"find out why {listed(gap)} could not be examined, {again}."
    if report.source is Source.ROOT:
        return f"files show how a host is set up, not what it does: {atom('sctune doctor')} on the host itself sees the rest."
    return f"a new {atom('sctune capture')} of that host shows the rest."


def moment(seconds: float) -> str:
    """The host's clock in UTC; "" where it has none (a file tree) or none that a calendar knows."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if seconds > 0 else ""
    except (OverflowError, ValueError, OSError):
        return ""


def count_subjects(findings: Sequence[Finding]) -> str:
    """How many things, by what they are: "3 volumes"."""
    kinds = {finding.subject.kind for finding in findings}
    return f"{len(findings)} {kind_plural(next(iter(kinds)))}" if len(kinds) == 1 else f"{len(findings)} times"


def cause_elsewhere(finding: Finding, report: Report) -> str:
    """Why the cause of a finding that is told in full is not told with it; "" where it is, or where there is none."""
    if unseen_cause(finding, report.findings) is not None:
        return "was not looked for"
    cause = finding.caused_by
    for other in report.findings:
        if cause is not None and other.identity == (cause.code, cause.subject) and not is_news(report, other):
            return "is muted" if other.muted is not None else "is known from the baseline"
    return ""


def listed(gap: Gap) -> str:
    """The things of a gap, the first few by name."""
    return list_words(tuple(map(atom, gap.items)))
