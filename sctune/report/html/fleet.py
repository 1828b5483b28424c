"""Several hosts on one page: a table with the worst first, who could not be reached, and what could not be examined. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.fleet import Verdict
from sctune.records import dataclass
from sctune.report.coverage import coverage
from sctune.report.fleet import row_of, summary, why, worst_first
from sctune.report.html.model import Entry, GapTold
from sctune.report.html.page import gaps_told
from sctune.report.html.words import said
from sctune.report.sanitize import clean_report
from sctune.report.verdict import moment
from sctune.report.words import count_words, reason_words
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.model.fleet import Fleet, HostLook

_LEVELS = {
    Verdict.CRITICAL: ("critical", "Critical faults"),
    Verdict.WARNING: ("warning", "Warnings"),
    Verdict.UNREACHABLE: ("unknown", "Not every host could be looked at"),
    Verdict.INCOMPLETE: ("unknown", "Not everything could be seen"),
    Verdict.OK: ("fine", "No fault found"),
}
_TAGS = {Verdict.CRITICAL: "critical", Verdict.WARNING: "warning", Verdict.OK: "ok"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host: as it was named, what it calls itself where that is another name, its page ("" where there is none), its verdict
    and how that looks, how many findings of each severity and incomplete checks ("?" where nobody looked), and what to see to
    first."""

    address: str
    name: str
    link: str
    verdict: str
    tag: str
    critical: str
    warning: str
    info: str
    unknown: str
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """A host that could not be looked at."""

    address: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """What could not be examined of a host."""

    address: str
    link: str
    gaps: tuple[GapTold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTold:
    """Everything that the page shows."""

    title: str
    when: str
    version: str
    level: str
    level_words: str
    verdict: str
    next: str
    next_link: str
    hosts: tuple[HostRow, ...]
    unreached: tuple[Unreached, ...]
    unseen: tuple[Unseen, ...]
    contents: tuple[Entry, ...]


def fleet_page(fleet: Fleet, links: Mapping[str, str]) -> FleetTold:
    """The page. `links` are the hosts' own pages, by the name that was asked for."""
    looks = worst_first(fleet)
    rows = tuple(_row(look, links) for look in looks)
    worst = row_of(looks[0]).verdict
    level, words = _LEVELS[worst]
    unreached = tuple(_unreached(look.address, look.outcome) for look in looks if isinstance(look.outcome, Unavailable))
    unseen = tuple(_unseen(looks, links))
    following = {
        Verdict.OK: "Nothing to do.",
        Verdict.UNREACHABLE: "Find out why this host cannot be looked at:",
    }
    return FleetTold(
        title=count_words(len(looks), "host"),
        when=moment(fleet.started),
        version=fleet.version,
        level=level,
        level_words=words,
        verdict=summary(fleet),
        next=following.get(worst, "Start with"),
        next_link="" if worst is Verdict.OK else rows[0].address,
        hosts=rows,
        unreached=unreached,
        unseen=unseen,
        contents=tuple(_contents(rows, unreached, unseen)),
    )


def _contents(rows: tuple[HostRow, ...], unreached: tuple[Unreached, ...], unseen: tuple[Unseen, ...]) -> Iterator[Entry]:
    yield Entry(anchor="hosts", title="Hosts", count=str(len(rows)))
    if unreached:
        yield Entry(anchor="unreached", title="Not looked at", count=str(len(unreached)))
    if unseen:
        yield Entry(anchor="unseen", title="Not examined", count=str(len(unseen)))


def _row(look: HostLook, links: Mapping[str, str]) -> HostRow:
    row = row_of(look)
    name = "" if isinstance(look.outcome, Unavailable) else said(look.outcome.identity.name)
    critical, warning, info, unknown = (
        "?" if number is None else str(number) for number in (row.critical, row.warning, row.info, row.unknown)
    )
    return HostRow(
        address=said(look.address),
        name="" if name == said(look.address) else name,
        link=links.get(look.address, ""),
        verdict=row.verdict.value,
        tag=_TAGS.get(row.verdict, "unknown"),
        critical=critical,
        warning=warning,
        info=info,
        unknown=unknown,
        first=said(row.first),
    )


def _unreached(address: str, outcome: Unavailable) -> Unreached:
    return Unreached(address=said(address), reason=reason_words(outcome.reason), detail=said(why(outcome)))


def _unseen(looks: tuple[HostLook, ...], links: Mapping[str, str]) -> Iterator[Unseen]:
    for look in looks:
        if isinstance(look.outcome, Unavailable):
            continue
        gaps = tuple(gaps_told(coverage(clean_report(look.outcome))))
        if gaps:
            yield Unseen(address=said(look.address), link=links.get(look.address, ""), gaps=gaps)
