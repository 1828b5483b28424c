"""Which layer is said to answer from a cache, and which is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.bench.figures import middle, spread
from sctune.bench.model import Job, Layer, LayerResult, Word
from sctune.bench.verdicts import judge, ratios
from sctune.records import replace
from tests.unit.bench_results import DIRECT_LOOP, FILE, LOOP, MIB, NO_LV, OPTIONS, TARGET, layer, result


def test_a_loop_without_direct_io_is_named() -> None:
    _, loop = judge((FILE, LOOP), OPTIONS)
    assert (loop.word, loop.below) == (Word.CACHE, Layer.FILE)
    assert "random reads and writes are 1.9 times as fast as those of the file below it" in loop.reasons
    assert "direct writes left 1024 MiB in memory that were on no disk" in loop.reasons
    assert any("direct I/O off" in one and "--direct-io=on" in one for one in loop.reasons)


def test_one_with_direct_io_is_not() -> None:
    base, loop = judge((FILE, DIRECT_LOOP), OPTIONS)
    assert (base.word, base.below, base.reasons) == (Word.BASE, None, ())
    assert (loop.word, loop.reasons) == (Word.CLEAR, ())


def test_dirty_pages_alone_name_it_too() -> None:
    """A disk as fast as memory hides the cache from a comparison of speeds."""
    slow = layer(Layer.LOOP, result(Job.MIXED, 60000, 61000, dirty=512 * MIB), facts=LOOP.facts)
    assert judge((FILE, slow), OPTIONS)[1].word is Word.CACHE
    # The number is the whole host's: it proves nothing about a loop device that goes round the cache.
    other = layer(Layer.LOOP, result(Job.MIXED, 60000, 61000, dirty=512 * MIB), facts=DIRECT_LOOP.facts)
    assert judge((FILE, other), OPTIONS)[1].word is Word.CLEAR


def test_a_file_in_the_page_cache_names_it_on_a_busy_machine() -> None:
    """Seen: others left more dirty than the benchmark did, and the speeds were anybody's."""
    busy = layer(Layer.FILE, result(Job.MIXED, 40000, 90000, dirty=900 * MIB))
    done = result(Job.MIXED, 5000, 11000, dirty=90 * MIB)
    kept = replace(done, runs=tuple(replace(run, cached_after=1000 * MIB) for run in done.runs))
    verdict = judge((busy, layer(Layer.LOOP, kept, facts=LOOP.facts)), OPTIONS)[1]
    assert verdict.word is Word.CACHE
    assert verdict.reasons[0] == "direct I/O went through memory: 1000 MiB of its file were in the page cache afterwards"
    assert judge((busy, layer(Layer.LOOP, kept, facts=DIRECT_LOOP.facts)), OPTIONS)[1].word is Word.CLEAR


def test_noise_is_no_cache() -> None:
    """Half as fast again in the middle, but with runs among those of the layer below."""
    noisy = layer(Layer.LOOP, result(Job.MIXED, 62500, 93000, 95000), facts=DIRECT_LOOP.facts)
    verdict = judge((FILE, noisy), OPTIONS)[1]
    assert verdict.word is Word.CLEAR
    assert verdict.reasons == ("unsteady: runs of random reads and writes lie 35% apart",)


def test_a_disk_that_is_unsteady_proves_nothing() -> None:
    """Seen on a busy machine: the file's own runs lay 89 % apart, and the loop device with direct I/O was measured later."""
    file = layer(Layer.FILE, result(Job.SYNC_WRITE, 555, 1445))
    later = layer(Layer.LOOP, result(Job.SYNC_WRITE, 1700, 3500), facts=DIRECT_LOOP.facts)
    verdict = judge((file, later), OPTIONS)[1]
    assert verdict.word is Word.UNSTEADY
    assert verdict.reasons[0].startswith(
        "synchronous writes look 2.6 times as fast as those of the file below it, and the runs are too"
    )
    steady = layer(Layer.FILE, result(Job.SYNC_WRITE, 990, 1000))
    assert judge((steady, layer(Layer.LOOP, result(Job.SYNC_WRITE, 2600, 2650))), OPTIONS)[1].word is Word.CACHE


def test_a_single_run_proves_nothing() -> None:
    one = judge((layer(Layer.FILE, result(Job.MIXED, 10)), layer(Layer.LOOP, result(Job.MIXED, 100))), OPTIONS)[1]
    assert one.word is Word.UNSTEADY


def test_flushes_faster_than_the_disk_are_none() -> None:
    lying = layer(Layer.TARGET, result(Job.SYNC_WRITE, 20000, 21000, 22000), facts=(("backing_type", "aio"),))
    assert judge((FILE, lying), OPTIONS)[1].word is Word.CACHE


def test_buffered_writes_prove_nothing() -> None:
    fast = layer(Layer.LOOP, result(Job.BUFFERED_WRITE, 5000, 5100), facts=DIRECT_LOOP.facts)
    assert judge((FILE, fast), OPTIONS)[1].word is Word.CLEAR


def test_what_was_not_measured_is_passed_over() -> None:
    words = judge((FILE, DIRECT_LOOP, NO_LV, TARGET), OPTIONS)
    assert [one.word for one in words] == [Word.BASE, Word.CLEAR, Word.UNMEASURED, Word.CLEAR]
    assert words[2].reasons == ("no device-mapper in this kernel",)
    assert words[3].below is Layer.LOOP
    assert [(one.job, round(one.ratio, 2)) for one in words[3].ratios] == [(Job.RANDOM_READ, 0.76)]
    assert any(one.startswith("not measured: synchronous writes") for one in words[3].reasons)


def test_a_target_through_the_page_cache() -> None:
    fast = layer(Layer.TARGET, result(Job.RANDOM_READ, 90000, 91000), facts=TARGET.facts)
    verdict = judge((FILE, DIRECT_LOOP, fast), OPTIONS)[2]
    assert verdict.word is Word.CACHE
    assert "tgtd's rdwr opens what it serves through the page cache" in verdict.reasons


def test_at_the_bound_nothing_is_compared() -> None:
    bound = replace(OPTIONS, rate=64 * MIB)
    capped = layer(Layer.FILE, result(Job.SEQUENTIAL_READ, 63.5, 63.9))
    below = judge((capped, layer(Layer.LOOP, result(Job.SEQUENTIAL_READ, 20, 21))), bound)
    assert [one.word for one in below] == [Word.CAPPED, Word.CLEAR]
    assert below[0].reasons == ("sequential reads: at the bound of 64 MiB/s, so the speed is not its own",)


def test_holes_are_told() -> None:
    sparse = layer(Layer.FILE, result(Job.RANDOM_READ, 9), facts=(("never_written_ratio", 0.875),))
    assert judge((sparse,), OPTIONS)[0].reasons == ("87.5 % of it was never written, and reading that asks no disk",)


@pytest.mark.parametrize(("values", "centre", "apart"), [((), 0, 0), ((5,), 5, 0), ((1, 2, 9), 2, 4), ((0, 0), 0, 0)])
def test_figures(values: tuple[float, ...], centre: float, apart: float) -> None:
    assert (middle(values), spread(values)) == (centre, apart)


SPEEDS = st.lists(st.floats(min_value=0.001, max_value=1e9), min_size=1, max_size=4)


@given(SPEEDS, SPEEDS)
def test_a_layer_that_is_slower_is_never_a_cache(below: list[float], above: list[float]) -> None:
    lower = layer(Layer.FILE, result(Job.MIXED, *below))
    upper = layer(Layer.LOOP, result(Job.MIXED, *above))
    (found,) = ratios(upper, lower)
    verdict = judge((lower, upper), OPTIONS)[1]
    assert verdict.word in (Word.CLEAR, Word.CACHE, Word.UNSTEADY)
    if found.ratio <= 1:
        assert verdict.word is Word.CLEAR


def test_nothing_at_all() -> None:
    assert judge((), OPTIONS) == ()
    assert judge((LayerResult(layer=Layer.FILE, why="gone"),), OPTIONS)[0].reasons == ("gone",)
