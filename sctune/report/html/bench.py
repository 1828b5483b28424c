"""A benchmark as charts: for each job a bar a layer, and a table with the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.figures import STREAMS, dirty_growth, job, middle, percentile, speeds, spread
from sctune.bench.model import Job, Layer, Word
from sctune.bench.verdicts import UNSTEADY, cached_jobs
from sctune.model.units import MIB
from sctune.report.bench_text import latency_words
from sctune.report.html.bench_model import BenchTold, Chart, FigureRow, LayerRow, SpeedBar, Whisker
from sctune.report.html.model import Fact
from sctune.report.html.words import said
from sctune.report.verdict import moment
from sctune.report.words import count_words, evidence_words, ratio_words, size_words, time_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.bench.model import JobResult, LayerResult, Report, Verdict
    from sctune.report.bench_file import Recorded

_LAYERS = {
    Layer.FILE: "File",
    Layer.LOOP: "Loop device",
    Layer.LV: "LV",
    Layer.TARGET: "Target",
    Layer.DISK: "Disk of the session",
}
_JOBS = {
    Job.SYNC_WRITE: ("Synchronous writes", "4 KiB random writes, one at a time, fdatasync after each"),
    Job.MIXED: ("Random reads and writes", "4 KiB random, 70 % reads, 32 at once, direct"),
    Job.SEQUENTIAL_WRITE: ("Sequential writes", "1 MiB, 8 at once, direct, a flush in the end"),
    Job.BUFFERED_WRITE: ("Buffered writes", "1 MiB through the page cache, once over all of it, a flush in the end"),
    Job.RANDOM_READ: ("Random reads", "4 KiB, 32 at once, direct"),
    Job.READ_LATENCY: ("Single random reads", "4 KiB, one at a time, direct"),
    Job.SEQUENTIAL_READ: ("Sequential reads", "1 MiB, 8 at once, direct"),
}
_MEANS = {
    Word.BASE: ("the lowest layer measured", "", "The others are compared with it."),
    Word.CLEAR: ("from the layer below", "good", "What it gives comes from the layer below."),
    Word.CACHE: ("a cache answers", "warn", "A cache answers in place of what lies below."),
    Word.UNSTEADY: ("unsteady", "doubt", "It looks faster than the layer below, and its runs do not prove it."),
    Word.CAPPED: ("bounded", "doubt", "It gave all that it was asked for: how much more it could is not known."),
    Word.UNMEASURED: ("not measured", "doubt", ""),
}
_AGAINST = (Word.CLEAR, Word.CACHE, Word.UNSTEADY)
_COLUMNS = ("MiB/s", "IOPS", "Spread", "p99", "fsync p99", "× below", "Dirty after", "Runs")
_UNKNOWN = "-"


def bench(found: Recorded, *, host: str) -> BenchTold:
    """The section. `host` is the one that the report is about: the benchmark may be of another."""
    report = found.report
    other = found.host != host
    return BenchTold(
        words=_words(report),
        warning=f"It was measured on {said(found.host)}, and this report is about {said(host)}." if other else "",
        facts=tuple(_facts(found)),
        layers=tuple(_layer(layer, verdict) for layer, verdict in report.layers),
        charts=tuple(
            _chart(one, report) for one in Job if any(one is done.job for layer, _ in report.layers for done in layer.jobs)
        ),
        notes=tuple(map(_sentence, report.notes)),
    )


def _sentence(text: str) -> str:
    words = said(text)
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"


def _words(report: Report) -> str:
    """What came of it."""
    by_word = {word: [_LAYERS[layer.layer] for layer, verdict in report.layers if verdict.word is word] for word in Word}
    measured = sum(verdict.word is not Word.UNMEASURED for _, verdict in report.layers)
    told = []
    if names := by_word[Word.CACHE]:
        told.append(f"{' and '.join(names)}: a cache answers instead of what lies below, so these speeds are not the disk's.")
    if names := by_word[Word.UNSTEADY]:
        told.append(f"{' and '.join(names)}: faster than what lies below, by runs that do not prove it.")
    if names := by_word[Word.CAPPED]:
        told.append(f"{' and '.join(names)}: measured up to the bound that was asked for only.")
    if not measured:
        return "Nothing could be measured."
    if measured == 1 and not told:
        told.append("One layer alone was measured: there is nothing to compare it with.")
    return " ".join(told) or "No layer that was measured is faster than what lies below it."


def _facts(found: Recorded) -> Iterator[Fact]:
    report, options = found.report, found.report.options
    what = f"a scratch volume in {said(report.subject)}" if report.scratch else f"{said(report.subject)}, read only"
    yield Fact(name="Measured", value=what)
    yield Fact(name="When", value=moment(report.started) or "not known")
    yield Fact(name="Took", value=time_words(report.seconds))
    yield Fact(name="Size", value=size_words(options.size))
    ramp = f", each after {time_words(options.ramp)} of ramp" if options.ramp else ""
    yield Fact(name="Runs", value=f"{count_words(options.runs, 'run')} of {time_words(options.runtime)} a job{ramp}")
    if options.rate:
        yield Fact(name="Bound", value=f"{size_words(options.rate)}/s")
    yield Fact(name="Host", value=said(found.host))
    yield Fact(name="Kernel", value=f"Linux {said(found.kernel)}")
    yield Fact(name="By", value=f"fio {said(report.fio)}, sctune {said(found.version)}")


def _layer(layer: LayerResult, verdict: Verdict) -> LayerRow:
    words, tag, means = _MEANS[verdict.word]
    if verdict.below is not None and verdict.word in _AGAINST:
        means = f"{means} Compared with: {_LAYERS[verdict.below]}."
    facts = (evidence_words(key, value) for key, value in layer.facts)
    tool = (Fact(name="measured by", value=layer.tool.value),) if any(one.runs for one in layer.jobs) else ()
    return LayerRow(
        layer=_LAYERS[layer.layer],
        address=said(layer.address),
        facts=(*(Fact(name=said(name), value=said(value)) for name, value in facts), *tool),
        verdict=words,
        tag=tag,
        means=means,
        reasons=tuple(map(_sentence, filter(None, verdict.reasons))),
    )


def _chart(wanted: Job, report: Report) -> Chart:
    title, what = _JOBS[wanted]
    stream = wanted in STREAMS
    top = max((speed for layer, _ in report.layers if (one := job(layer, wanted)) for speed in speeds(one)), default=0.0)
    bars: list[SpeedBar] = []
    rows: list[FigureRow] = []
    below: LayerResult | None = None
    for layer, verdict in report.layers:
        done = job(layer, wanted)
        name = _LAYERS[layer.layer]
        if done is None:
            why = _why(layer, verdict, wanted)
            words = f"not measured: {why}"
            bars.append(SpeedBar(layer=name, value=words, text="", kind="none", mark="", width=None, whisker=None))
            rows.append(FigureRow(layer=name, cells=(), why=words))
        else:
            cached = verdict.word is Word.CACHE and wanted in cached_jobs(layer, below, report.options)
            bars.append(_bar(name, done, top, cached=cached))
            rows.append(FigureRow(layer=name, cells=tuple(_cells(done, verdict)), why=""))
        if any(one.runs for one in layer.jobs):
            below = layer
    note = ""
    if wanted is Job.BUFFERED_WRITE:
        note = "These are answered by a cache on every layer, as they are meant to be: no verdict is made of them."
    return Chart(
        anchor=f"bench-{wanted.value}",
        title=title,
        what=what,
        scale=f"The whole width is {_speed(top, stream=stream)}." if top else "",
        note=note,
        columns=_COLUMNS,
        bars=tuple(bars),
        rows=tuple(rows),
    )


def _why(layer: LayerResult, verdict: Verdict, wanted: Job) -> str:
    """Why a layer has no figures of a job."""
    told = next((one.why for one in layer.jobs if one.job is wanted), "")
    if not told and verdict.word is Word.UNMEASURED:
        told = "; ".join(filter(None, verdict.reasons))
    return said(told) or "no reason is known"


def _bar(name: str, done: JobResult, top: float, *, cached: bool) -> SpeedBar:
    each = speeds(done)
    stream = done.job in STREAMS
    value = _speed(middle(each), stream=stream)
    marks = (("a cache answers", cached), ("unsteady", spread(each) >= UNSTEADY))
    mark = ", ".join(word for word, holds in marks if holds)
    ends = ""
    if len(each) > 1:
        ends = f", runs from {_speed(min(each), stream=stream)} to {_speed(max(each), stream=stream)}"
    flush = percentile(done, lambda one: one.p99, sync=True)
    p99 = percentile(done, lambda one: one.p99)
    late = f", fsync p99 {latency_words(flush)}" if flush is not None else f", p99 {latency_words(p99)}" if p99 is not None else ""
    return SpeedBar(
        layer=name,
        value=f"{value}{late}",
        text=f"{name}: {value}{ends}{late}{f'; {mark}' if mark else ''}",
        kind="cache" if cached else "used",
        mark=mark,
        width=_percent(middle(each), top),
        whisker=Whisker(low=_percent(min(each), top), high=_percent(max(each), top)) if len(each) > 1 else None,
    )


def _cells(done: JobResult, verdict: Verdict) -> Iterator[str]:
    """As _COLUMNS has them."""
    each = [run.measured for run in done.runs]
    p99 = percentile(done, lambda one: one.p99)
    flush = percentile(done, lambda one: one.p99, sync=True)
    ratio = next((one for one in verdict.ratios if one.job is done.job), None)
    grown = dirty_growth(done)
    yield _figure(middle(one.bytes_per_second for one in each) / MIB)
    yield _figure(middle(one.operations_per_second for one in each))
    yield ratio_words(spread(speeds(done))) if len(each) > 1 else _UNKNOWN
    yield latency_words(p99) if p99 is not None else _UNKNOWN
    yield latency_words(flush) if flush is not None else _UNKNOWN
    yield f"{ratio.ratio:.2f}{'' if ratio.beyond_noise else ' (within the spread)'}" if ratio is not None else _UNKNOWN
    yield size_words(max(0, grown)) if grown is not None else _UNKNOWN
    yield str(len(each))


def _speed(value: float, *, stream: bool) -> str:
    return f"{_figure(value / MIB)} MiB/s" if stream else f"{_figure(value)} IOPS"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}"


def _percent(part: float, of: float) -> float:
    return round(100 * part / of, 2) if of > 0 else 0.0
