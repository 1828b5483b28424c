"""Findings as cards: one a code, those that follow from others with their cause, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Risk, Severity
from sctune.records import dataclass
from sctune.report.apart import better_words, change_words, known_findings
from sctune.report.exit import is_news
from sctune.report.groups import by_mute, group
from sctune.report.html.model import Apart, Band, Card, Effect, Line, RemedyTold, Told
from sctune.report.html.words import cut, facts_of, plain, said, source_of
from sctune.report.verdict import cause_elsewhere, count_subjects
from sctune.report.words import list_words, subject_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sctune.findings import Code, Finding
    from sctune.model.baseline import Earlier
    from sctune.model.report import Report
    from sctune.report.groups import Group

_SHOWN = 5
_NAMED = 20
_HEADINGS = {Severity.CRITICAL: "Critical", Severity.WARNING: "Warnings", Severity.INFO: "Notes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """All cards: `bands` by severity, `muted` by mute; `where` leads from a code to the card that tells it."""

    bands: tuple[Band, ...]
    muted: tuple[Band, ...]
    where: Mapping[str, str]


def cards(report: Report, groups: Sequence[Group], codes: Mapping[str, Code], chains: Mapping[tuple[str, str], str]) -> Cards:
    """The cards of a report that was made printable. `groups` are its news; `chains` leads from a subject (kind, id) to its
    drawing."""
    maker = _Maker(report=report, codes=codes, chains=chains, where={})
    bands = []
    for severity, heading in _HEADINGS.items():
        found = tuple(maker.card(one) for one in groups if one.rank == severity.rank)
        if found:
            bands.append(Band(heading=heading, severity=severity.value, cards=found))
    muted = tuple(
        Band(
            heading=f"Muted until {mute.until}: {said(mute.reason)}",
            severity="muted",
            cards=tuple(maker.card(one) for one in group(found)),
        )
        for mute, found in by_mute(report.findings).items()
    )
    return Cards(bands=tuple(bands), muted=muted, where=maker.where)


@dataclass(slots=True, kw_only=True)
class _Maker:
    report: Report
    codes: Mapping[str, Code]
    chains: Mapping[tuple[str, str], str]
    where: dict[str, str]
    number: int = 0

    def card(self, one: Group) -> Card:
        self.number += 1
        anchor = f"finding-{self.number}"
        for finding in (*one.findings, *one.effects):
            self.where.setdefault(finding.code, anchor)
        code = self.codes.get(one.code)
        several = len(one.findings) > 1
        told = tuple(self.told(finding, one) for finding in one.findings)
        # One more is told as soon as its name.
        shown = len(told) if len(told) <= _SHOWN + 1 else _SHOWN
        return Card(
            anchor=anchor,
            code=cut(one.code),
            severity=one.severity.value,
            count=count_subjects(one.findings) if several else "",
            title=said(code.title) if code else "",
            meaning=said(code.meaning) if code else "",
            why=said(code.why) if code else "",
            thresholds=said(code.thresholds) if code else "",
            see=tuple(map(said, code.see)) if code else (),
            told=told[:shown],
            more=told[shown:],
            common=facts_of(one.common_evidence()) if several else (),
            remedies=tuple(_remedies(one.findings)),
            effects=tuple(_effects(one.effects)),
        )

    def told(self, finding: Finding, one: Group) -> Told:
        evidence = one.own_evidence(finding) if len(one.findings) > 1 else finding.evidence
        why = cause_elsewhere(finding, self.report)
        cause = finding.caused_by
        return Told(
            mark="" if finding.muted is not None else change_words(self.report, finding),
            severity=finding.severity.value,
            subject=cut(subject_words(finding.subject)),
            chain=self.chains.get((finding.subject.kind.value, finding.subject.id), ""),
            summary=cut(finding.summary),
            facts=facts_of(evidence),
            source=source_of(finding.evidence),
            follows=f"Follows from {cause.code} ({cut(subject_words(cause.subject))}), which {why}." if cause and why else "",
        )


def _remedies(findings: Iterable[Finding]) -> Iterable[RemedyTold]:
    by_remedy: dict[tuple[str, Risk], list[Finding]] = {}
    for finding in findings:
        by_remedy.setdefault((finding.remedy.text, finding.remedy.risk), []).append(finding)
    for (text, risk), found in by_remedy.items():
        whom = list_words(tuple(cut(one.subject.id) for one in found)) if len(by_remedy) > 1 else ""
        yield RemedyTold(
            text=cut(text),
            disturbs=risk is Risk.DISRUPTIVE,
            whom=whom,
            # A command is never cut: it would be another one.
            commands=tuple(dict.fromkeys(command for one in found for command in one.remedy.commands)),
        )


def _effects(findings: Iterable[Finding]) -> Iterable[Effect]:
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    for code, found in by_code.items():
        if len(found) == 1:
            words = f"{cut(subject_words(found[0].subject))}: {cut(found[0].summary)}"
        else:
            names = list_words(tuple(cut(one.subject.id) for one in found), _NAMED)
            words = f"{plain(count_subjects(found))}: {names}"
        yield Effect(severity=found[0].severity.value, code=code, words=words)


def apart(report: Report) -> tuple[Apart, ...]:
    """What a baseline knew, what is gone since, what was not seen this time."""
    found = []
    known = known_findings(report)
    if known:
        lines = tuple(_line(one, better_words(report, one)) for one in known)
        found.append(Apart(heading="Known from the baseline", note="It is still there, and does not fail this run.", lines=lines))
    comparison = report.comparison
    if comparison is None:
        return tuple(found)
    if comparison.gone:
        lines = tuple(map(_earlier, comparison.gone))
        found.append(Apart(heading="Gone since the baseline", note="It was looked for and is not there any more.", lines=lines))
    reasons: dict[str, list[Earlier]] = {}
    for item in comparison.not_seen:
        reasons.setdefault(item.why, []).append(item.finding)
    for why, missing in reasons.items():
        found.append(
            Apart(
                heading="In the baseline, but not seen this time",
                note=f"{said(why)[:1].upper()}{said(why)[1:]}.",
                lines=tuple(map(_earlier, missing)),
            )
        )
    return tuple(found)


def _line(finding: Finding, words: str) -> Line:
    return Line(
        severity=finding.severity.value, code=cut(finding.code), subject=cut(subject_words(finding.subject)), words=cut(words)
    )


def _earlier(one: Earlier) -> Line:
    return Line(severity=one.severity.value, code=cut(one.code), subject=cut(f"{one.kind} {one.id}"), words=cut(one.summary))


def news(report: Report) -> tuple[Group, ...]:
    """What is told in full, as groups."""
    return group([finding for finding in report.findings if is_news(report, finding)])
