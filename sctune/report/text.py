"""The report for people: worst first, what to do, what was not seen, and a last line that says where to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Risk, Severity
from sctune.host.base import Source
from sctune.report.apart import apart, change_words, compared_with
from sctune.report.coverage import Coverage, coverage
from sctune.report.exit import fails, is_news
from sctune.report.format import FailOn
from sctune.report.groups import Group, group
from sctune.report.layout import Page, Style, atom
from sctune.report.sanitize import clean_report
from sctune.report.verdict import SOURCES, cause_elsewhere, count_subjects, listed, moment, next_step, verdict
from sctune.report.words import (
    count_words,
    evidence_words,
    list_words,
    reason_words,
    subject_words,
    time_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.findings import Code, Evidence, Finding
    from sctune.model.report import Report

_SHOWN = 5
"""Subjects of one code that are told one by one; the others are named only."""
_NAMED = 20
"""Subjects named on the line after them."""

_TELLING = 4
"""A fact's value of fewer characters stands in a summary by chance."""
_ATOM = 40
"""A value of more characters may be broken at its spaces."""
_MAX_COMMANDS = 6
"""Lines of commands of one remedy; where all subjects' would be more, one subject's are an example."""

_REMEDIES = 4
"""Different remedies of one code that are told."""
_GAPS = 10
"""Different reasons for which something could not be examined that are told."""

_SGR = {Severity.CRITICAL: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;36"}


def render(report: Report, *, style: Style, codes: Mapping[str, Code]) -> str:
    """The whole report. `codes` are the catalogue entries, by code; what is not in it is told without its explanation."""
    clean = clean_report(report)
    groups = group([finding for finding in clean.findings if is_news(clean, finding)])
    seen = coverage(clean)
    page = Page(style=style)
    _head(page, clean)
    for one in groups:
        page.blank()
        _group(page, one, clean, codes.get(one.code))
    apart(page, clean)
    page.blank()
    _could_not(page, clean, seen)
    page.blank()
    _examined(page, seen)
    page.blank()
    page.add(verdict(clean, groups, seen), lead="Verdict: ", hang=9, sgr="1")
    page.add(next_step(clean, groups, seen), lead="Next: ", hang=6, sgr="1")
    return page.text()


def render_quiet(report: Report, fail_on: FailOn, *, style: Style, codes: Mapping[str, Code]) -> str:
    """What a person has to do something about: the findings that fail the run (with `never`, those above info), what could not be
    examined, the verdict. Nothing where there is none of it, which is where the exit code is 0."""
    clean = clean_report(report)
    least = FailOn.WARNING if fail_on is FailOn.NEVER else fail_on
    told = [finding for finding in clean.findings if fails(clean, finding, least)]
    seen = coverage(clean)
    if not told and not seen.incomplete:
        return ""
    groups = group(told)
    page = Page(style=style)
    for one in groups:
        page.blank()
        _group(page, one, clean, codes.get(one.code))
    page.blank()
    _could_not(page, clean, seen)
    page.blank()
    page.add(verdict(clean, groups, seen), lead="Verdict: ", hang=9, sgr="1")
    return page.text()


def _head(page: Page, report: Report) -> None:
    roles = ", ".join(role.value.replace("-", " ") for role in report.roles if role.value != "generic")
    backends = ", ".join(name for name in report.backends if name != "generic")
    host = f"{atom(report.identity.name)}, Linux {report.identity.kernel}"
    page.add("".join([host, f", {roles}" if roles else "", f" ({backends})" if backends else ""]), lead="Host: ", hang=6, sgr="1")
    when = moment(report.started)
    rights = "" if report.identity.privileged or report.source is Source.ROOT else ", as an ordinary user"
    took = f", took {time_words(report.seconds)}" if report.source in (Source.LIVE, Source.SSH) else ""
    page.add(f"{SOURCES[report.source]}{rights}{f', {when}' if when else ''}{took}, sctune {report.version}", indent=6, hang=6)
    if report.comparison is not None:
        compared_with(page, report.comparison, report.identity.name)


def _group(page: Page, group: Group, report: Report, code: Code | None) -> None:
    number = len(group.findings)
    how_many = atom(f" ({count_subjects(group.findings)})") if number > 1 else ""
    title = f"  {code.title}" if code else ""
    severity = group.severity
    page.add(f"{group.code}{how_many}{title}", lead=f"{severity.value.upper():<8}  ", hang=10, sgr=_SGR[severity])
    if code is not None and severity is not Severity.INFO:
        page.add(code.why, indent=2, hang=2)
    common = group.common_evidence() if number > 1 else ()
    shown = group.findings if number <= _SHOWN + 1 else group.findings[:_SHOWN]
    for finding in shown:
        _finding(page, finding, group, report)
    if len(shown) < number:
        rest = [atom(finding.subject.id) for finding in group.findings[len(shown) :]]
        named = tuple(rest[:_NAMED])
        more = f" and {len(rest) - len(named)} more (--format json names all)" if len(rest) > len(named) else ""
        page.add(f"- {len(rest)} more: {', '.join(named)}{more}", indent=2, hang=4)
    if common:
        page.add(_facts(common), indent=2, hang=4, lead="All of them: ")
    _remedy(page, group)
    if group.effects:
        _effects(page, group)


def _finding(page: Page, finding: Finding, group: Group, report: Report) -> None:
    mixed = len({one.severity for one in group.findings}) > 1
    change = change_words(report, finding)
    mark = (f"{change}, " if change else "") + (f"{finding.severity.value}, " if mixed else "")
    page.add(finding.summary, indent=2, hang=4, lead=f"- {mark}{atom(subject_words(finding.subject))}: ", sgr="1")
    facts = group.own_evidence(finding) if len(group.findings) > 1 else finding.evidence
    told = _facts(facts, said=finding.summary)
    if told:
        page.add(told, indent=4, hang=6)
    cause = finding.caused_by
    why = cause_elsewhere(finding, report)
    if cause is not None and why:
        page.add(f"Follows from {cause.code} ({atom(subject_words(cause.subject))}), which {why}.", indent=4, hang=6)


def _facts(facts: Evidence, *, said: str = "") -> str:
    """ "used: 250; limit: 256 (from /sys/block)", without what was `said` already."""
    words = [evidence_words(key, value) for key, value in facts if key != "source" and value != ""]
    new = [(name, value) for name, value in words if len(value) < _TELLING or value not in said]
    told = "; ".join(f"{name}: {_short_atom(value)}" for name, value in new)
    source = next((_short_atom(str(value)) for key, value in facts if key == "source"), "")
    return f"{told} (from {source})" if told and source else told or (f"from {source}" if source else "")


def _short_atom(text: str) -> str:
    """A short value stays on one line; what is a list or a sentence may be broken."""
    return atom(text) if len(text) <= _ATOM else text


def _remedy(page: Page, group: Group) -> None:
    """Each remedy once, with whom it is for where there are several; the commands of all, or of one where they are many."""
    by_remedy: dict[tuple[str, Risk], list[Finding]] = {}
    for finding in group.findings:
        by_remedy.setdefault((finding.remedy.text, finding.remedy.risk), []).append(finding)
    for (text, risk), found in list(by_remedy.items())[:_REMEDIES]:
        disturbs = " (disturbs service)" if risk is Risk.DISRUPTIVE else ""
        whom = f" for {list_words(tuple(atom(one.subject.id) for one in found))}" if len(by_remedy) > 1 else ""
        page.add(text, indent=2, hang=4, lead=f"Remedy{disturbs}{whom}: ", sgr="1")
        commands = list(dict.fromkeys(one.remedy.commands for one in found if one.remedy.commands))
        if sum(map(len, commands)) > _MAX_COMMANDS and len(commands) > 1:
            first = next(one for one in found if one.remedy.commands)
            page.add(f"For {atom(first.subject.id)}, and the others alike (--format json has them all):", indent=4, hang=4)
            commands = commands[:1]
        for lines in commands:
            for line in lines:
                page.command(line, indent=6)
    if len(by_remedy) > _REMEDIES:
        page.add(f"{count_words(len(by_remedy) - _REMEDIES, 'more remedy', 'more remedies')}: --format json has them all", indent=4)


def _effects(page: Page, group: Group) -> None:
    page.add("This explains, and mending it first may mend:", indent=2, hang=4)
    by_code: dict[str, list[Finding]] = {}
    for finding in group.effects:
        by_code.setdefault(finding.code, []).append(finding)
    for code, found in by_code.items():
        if len(found) == 1:
            page.add(
                f"{atom(subject_words(found[0].subject))}: {found[0].summary}",
                indent=4,
                hang=6,
                lead=f"{found[0].severity.value} {code}  ",
            )
        else:
            names = list_words(tuple(atom(finding.subject.id) for finding in found), _NAMED)
            page.add(f"{count_subjects(found)}: {names}", indent=4, hang=6, lead=f"{found[0].severity.value} {code}  ")


def _could_not(page: Page, report: Report, seen: Coverage) -> None:
    if report.abandoned:
        pids = ", ".join(map(str, report.abandoned))
        what = "process" if len(report.abandoned) == 1 else "processes"
        page.add(
            f"{what} {pids}: started to look at something that hangs in the kernel, and cannot be killed before that answers.",
            lead="Left behind: ",
            hang=4,
            sgr="1",
        )
    if seen.needs_root is not None:
        page.add(
            f"{listed(seen.needs_root)}. Incomplete for want of it: {', '.join(seen.needs_root.checks)}.",
            lead="Only root may read: ",
            hang=4,
            sgr="1",
        )
    if seen.gaps:
        page.add("", lead="Could not be examined:", sgr="1")
        for gap in seen.gaps[:_GAPS]:
            why = f" - {reason_words(gap.reason)}" if gap.reason is not None else ""
            detail = f" ({gap.detail})" if gap.detail else ""
            page.add(f"{listed(gap)}{why}{detail}. Incomplete for it: {', '.join(gap.checks)}.", indent=2, hang=4, lead="- ")
        if len(seen.gaps) > _GAPS:
            page.add(f"- {count_words(len(seen.gaps) - _GAPS, 'more reason')} (--format json has them all)", indent=2, hang=4)


def _examined(page: Page, seen: Coverage) -> None:
    if seen.clean:
        names = ", ".join(atom(f"{check.check} ({check.examined})") for check in seen.clean)
        page.add(names, lead="No fault found in: ", hang=4)
    if seen.empty:
        page.add(", ".join(check.check for check in seen.empty), lead="Nothing to examine (0 found) for: ", hang=4)
    if seen.absent:
        page.add("", lead="Does not apply here:")
        for why, checks in seen.absent:
            page.add(f"{', '.join(checks)}: {why}", indent=2, hang=4, lead="- ")
