"""The page, from a report and what of the look is drawn beside it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Severity
from sctune.host.base import Source
from sctune.records import replace
from sctune.report.apart import known_findings, muted_findings
from sctune.report.coverage import coverage
from sctune.report.exit import is_news
from sctune.report.html.chains import anchors, chains
from sctune.report.html.findings import apart, cards, news
from sctune.report.html.model import CheckRow, Entry, Fact, GapTold, PageTold
from sctune.report.html.space import space
from sctune.report.html.tuning import tuning
from sctune.report.html.words import plain, said
from sctune.report.sanitize import clean_report
from sctune.report.verdict import SOURCES, listed, moment, next_step, verdict
from sctune.report.words import reason_words, time_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.findings import Code
    from sctune.model.report import CheckResult, Report
    from sctune.report.bench_file import Recorded
    from sctune.report.coverage import Coverage
    from sctune.report.html.bench_model import BenchTold
    from sctune.report.html.scene import Scene


def page(report: Report, scene: Scene | None, codes: Mapping[str, Code], measured: Recorded | None = None) -> PageTold:
    """Everything that the page shows. `codes` are the catalogue entries, by code; `measured` is a benchmark."""
    one = clean_report(report)
    groups = news(one)
    seen = coverage(one)
    made = cards(one, groups, codes, anchors(scene))
    drawn = chains(scene, made.where) if scene is not None else None
    filled = space(scene) if scene is not None else None
    tuned = tuning(scene.applied) if scene is not None else None
    level, level_words = _level(one, seen)
    others = apart(one)
    gaps = tuple(gaps_told(seen))
    told = PageTold(
        host=said(one.identity.name),
        when=moment(one.started),
        version=one.version,
        level=level,
        level_words=level_words,
        verdict=_sentence(verdict(one, groups, seen)),
        next=_sentence(next_step(one, groups, seen)),
        facts=tuple(_facts(one, scene)),
        bands=made.bands,
        muted=made.muted,
        apart=others,
        gaps=gaps,
        absent=tuple(GapTold(what="", why=said(why), checks=", ".join(names)) for why, names in seen.absent),
        left_behind=", ".join(map(str, one.abandoned)),
        checks=tuple(map(_check, one.checks)),
        chains=drawn,
        space=filled,
        tuning=tuned,
        bench=_bench(measured, one) if measured is not None else None,
        contents=(),
    )
    news_number = sum(is_news(one, finding) for finding in one.findings)
    muted_number = len(muted_findings(one))
    return replace(told, contents=tuple(_contents(told, news_number, muted_number)))


def _bench(measured: Recorded, report: Report) -> BenchTold:
    # Few reports are drawn with a benchmark: its figures and their words are loaded for those alone.
    from sctune.report.html.bench import bench

    return bench(measured, host=report.identity.name)


def _contents(told: PageTold, news: int, muted: int) -> Iterator[Entry]:
    """The sections that there are. The templates show those that this names."""
    yield Entry(anchor="findings", title="Findings", count=str(news))
    if told.apart:
        yield Entry(anchor="apart", title="Since the baseline", count="")
    if told.muted:
        yield Entry(anchor="muted", title="Muted", count=str(muted))
    if told.gaps or told.left_behind:
        yield Entry(anchor="unseen", title="Not examined", count=str(len(told.gaps) or ""))
    if told.chains is not None:
        number = len(told.chains.troubled) + len(told.chains.fine)
        yield Entry(anchor="chains", title="Volumes", count="" if told.chains.withheld else str(number))
    if told.space is not None:
        yield Entry(anchor="space", title="Space", count="")
        if told.space.quotas or told.space.safe:
            yield Entry(anchor="quotas", title="Quotas", count="")
    if told.tuning is not None:
        yield Entry(anchor="tuning", title="Tuning", count=str(len(told.tuning.drifted) or ""))
    if told.bench is not None:
        yield Entry(anchor="bench", title="Benchmark", count="")
    yield Entry(anchor="checks", title="Checks", count=str(len(told.checks)))
    yield Entry(anchor="host", title="Host", count="")


def _level(report: Report, seen: Coverage) -> tuple[str, str]:
    """What the verdict looks like, and its heading. What somebody muted, or a baseline knew, does not make all
    well."""
    severities = {finding.severity for finding in report.findings if is_news(report, finding)}
    if Severity.CRITICAL in severities:
        return "critical", "Critical faults"
    if Severity.WARNING in severities:
        return "warning", "Warnings"
    if seen.incomplete:
        return "unknown", "Not everything could be seen"
    if not seen.examined:
        return "unknown", "Nothing to judge"
    if any(finding.severity is not Severity.INFO for finding in (*known_findings(report), *muted_findings(report))):
        return "fine", "Nothing new"
    return "fine", "No fault found"


def _sentence(text: str) -> str:
    words = plain(text)
    return words[:1].upper() + words[1:]


def _facts(report: Report, scene: Scene | None) -> Iterator[Fact]:
    """The host, the look, and what it was made with."""
    roles = [role.value.replace("-", " ") for role in report.roles if role.value != "generic"]
    backends = [said(name) for name in report.backends if name != "generic"]
    yield Fact(name="Host", value=said(report.identity.name))
    yield Fact(name="Kernel", value=f"Linux {said(report.identity.kernel)}")
    if roles:
        yield Fact(name="Role", value=", ".join(roles))
    if backends:
        yield Fact(name="Volumes by", value=", ".join(backends))
    rights = "" if report.identity.privileged or report.source is Source.ROOT else ", as an ordinary user"
    yield Fact(name="How", value=f"{SOURCES[report.source]}{rights}")
    when = moment(report.started)
    if when:
        yield Fact(name="When", value=when)
    if report.source is Source.LIVE:
        yield Fact(name="Took", value=time_words(report.seconds))
    yield Fact(name="By", value=f"sctune {report.version}")
    if scene is not None:
        yield Fact(name="Configuration", value=", ".join(map(said, scene.files)) or "defaults, there is no file")
    comparison = report.comparison
    if comparison is not None:
        baseline = comparison.baseline
        other = "" if baseline.host == report.identity.name else f", a run on another host, {said(baseline.host)}"
        began = baseline.started.replace("T", " ").replace("Z", " UTC")
        yield Fact(name="Compared with", value=f"{said(baseline.file)} of {began}, sctune {said(baseline.version)}{other}")


def gaps_told(seen: Coverage) -> Iterator[GapTold]:
    """What could not be looked at, each reason once."""
    if seen.needs_root is not None:
        yield GapTold(what=plain(listed(seen.needs_root)), why="only root may read it", checks=", ".join(seen.needs_root.checks))
    for gap in seen.gaps:
        why = reason_words(gap.reason) if gap.reason is not None else "no reason is known"
        detail = f" ({said(gap.detail)})" if gap.detail else ""
        yield GapTold(what=", ".join(map(said, gap.items)), why=f"{why}{detail}", checks=", ".join(gap.checks))


def _check(check: CheckResult) -> CheckRow:
    note = said(check.reason) if check.reason else ""
    if check.unexamined and not note:
        note = "not everything could be seen"
    return CheckRow(name=check.check, title=check.title, status=check.status.value, examined=check.examined, note=note)
