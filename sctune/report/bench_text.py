"""A benchmark for people: a row a layer, and under it what is to be thought of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.figures import dirty_growth, job, middle, percentile, speeds
from sctune.bench.model import Job, Layer, Word
from sctune.model.units import MIB
from sctune.report.json import rfc3339
from sctune.report.layout import Page
from sctune.report.sanitize import clean
from sctune.report.table import Column, table
from sctune.report.words import count_words, size_words, time_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.bench.model import LayerResult, Report, Verdict
    from sctune.host.base import HostIdentity
    from sctune.report.layout import Style

_COLUMNS = (
    Column(title="LAYER"),
    Column(title="FACTS", cut=True),
    Column(title="MIB/S", right=True),
    Column(title="IOPS", right=True),
    Column(title="READ IOPS", right=True),
    Column(title="P99", right=True),
    Column(title="FSYNC P99", right=True),
    Column(title="DIRTY AFTER", right=True),
    Column(title="X BELOW", right=True),
    Column(title="VERDICT"),
)
_STREAMS = (Job.SEQUENTIAL_WRITE, Job.SEQUENTIAL_READ)
_RANDOM = (Job.MIXED, Job.RANDOM_READ)
_SGR = {Word.CACHE: "1;33", Word.UNSTEADY: "1;35", Word.UNMEASURED: "1;35"}


def render(report: Report, *, identity: HostIdentity, style: Style, width: int | None) -> str:
    """All of it. `width` is a terminal's, None where nothing need be cut."""
    page = Page(style=style)
    options = report.options
    size = size_words(options.size)
    what = f"A scratch volume of {size} in {clean(report.subject)}" if report.scratch else f"Volume {clean(report.subject)}, read"
    runs = f"{count_words(options.runs, 'run')} of {time_words(options.runtime)} a job"
    page.add(f"{what}: {runs}, fio {clean(report.fio)}, kernel {clean(identity.kernel)}, {rfc3339(report.started)}.")
    page.blank()
    lines = list(table(_COLUMNS, [_cells(layer, verdict) for layer, verdict in report.layers], width))
    page.lines += lines[:1]
    for line, (_, verdict) in zip(lines[1:], report.layers, strict=True):
        page.lines.append(style.paint(line, _SGR.get(verdict.word, "")))
    page.blank()
    for layer, verdict in report.layers:
        for reason in verdict.reasons:
            page.add(f"{layer.layer.value}: {clean(reason)}.", hang=2)
    for note in report.notes:
        page.add(f"Note: {clean(note)}.", hang=2)
    page.blank()
    page.add(_legend(report))
    return page.text()


def _cells(layer: LayerResult, verdict: Verdict) -> tuple[str, ...]:
    mixed, reads = job(layer, Job.MIXED), job(layer, Job.RANDOM_READ)
    stream = next((found for one in _STREAMS if (found := job(layer, one)) is not None), None)
    sync = job(layer, Job.SYNC_WRITE)
    random = mixed or reads
    p99 = None if random is None else percentile(random, lambda one: one.p99)
    flush = None if sync is None else percentile(sync, lambda one: one.p99, sync=True)
    grown = None if mixed is None else dirty_growth(mixed)
    return (
        layer.layer.value,
        clean(_facts(layer)),
        "-" if stream is None else f"{middle(speeds(stream)) / MIB:.0f}",
        "-" if mixed is None else f"{middle(speeds(mixed)):.0f}",
        "-" if reads is None else f"{middle(speeds(reads)):.0f}",
        "-" if p99 is None else latency_words(p99),
        "-" if flush is None else latency_words(flush),
        "-" if grown is None else f"{max(0, grown) / MIB:.0f} MiB",
        _ratio(verdict),
        verdict.word.value,
    )


def _facts(layer: LayerResult) -> str:
    """Short: the kernel's own words, in the order of their weight."""
    facts = dict(layer.facts)
    words: list[str] = []
    if "direct_io" in facts:
        words.append(f"dio={int(bool(facts['direct_io']))}")
    if "filesystem" in facts:
        words.append(str(facts["filesystem"]) + (f" on {facts['disk']}" if "disk" in facts else ""))
    words += [str(facts[key]) for key in ("mount_option", "backing_type", "write_cache", "scheduler") if key in facts]
    return ", ".join(words) or "-"


def _ratio(verdict: Verdict) -> str:
    """Of random I/O: of both directions where both layers could be written to."""
    for wanted in _RANDOM:
        for one in verdict.ratios:
            if one.job is wanted:
                return f"{one.ratio:.2f}"
    return "-"


def latency_words(seconds: float) -> str:
    """How long one operation took: "340 us", "16.7 ms"."""
    return f"{seconds * 1e6:.0f} us" if seconds < 0.001 else f"{seconds * 1e3:.1f} ms"


def _legend(report: Report) -> str:
    return " ".join(_legends(report))


def _legends(report: Report) -> Iterator[str]:
    done = {one.job for layer, _ in report.layers for one in layer.jobs if one.runs}
    if done & set(_STREAMS):
        yield "MIB/S: 1 MiB sequential, 8 at once" + (", flush included." if Job.SEQUENTIAL_WRITE in done else ".")
    if Job.MIXED in done:
        yield "IOPS and P99: 4 KiB random, 70 % reads, 32 at once. FSYNC P99: fdatasync after each 4 KiB write."
        yield "DIRTY AFTER: what those direct writes left in the host's memory."
    if Job.RANDOM_READ in done:
        yield "READ IOPS: 4 KiB random, 32 at once."
    if any(layer.layer is not Layer.FILE for layer, _ in report.layers):
        yield "X BELOW: random I/O against the layer below. Medians of the runs; --format json has each."
