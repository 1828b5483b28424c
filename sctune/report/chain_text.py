"""A chain for people: a tree from the backing file up, what was read of each link and where, what is wrong, and what to type to see
the same. ASCII: a serial console shows it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.chain_tree import by_hand
from sctune.host.redact import redact_text
from sctune.model.io import IoCounters
from sctune.model.tree import Layer, Mark
from sctune.model.volume import VolumeState
from sctune.records import dataclass
from sctune.report.layout import Page, atom, wrap
from sctune.report.sanitize import clean, clean_command
from sctune.report.words import evidence_words, reason_words, size_words, subject_words
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.model.io import IoRates, IoTally, LunIo, LunRates, TallyRates
    from sctune.model.tree import Link
    from sctune.model.tree_io import TreeIo
    from sctune.model.volume import VolumeRow
    from sctune.report.layout import Style

_WORDS = {
    Layer.FILE: "backing file ",
    Layer.LOOP: "loop device ",
    Layer.PV: "PV ",
    Layer.VG: "VG ",
    Layer.LV: "LV ",
    Layer.SNAPSHOT: "snapshot ",
    Layer.COW_STORE: "COW store ",
    Layer.COPY: "copy by ",
    Layer.TARGET: "target ",
    Layer.LUN: "",
    Layer.NEXUS: "initiator ",
    Layer.SESSION: "",
    Layer.DISK: "disk ",
    Layer.MULTIPATH: "multipath map ",
    Layer.GUEST: "guest ",
}
_MARKS = {Mark.MISSING: "MISSING", Mark.BROKEN: "BROKEN", Mark.UNKNOWN: "NOT KNOWN"}
_SGR = {Mark.MISSING: "1;31", Mark.BROKEN: "1;31", Mark.UNKNOWN: "1;35"}
_GOOD = frozenset({VolumeState.READY, VolumeState.ATTACHED, VolumeState.COPYING})


def render(row: VolumeRow, links: Sequence[Link], io: TreeIo, *, style: Style) -> str:
    """One chain."""
    page = Page(style=style)
    size = f", {size_words(row.size)}" if row.size is not None else ""
    page.add(f"{row.state.value}{size}, {row.backend}", lead=f"{clean(subject_words(row.subject))}: ", sgr="1")
    for item in row.unseen:
        page.add(f"could not look at {clean(redact_text(item.what))}: {reason_words(item.reason)}", indent=2)
    page.blank()
    for link in links:
        page.lines.extend(_lines(link, io, style, _Place()))
    commands = by_hand(links)
    if commands:
        page.blank()
        page.add("By hand:")
        for command in commands:
            page.command(clean_command(command), indent=2)
    if row.why and row.state not in _GOOD:
        page.blank()
        page.add("sctune doctor says what to do.", lead="Next: ", sgr="1")
    return page.text()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What stands before a link's name, and before everything under it."""

    first: str = ""
    later: str = ""


def _lines(link: Link, io: TreeIo, style: Style, place: _Place) -> Iterator[str]:
    """The link, its facts, and what stands on it."""
    first, later = place.first, place.later
    below = later + ("|  " if link.above else "   ")
    name = f"{_WORDS[link.layer]}{atom(clean(link.name))}".strip()
    if link.mark is not Mark.FINE:
        word = _MARKS[link.mark]
        note = f": {clean(redact_text(link.note))}" if link.note else ""
        name = f"{name}  {word}{note}"
        for number, line in enumerate(_wrapped(name, style, first, below)):
            yield line.replace(word, style.paint(word, _SGR[link.mark]), 1) if number == 0 else line
    else:
        yield from _wrapped(name, style, first, below)
    for text in _told(link, io):
        yield from _wrapped(text, style, below, below)
    for number, above in enumerate(link.above):
        last = number == len(link.above) - 1
        yield from _lines(above, io, style, _Place(first=f"{later}+- ", later=later + ("   " if last else "|  ")))


def _wrapped(text: str, style: Style, first: str, later: str) -> Iterator[str]:
    width = max(style.width - len(later), 30)
    for number, line in enumerate(wrap(text, width=width)):
        yield ((first if number == 0 else later) + line).rstrip()


def _told(link: Link, io: TreeIo) -> Iterator[str]:
    facts = [evidence_words(key, value) for key, value in link.facts if value not in (None, (), "")]
    if facts:
        yield clean(redact_text("; ".join(f"{key} {value}" for key, value in facts)))
    if link.device and link.device in io.devices:
        yield from _of_device(io.devices[link.device], io.seconds)
    if link.lun is not None and link.lun in io.luns:
        yield from _of_lun(io.luns[link.lun], io.seconds)
    for finding in link.findings:
        yield f"{finding.code} ({finding.severity.value}): {clean(redact_text(finding.summary))}"
    if link.source:
        yield f"[{clean(link.source)}]"


def _of_device(counted: IoCounters | IoRates | Unavailable | None, seconds: float | None) -> Iterator[str]:
    if counted is None:
        yield "I/O: not told, it was made anew meanwhile"
    elif isinstance(counted, Unavailable):
        yield f"I/O: {reason_words(counted.reason)}"
    elif isinstance(counted, IoCounters):
        words = [_tally(counted.reads, "reads"), _tally(counted.writes, "writes")]
        yield f"I/O since it was made: {', '.join(words)}, {counted.in_flight} under way"
    else:
        words = [_rate(counted.reads, "reads"), _rate(counted.writes, "writes")]
        told = f"busy {counted.busy_ratio:.0%}, {counted.in_flight} under way"
        yield f"I/O in {_figure(seconds or counted.seconds)} s: {', '.join(words)}, {told}"


def _tally(tally: IoTally, what: str) -> str:
    if not tally.completed:
        return f"no {what}"
    return f"{tally.completed} {what} of {size_words(tally.bytes)} ({_latency(tally.waited / tally.completed)} each)"


def _rate(rate: TallyRates, what: str) -> str:
    if not rate.ios:
        return f"no {what}"
    latency = f" ({_latency(rate.latency)} each)" if rate.latency is not None else ""
    return f"{_figure(rate.ios)} {what}/s of {size_words(rate.bytes)}/s{latency}"


def _of_lun(counted: tuple[LunIo, ...] | LunRates | Unavailable | None, seconds: float | None) -> Iterator[str]:
    """tgtd counts for each session, and what it counted goes with it."""
    if counted is None:
        yield "I/O: not told, a session ended or was made anew meanwhile"
    elif isinstance(counted, Unavailable):
        yield f"I/O: {reason_words(counted.reason)}"
    elif isinstance(counted, tuple):
        if not counted:
            yield "I/O: no session has used it"
            return
        reads, writes = sum(one.reads for one in counted), sum(one.writes for one in counted)
        read, written = sum(one.read_bytes for one in counted), sum(one.write_bytes for one in counted)
        flying = sum(one.in_flight for one in counted)
        yield (
            f"I/O of the sessions there are now: {reads} reads of {size_words(read)}, {writes} writes of {size_words(written)}, "
            f"{flying} under way (tgtd keeps no times)"
        )
    else:
        yield (
            f"I/O in {_figure(seconds or counted.seconds)} s: {_figure(counted.reads)} reads/s of "
            f"{size_words(counted.read_bytes)}/s, {_figure(counted.writes)} writes/s of {size_words(counted.write_bytes)}/s, "
            f"{counted.errors} errors, {counted.in_flight} under way (tgtd keeps no times)"
        )


def _latency(seconds: float) -> str:
    return f"{_figure(seconds * 1000)} ms"


def _figure(value: float) -> str:
    """Three figures, or as many as a whole number has."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
