"""The charts of a benchmark: what they draw is what was measured, and what was not measured says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.bench.model import Job, Layer, Options, Word
from sctune.bench.verdicts import cached_jobs, judge
from sctune.host.base import Source
from sctune.records import replace
from sctune.report.bench_file import Recorded
from sctune.report.bench_json import render as render_json
from sctune.report.html.bench import bench
from tests.unit.bench_results import DIRECT_LOOP, FILE, LOOP, NO_LV, OPTIONS, TARGET, layer, result
from tests.unit.golden import compare
from tests.unit.html_pages import NASTY, SCENARIOS, XHTML, benchmark, page, poisoned, recorded, tree
from tests.unit.test_bench_report import IDENTITY, report
from tests.unit.test_cli import run
from tests.unit.test_html import of_class, safe, sound, words

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from pathlib import Path

    from sctune.bench.model import LayerResult
    from sctune.report.html.bench_model import BenchTold, Chart, SpeedBar

HEALTHY = "storage-controller-healthy"


def of(*layers: LayerResult) -> Recorded:
    return Recorded(host="sc1", kernel="6.1.0-56-amd64", version="0.1.0", report=report(*layers))


def told(*layers: LayerResult) -> BenchTold:
    return bench(of(*layers), host="sc1")


def chart(found: BenchTold, job: Job) -> Chart:
    return next(one for one in found.charts if one.anchor == f"bench-{job.value}")


def section(text: str) -> ET.Element:
    return next(element for element in tree(text).iter() if element.get("id") == "bench")


def test_golden(request: pytest.FixtureRequest) -> None:
    """The section of a real benchmark as it was when a person looked at it in a browser."""
    text = page(recorded(HEALTHY), benchmark())
    start = text.index('<section id="bench"')
    compare(request, "bench.html", text[start : text.index("</section>", start)] + "</section>\n")


def test_a_recorded_benchmark_is_whole_and_safe() -> None:
    root = tree(page(recorded(HEALTHY), benchmark()))
    safe(root)
    sound(root)
    drawn = section(page(recorded(HEALTHY), benchmark()))
    measured = sum(bool(job.runs) for one, _ in benchmark().report.layers for job in one.jobs)
    assert measured > 5
    assert len(list(drawn.iter(f"{XHTML}svg"))) == measured
    assert [link for link in root.iter(f"{XHTML}a") if link.get("href") == "#bench"]


def test_without_one_there_is_no_section() -> None:
    assert 'id="bench"' not in page(recorded(HEALTHY))


def test_a_bar_is_the_median_and_its_whisker_reaches_over_all_runs() -> None:
    file, loop, lv, target = chart(told(FILE, LOOP, NO_LV, TARGET), Job.MIXED).bars
    fastest = 119000
    assert file.width == pytest.approx(100 * 62000 / fastest, abs=0.01)
    assert loop.width == pytest.approx(100 * 118000 / fastest, abs=0.01)
    assert loop.whisker is not None
    assert loop.whisker.low == pytest.approx(100 * 117000 / fastest, abs=0.01)
    assert loop.whisker.high == 100
    assert loop.text == "Loop device: 118,000 IOPS, runs from 117,000 IOPS to 119,000 IOPS, p99 34 us; a cache answers"
    assert lv.value == "not measured: no device-mapper in this kernel"
    assert target.value.startswith("not measured: iscsi-perf only reads")
    assert (lv.width, target.width) == (None, None)


def test_the_table_says_all_figures() -> None:
    file, loop, *_ = chart(told(FILE, LOOP, NO_LV, TARGET), Job.MIXED).rows
    assert loop.cells == ("461", "118,000", "1.7 %", "34 us", "-", "1.90", "1 GiB", "3")
    assert file.cells == ("242", "62,000", "3.2 %", "65 us", "-", "-", "1 MiB", "3")
    sync = chart(told(FILE, LOOP), Job.SYNC_WRITE).rows[1]
    assert sync.cells[4] == "784 us"
    stream = chart(told(FILE, LOOP), Job.SEQUENTIAL_WRITE)
    assert stream.rows[1].cells[5] == "0.99 (within the spread)"
    assert stream.scale == "The whole width is 250 MiB/s."


def test_a_cache_is_marked_where_it_answers_and_nowhere_else() -> None:
    def marked(found: BenchTold) -> set[str]:
        return {f"{one.title}: {bar.layer}" for one in found.charts for bar in one.bars if bar.mark == "a cache answers"}

    found = told(FILE, LOOP, NO_LV, TARGET)
    assert marked(found) == {"Random reads and writes: Loop device", "Random reads: Loop device"}
    assert found.words == "Loop device: a cache answers instead of what lies below, so these speeds are not the disk's."
    assert [row.tag for row in found.layers] == ["", "warn", "doubt", "good"]
    direct = told(FILE, DIRECT_LOOP)
    assert marked(direct) == set()
    assert direct.words == "No layer that was measured is faster than what lies below it."
    assert chart(found, Job.BUFFERED_WRITE).note.startswith("These are answered by a cache on every layer")


def test_what_only_a_cache_explains_is_what_the_verdict_is_made_of() -> None:
    assert cached_jobs(LOOP, FILE, OPTIONS) == {Job.MIXED, Job.RANDOM_READ}
    assert cached_jobs(DIRECT_LOOP, FILE, OPTIONS) == set()
    for one in (LOOP, DIRECT_LOOP):
        assert bool(cached_jobs(one, FILE, OPTIONS)) is (judge((FILE, one), OPTIONS)[1].word is Word.CACHE)


def test_runs_that_lie_apart_are_called_unsteady() -> None:
    found = told(layer(Layer.FILE, result(Job.MIXED, 100, 200, 300)))
    (bar,) = chart(found, Job.MIXED).bars
    assert (bar.mark, bar.value.split(",")[0]) == ("unsteady", "200 IOPS")
    assert found.words == "One layer alone was measured: there is nothing to compare it with."


def test_a_cache_whose_runs_lie_apart_is_both() -> None:
    """As on a real host: the first run fills the cache, the others read from it."""
    bars = chart(bench(benchmark(), host="sc1"), Job.RANDOM_READ).bars
    assert [bar.mark for bar in bars] == ["", "a cache answers, unsteady", "", "unsteady"]
    assert bars[2].value == "not measured: no device-mapper in this kernel"


def test_one_run_has_no_spread() -> None:
    found = told(layer(Layer.FILE, result(Job.MIXED, 100)))
    (bar,), (row,) = chart(found, Job.MIXED).bars, chart(found, Job.MIXED).rows
    assert bar.whisker is None
    assert row.cells[2] == "-"


def test_nothing_measured_is_not_called_well() -> None:
    found = told(NO_LV)
    assert found.words == "Nothing could be measured."
    assert found.charts == ()
    assert words(section(page(recorded(HEALTHY), of(NO_LV)))).count("No device-mapper in this kernel.") == 1


def test_another_hosts_benchmark_says_so() -> None:
    assert bench(of(FILE), host="sc2").warning == "It was measured on sc1, and this report is about sc2."
    assert told(FILE).warning == ""


def test_a_layer_that_gave_nothing() -> None:
    """No width is divided by nothing."""
    nothing = replace(result(Job.MIXED, 1), runs=())
    zero = result(Job.MIXED, 5)
    zero = replace(zero, runs=(replace(zero.runs[0], measured=replace(zero.runs[0].measured, operations_per_second=0.0)),))
    for one in (nothing, zero):
        (bar,) = chart(told(layer(Layer.FILE, one)), Job.MIXED).bars
        assert not bar.width


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{name[:12]!a}")
def test_hostile_words_in_it_change_nothing_but_words(name: str) -> None:
    plain = tree(page(recorded(HEALTHY), benchmark()))
    text = page(recorded(HEALTHY), poisoned(benchmark(), lambda _: name))
    root = tree(text)
    safe(root)
    sound(root)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert {element.tag for element in root.iter()} <= {element.tag for element in plain.iter()}
    assert {key for element in root.iter() for key in element.attrib} <= {key for element in plain.iter() for key in element.attrib}


RUNS = st.lists(st.floats(min_value=1e-3, max_value=1e9), min_size=1, max_size=4)


@settings(max_examples=100)
@given(below=RUNS, above=RUNS, job=st.sampled_from(Job))
def test_whatever_was_measured_stays_within_the_chart(below: list[float], above: list[float], job: Job) -> None:
    found = told(layer(Layer.FILE, result(job, *below)), layer(Layer.LOOP, result(job, *above)))
    bars: tuple[SpeedBar, ...] = chart(found, job).bars
    for bar, runs in zip(bars, (below, above), strict=True):
        assert bar.width is not None
        assert 0 <= bar.width <= 100
        assert (bar.whisker is None) is (len(runs) == 1)
        if bar.whisker is not None:
            assert 0 <= bar.whisker.low <= bar.width <= bar.whisker.high <= 100
    assert max(bar.whisker.high if bar.whisker is not None else bar.width or 0 for bar in bars) == 100


def test_the_command_draws_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    archive, file = str(SCENARIOS / HEALTHY / "host.tar.gz"), tmp_path / "bench.json"
    file.write_text(render_json(report(FILE, LOOP, NO_LV, TARGET), identity=IDENTITY, source=Source.LIVE), encoding="utf-8")
    code, out, err = run(capfd, "doctor", "--from", archive, "--format", "html", "--bench", str(file))
    assert (code, err) == (0, "")
    assert "Loop device: a cache answers" in words(section(out))
    assert len(list(of_class(section(out), "chart"))) == 5


@pytest.mark.parametrize("format", ["text", "json", "junit"])
def test_other_formats_have_no_place_for_it(format: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor", "--format", format, "--bench", "/nowhere")
    assert (code, out) == (2, "")
    assert err == f"sctune: --bench is drawn in HTML, and --format {format} has no place for it\nAdd --format html.\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"schema": 0}', "it is of schema 0, and this sctune reads 1"),
        ('{"schema": 1}', "missing required field"),
        ("xyz", "malformed"),
    ],
)
def test_a_wrong_file_is_one_line(content: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    file.write_text(content, encoding="utf-8")
    code, out, err = run(capfd, "doctor", "--format", "html", "--bench", str(file))
    assert (code, out) == (2, "")
    assert err.startswith(f"sctune: {file}: no benchmark of sctune bench: ")
    assert said in err.splitlines()[0]
    assert err.splitlines()[1:] == ["Name a file that 'sctune bench --format json --output FILE' wrote."]


def test_options_are_said() -> None:
    found = of(FILE)
    bounded = replace(
        found, report=replace(found.report, scratch=False, options=Options(size=1, runtime=10, ramp=0, runs=1, rate=1 << 26))
    )
    facts = {fact.name: fact.value for fact in bench(bounded, host="sc1").facts}
    assert facts["Bound"] == "64 MiB/s"
    assert facts["Runs"] == "1 run of 10 s a job"
    assert facts["Measured"].endswith(", read only")
    assert facts["By"] == "fio 3.33, sctune 0.1.0"
