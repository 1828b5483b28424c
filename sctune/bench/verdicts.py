"""What the numbers say: which layer answers from a cache instead of from the layer below. Pure.

Nothing that stands on a disk can be faster than it, unless something answers in its place. fio's direct=1 goes round the page cache
of the layer it opens and no further: below a loop device without direct I/O there is another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.figures import dirty_growth, job, middle, speeds, spread
from sctune.bench.model import Job, Layer, Ratio, Verdict, Word
from sctune.model.units import MIB
from sctune.report.words import ratio_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.bench.model import LayerResult, Options

FASTER = 1.25
"""From this many times the speed of the layer below on it is not the layer below that answers, where no run of the one is within
those of the other and both are steady."""
UNSTEADY = 0.25
"""From this spread of the runs on they are called unsteady."""
_DIRTY_SHARE = 0.25
_DIRTY_MOST = 64 * MIB
"""What direct writes leave waiting to be written beyond which a cache took them: a share of what is measured, and no more than
this. The number is the whole host's, so that less could be anybody's."""
_SPARSE = 0.01
_CACHED_SHARE = 0.25
"""Of the file in the page cache after random direct I/O, of which nothing should be."""
_RANDOM = (Job.MIXED, Job.RANDOM_READ)
_AT_RATE = 0.95
_COMPARED = (Job.SYNC_WRITE, Job.MIXED, Job.SEQUENTIAL_WRITE, Job.READ_LATENCY, Job.RANDOM_READ, Job.SEQUENTIAL_READ)
"""Buffered writes are answered by a cache on every layer: that is what they show."""
WORDS = {
    Job.SYNC_WRITE: "synchronous writes",
    Job.MIXED: "random reads and writes",
    Job.SEQUENTIAL_WRITE: "sequential writes",
    Job.BUFFERED_WRITE: "buffered writes",
    Job.READ_LATENCY: "single random reads",
    Job.RANDOM_READ: "random reads",
    Job.SEQUENTIAL_READ: "sequential reads",
}


def judge(layers: Sequence[LayerResult], options: Options) -> tuple[Verdict, ...]:
    """A verdict a layer, each against the nearest one below it that was measured."""
    found: list[Verdict] = []
    below: LayerResult | None = None
    for layer in layers:
        found.append(_judge(layer, below, options))
        if any(one.runs for one in layer.jobs):
            below = layer
    return tuple(found)


def ratios(layer: LayerResult, below: LayerResult) -> tuple[Ratio, ...]:
    """How much of the layer below it gives, in every job that both have done."""
    found = []
    for one in layer.jobs:
        other = job(below, one.job)
        if not one.runs or other is None:
            continue
        ours, theirs = speeds(one), speeds(other)
        if middle(theirs) > 0:
            apart = min(ours) > max(theirs) or max(ours) < min(theirs)
            found.append(Ratio(job=one.job, ratio=middle(ours) / middle(theirs), beyond_noise=apart))
    return tuple(found)


def cached_jobs(layer: LayerResult, below: LayerResult | None, options: Options) -> frozenset[Job]:
    """The jobs of a layer that only a cache explains."""
    found = ratios(layer, below) if below is not None else ()
    return frozenset(one for jobs, _ in _evidence(layer, below, found, options) for one in jobs)


def _judge(layer: LayerResult, below: LayerResult | None, options: Options) -> Verdict:
    if not any(one.runs for one in layer.jobs):
        return Verdict(word=Word.UNMEASURED, reasons=(layer.why or _whys(layer),))
    notes = tuple(_notes(layer))
    found = ratios(layer, below) if below is not None else ()
    under = below.layer if below is not None else None
    if options.rate and (capped := _at_rate(layer, options.rate)):
        return Verdict(word=Word.CAPPED, below=under, reasons=(capped, *notes))
    evidence = tuple(sentence for _, sentence in _evidence(layer, below, found, options))
    if evidence:
        return Verdict(word=Word.CACHE, below=under, ratios=found, reasons=(*evidence, *_cause(layer), *notes))
    if below is None:
        return Verdict(word=Word.BASE, reasons=notes)
    if unsure := tuple(_unsure(below, found)):
        return Verdict(word=Word.UNSTEADY, below=under, ratios=found, reasons=(*unsure, *notes))
    return Verdict(word=Word.CLEAR, below=under, ratios=found, reasons=notes)


def _evidence(
    layer: LayerResult, below: LayerResult | None, found: Sequence[Ratio], options: Options
) -> Iterator[tuple[tuple[Job, ...], str]]:
    """What only a cache explains: in which jobs, and a sentence."""
    if below is not None:
        for one in found:
            if _faster(one) and _steady(layer, one.job) and _steady(below, one.job):
                yield (one.job,), f"{WORDS[one.job]} are {one.ratio:.1f} times as fast as those of the {below.layer.value} below it"
    kept = {one.job: max((run.cached_after or 0 for run in one.runs), default=0) for one in layer.jobs if one.job in _RANDOM}
    cached, enough = max(kept.values(), default=0), options.size * _CACHED_SHARE
    if layer.layer is Layer.LOOP and dict(layer.facts).get("direct_io") is False and cached >= enough:
        jobs = tuple(one for one, size in kept.items() if size >= enough)
        yield jobs, f"direct I/O went through memory: {cached / MIB:.0f} MiB of its file were in the page cache afterwards"
    grown = _left_dirty(layer)
    before = (_left_dirty(below) or 0) if below is not None else 0
    if grown is not None and grown >= min(_DIRTY_MOST, options.size * _DIRTY_SHARE) and grown >= 2 * before and _suspect(layer):
        yield (Job.MIXED,), f"direct writes left {grown / MIB:.0f} MiB in memory that were on no disk"


def _faster(one: Ratio) -> bool:
    return one.job in _COMPARED and one.ratio >= FASTER and one.beyond_noise


def _unsure(below: LayerResult, found: Sequence[Ratio]) -> Iterator[str]:
    """What looks like a cache, and may be chance."""
    for one in found:
        if _faster(one):
            yield (
                f"{WORDS[one.job]} look {one.ratio:.1f} times as fast as those of the {below.layer.value} below it, and the "
                "runs are too few or too far apart to say so: --runtime and --runs make them steadier"
            )


def _steady(one: LayerResult, wanted: Job) -> bool:
    """Whether its runs tell how fast it is: several, and close together. On a busy machine the one that was measured later may look
    three times as fast."""
    found = job(one, wanted)
    return found is not None and len(found.runs) > 1 and spread(speeds(found)) < UNSTEADY


def _suspect(layer: LayerResult) -> bool:
    """Whether something that is known of it can take a direct write into memory: the count of dirty pages is the whole host's, and
    alone it proves nothing."""
    return (layer.layer is Layer.LOOP and dict(layer.facts).get("direct_io") is False) or layer.layer is Layer.TARGET


def _left_dirty(layer: LayerResult) -> int | None:
    """After the one job whose direct writes nobody flushes."""
    mixed = job(layer, Job.MIXED)
    return None if mixed is None else dirty_growth(mixed)


def _cause(layer: LayerResult) -> Iterator[str]:
    """Which cache it is, where that is known."""
    facts = dict(layer.facts)
    if layer.layer is Layer.LOOP and facts.get("direct_io") is False:
        yield "the loop device has direct I/O off: the page cache of its file answers; losetup --direct-io=on goes round it"
    elif layer.layer is Layer.TARGET and facts.get("backing_type") in ("rdwr", "mmap"):
        yield f"tgtd's {facts['backing_type']} opens what it serves through the page cache"


def _notes(layer: LayerResult) -> Iterator[str]:
    """What makes its numbers less than certain."""
    for one in layer.jobs:
        if one.runs and (apart := spread(speeds(one))) >= UNSTEADY:
            yield f"unsteady: runs of {WORDS[one.job]} lie {apart:.0%} apart"
    missing = [one for one in layer.jobs if not one.runs]
    for why in dict.fromkeys(one.why for one in missing):
        yield f"not measured: {', '.join(WORDS[one.job] for one in missing if one.why == why)}: {why}"
    sparse = dict(layer.facts).get("never_written_ratio")
    if isinstance(sparse, float) and sparse >= _SPARSE:
        yield f"{ratio_words(sparse)} of it was never written, and reading that asks no disk"


def _at_rate(layer: LayerResult, rate: int) -> str:
    """A sentence where it gave as much as it was asked for at most."""
    done = [one for one in layer.jobs if one.runs]
    capped = [one for one in done if middle(run.measured.bytes_per_second for run in one.runs) >= _AT_RATE * rate]
    if not capped:
        return ""
    return f"{', '.join(WORDS[one.job] for one in capped)}: at the bound of {rate / MIB:.0f} MiB/s, so the speed is not its own"


def _whys(layer: LayerResult) -> str:
    return "; ".join(dict.fromkeys(one.why for one in layer.jobs if one.why)) or "nothing of it was measured"
