"""The exporter's engine: collectors side by side, each with a deadline, one run for all who ask."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sctune.config.model import Config, ExporterSettings
from sctune.errors import UserError
from sctune.exporters.prometheus import registry
from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.exporters.prometheus.options import Options, Selection, read_options
from sctune.exporters.prometheus.samples import Samples
from sctune.exporters.prometheus.source import Unanswered, Wanted
from sctune.exporters.prometheus.text import text_of
from sctune.inventory import Inventory
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.exporters.prometheus.collector import Look

ANY = Metric(name="sctune_test_things", about="Things.", source="a test", labels=("thing",))


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


def collector(name: str, collect: Callable[[Look, Samples], None], *, default: bool = True) -> Collector:
    metric = Metric(name=f"sctune_{name}_things", about="Things.", source="a test", labels=("thing",))
    return Collector(name=name, about="", metrics=(metric,), collect=collect, default=default)


def gives(name: str) -> Collector:
    def collect(_: Look, samples: Samples) -> None:
        samples.add(made.metrics[0], 1.0, "a")

    made = collector(name, collect)
    return made


def engine(*collectors: Collector, log: Log | None = None, options: Options | None = None) -> Engine:
    return Engine(collectors, options or Options(own=False), lambda: Inventory(FakeHost(), Config()), tell=log or Log())


def values(text: bytes) -> dict[tuple[str, ...], float]:
    """Each sample by its name and its labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value for family in parse_text(text.decode()) for sample in family.samples
    }


def success(text: bytes, name: str) -> float:
    return values(text)["sctune_scrape_collector_success", name]


def test_what_collectors_give_is_one_answer() -> None:
    found = values(engine(gives("one"), gives("two")).scrape(Wanted()))
    assert found["sctune_one_things", "a"] == found["sctune_two_things", "a"] == 1.0
    assert found["sctune_scrape_collector_success", "one"] == 1.0
    assert found["sctune_scrape_collector_data_timestamp_seconds", "one"] == 1_800_000_000.0


def test_one_that_raises_fails_alone_and_its_text_is_in_no_log() -> None:
    def break_down(_: Look, samples: Samples) -> None:
        samples.add(broken.metrics[0], 1.0, "half")
        raise ValueError("password=secret")

    broken = collector("broken", break_down)
    log = Log()
    text = engine(broken, gives("sound"), log=log).scrape(Wanted())
    assert success(text, "broken") == 0.0
    assert success(text, "sound") == 1.0
    assert b"half" not in text
    assert len(log.lines) == 1
    assert "collector broken: defect in sctune, please report: ValueError (line " in log.lines[0]
    assert "secret" not in log.lines[0]


def test_one_that_cannot_collect_all_gives_what_it_has() -> None:
    def partly(_: Look, samples: Samples) -> None:
        samples.add(made.metrics[0], 1.0, "a")
        samples.skip("permission", 3)
        raise CannotCollect("device-mapper: denied")

    made = collector("partly", partly)
    text = engine(made).scrape(Wanted())
    found = values(text)
    assert found["sctune_partly_things", "a"] == 1.0
    assert found["sctune_scrape_collector_success", "partly"] == 0.0
    assert found["sctune_collector_skipped_objects", "partly", "permission"] == 3.0
    assert ("sctune_scrape_collector_data_timestamp_seconds", "partly") not in found


def test_a_reason_is_logged_when_it_changes_and_no_more() -> None:
    said = iter(["no", "no", "other", "", "no"])

    def collect(_: Look, samples: Samples) -> None:
        if why := next(said):
            raise CannotCollect(why)

    log = Log()
    made = engine(collector("moody", collect), log=log, options=Options(own=False, interval=0.0))
    for _ in range(5):
        made.scrape(Wanted())
    assert log.lines == [f"collector moody: {why}" for why in ("no", "other", "works again", "no")]


def test_even_an_exit_fails_alone() -> None:
    def leave(_: Look, samples: Samples) -> None:
        raise SystemExit(3)

    assert success(engine(collector("leaves", leave)).scrape(Wanted()), "leaves") == 0.0


def test_a_thread_that_cannot_be_started_fails_its_collector_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    short = True

    def refuse(thread: threading.Thread) -> None:
        if short and thread.name == "collector-one":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    log = Log()
    made = engine(gives("one"), gives("two"), log=log, options=Options(own=False, interval=0.0))
    text = made.scrape(Wanted())
    assert (success(text, "one"), success(text, "two")) == (0.0, 1.0)
    assert ("sctune_one_things", "a") not in values(text)
    short = False
    assert success(made.scrape(Wanted()), "one") == 1.0
    assert log.lines == ["collector one: no thread could be started for it (can't start new thread)", "collector one: works again"]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def test_one_that_hangs_is_waited_for_once_and_not_started_again(gate: threading.Event) -> None:
    begun: list[float] = []

    def hang(_: Look, samples: Samples) -> None:
        begun.append(time.monotonic())
        if len(begun) == 2:
            gate.wait(30)

    log = Log()
    made = engine(collector("hangs", hang), gives("sound"), log=log, options=Options(own=False, interval=0.0, deadline=0.3))
    good = values(made.scrape(Wanted()))["sctune_scrape_collector_data_timestamp_seconds", "hangs"]
    durations = []
    for turn in range(3):
        before = time.monotonic()
        text = made.scrape(Wanted())
        assert time.monotonic() - before < (1.0 if turn == 0 else 0.2)
        found = values(text)
        assert found["sctune_scrape_collector_success", "hangs"] == 0.0
        assert found["sctune_scrape_collector_data_timestamp_seconds", "hangs"] == good
        assert found["sctune_scrape_collector_success", "sound"] == 1.0
        durations.append(found["sctune_scrape_collector_duration_seconds", "hangs"])
    assert durations == sorted(durations)
    assert durations[0] >= 0.3
    assert len(begun) == 2
    assert len(log.lines) == 1
    gate.set()
    end = time.monotonic() + 5
    while not success(made.scrape(Wanted()), "hangs"):
        assert time.monotonic() < end
    assert log.lines[-1] == "collector hangs: works again"


def test_the_answer_is_there_before_the_asker_gives_up(gate: threading.Event) -> None:
    def hang(_: Look, samples: Samples) -> None:
        gate.wait(30)

    made = engine(collector("hangs", hang))
    before = time.monotonic()
    made.scrape(Wanted(timeout=0.8))
    assert time.monotonic() - before < 0.8


def test_scrapes_at_once_share_one_run_whatever_else_they_want() -> None:
    runs: list[str] = []

    def counted(name: str) -> Collector:
        def collect(_: Look, samples: Samples) -> None:
            runs.append(name)
            time.sleep(0.1)
            samples.add(made.metrics[0], 1.0, "a")

        made = collector(name, collect)
        return made

    made = engine(counted("one"), counted("two"))
    texts: list[bytes] = []
    wanted = [Wanted(), Wanted(collect=("one",)), Wanted(exclude=("one",)), Wanted(openmetrics=True)] * 10
    threads = [threading.Thread(target=lambda one: texts.append(made.scrape(one)), args=(one,)) for one in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(runs) == ["one", "two"]
    assert len(texts) == len(wanted)
    assert sum(b"sctune_two_things{" in text for text in texts) == 30


def test_the_last_answer_is_given_again_for_a_second() -> None:
    runs: list[int] = []
    made = engine(collector("one", lambda _, __: runs.append(1)), options=Options(own=False, interval=0.2))
    made.scrape(Wanted())
    made.scrape(Wanted())
    assert len(runs) == 1
    time.sleep(0.25)
    made.scrape(Wanted())
    assert len(runs) == 2


def test_what_is_asked_wrongly_is_said() -> None:
    made = engine(gives("one"), gives("two"), options=Options(own=False, off=frozenset({"two"})))
    for wanted, said in (
        (Wanted(collect=("one",), exclude=("one",)), "do not go together"),
        (Wanted(collect=("three",)), "there is no collector 'three'; there are one"),
        (Wanted(exclude=("three",)), "there is no collector"),
        (Wanted(collect=("two",)), "is switched off"),
    ):
        with pytest.raises(Unanswered, match=said) as caught:
            made.scrape(wanted)
        assert caught.value.asked_wrongly


def test_collectors_that_are_off_are_not_run() -> None:
    made = (gives("usual"), collector("rare", lambda _, __: None, default=False))
    assert engine(*made).names == ("usual",)
    assert engine(*made, options=Options(on=frozenset({"rare"}))).names == ("usual", "rare")
    assert engine(*made, options=Options(on=frozenset({"rare"}), defaults=False)).names == ("rare",)


def test_broken_collectors_fail_by_name() -> None:
    taken = Metric(name="sctune_build_info", about="", source="")
    no_counter = Metric(name="sctune_x_total", about="", source="")
    found = registry.assemble(
        (
            ("good", gives("good")),
            ("again", gives("good")),
            ("lost", "its module defines no COLLECTOR"),
            ("clash", Collector(name="clash", about="", metrics=(taken,), collect=lambda _, __: None)),
            ("kind", Collector(name="kind", about="", metrics=(no_counter,), collect=lambda _, __: None)),
        )
    )
    log = Log()
    text = engine(*found, log=log).scrape(Wanted())
    assert {one.name: success(text, one.name) for one in found} == {"again": 0, "clash": 0, "good": 1, "kind": 0, "lost": 0}
    assert sorted(log.lines) == [
        "collector again: there is a collector good already",
        "collector clash: the metric sctune_build_info is already that of the exporter itself",
        "collector kind: sctune_x_total is no counter and ends in _total",
        "collector lost: its module defines no COLLECTOR",
    ]


def test_a_module_that_cannot_be_loaded_is_a_collector_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    import sys
    from pathlib import Path

    folder = Path(str(tmp_path)) / "lame_collectors"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "lame.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = registry.load("lame_collectors")
    assert found.name == "lame"
    assert "ModuleNotFoundError" in found.about
    for name in [name for name in sys.modules if name.startswith("lame_collectors")]:
        del sys.modules[name]


def test_options_of_file_and_command_line() -> None:
    settings = ExporterSettings(
        collectors={"a": True, "b": False},
        detail_of={"c": False},
        volumes_include=("vol-.*",),
        volumes_exclude=("vol-1",),
        limits={"a": 7},
    )
    found = read_options(Config(exporter=settings), on=("b",), off=("a",), known=("a", "b", "c"))
    assert not found.runs("a", default=True)
    assert found.runs("b", default=False)
    assert found.detail_of("a")
    assert not found.detail_of("c")
    assert (found.limit_of("a"), found.limit_of("b")) == (7, 5000)
    assert [name for name in ("vol-1", "vol-2", "xvol-2", "vol-2\n") if found.volumes.takes(name)] == ["vol-2"]


@pytest.mark.parametrize(
    ("settings", "on", "off", "said"),
    [
        (
            ExporterSettings(limits={"zz": 1}),
            (),
            (),
            "the section exporter of the configuration names a collector that there is not: zz",
        ),
        (ExporterSettings(), ("zz",), (), "the command line names a collector that there is not: zz"),
        (ExporterSettings(), ("a",), ("a",), "the collector a is switched both on and off"),
    ],
)
def test_a_collector_that_there_is_none_of_is_refused(
    settings: ExporterSettings, on: tuple[str, ...], off: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        read_options(Config(exporter=settings), on=on, off=off, known=("a",))


@given(st.lists(st.text("abc", min_size=1, max_size=3)), st.integers(1, 5), st.sampled_from(["a.*", "b", ".*"]))
def test_chosen_takes_the_same_ones_and_counts_the_others(names: list[str], limit: int, pattern: str) -> None:
    import re

    samples = Samples()
    found = chosen(names, lambda one: one, Selection(include=(re.compile(pattern),)), limit, samples)
    assert list(found) == sorted(found)
    assert len(found) <= limit
    assert len(found) + sum(samples.skipped.values()) == len(names)
    assert chosen(reversed(names), lambda one: one, Selection(include=(re.compile(pattern),)), limit, Samples()) == found


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False)), max_size=20), st.booleans())
def test_any_label_is_one_series_in_both_formats(pairs: list[tuple[str, float]], counter: bool) -> None:
    """Whatever a name on the host is: neither format breaks, and none is there twice."""
    name = "sctune_x_total" if counter else "sctune_x"
    metric = Metric(
        name=name, about="Back\\slash\nand line.", source="a test", labels=("l",), kind=Kind.COUNTER if counter else Kind.GAUGE
    )
    samples = Samples()
    for label, value in pairs:
        samples.add(metric, abs(value), label)
    text = text_of(samples, (metric,), openmetrics=False).decode()
    openmetrics = (text_of(samples, (metric,), openmetrics=True) + b"# EOF\n").decode()
    for parse, written in ((parse_text, text), (parse_openmetrics, openmetrics)):
        found = [(sample.labels["l"], sample.value) for family in parse(written) for sample in family.samples]
        assert len({label for label, _ in found}) == len(found) == len(samples.values.get(metric, ()))
        assert found == [(labels[0], value) for labels, value in samples.values.get(metric, {}).items()]


def test_bytes_that_are_no_text_are_written_as_text() -> None:
    samples = Samples()
    samples.add(ANY, 1.0, b"/srv/\xff".decode("utf-8", "surrogateescape"))
    assert b'thing="/srv/\\\\udcff"' in text_of(samples, (ANY,), openmetrics=False)


def test_a_second_sample_of_one_object_is_skipped() -> None:
    samples = Samples()
    samples.add(ANY, 1.0, "a")
    samples.add(ANY, 2.0, "a")
    assert samples.values[ANY] == {("a",): 1.0}
    assert samples.skipped == {"duplicate": 1}


@given(
    st.lists(st.tuples(st.text(st.characters(codec="ascii"), max_size=2), st.just("x")), max_size=12),
    st.text(max_size=3),
    st.booleans(),
)
def test_many_samples_at_once_are_what_each_would_be(labels: list[tuple[str, str]], other: str, detail: bool) -> None:
    metric = Metric(name="sctune_x", about="A.", source="a test", labels=("l", "m"), detail=True)
    labels.append((other, "x"))
    for first in ([], labels[:1]):  # on a metric that has none yet, and on one that has
        one_by_one, at_once = Samples(detail=detail), Samples(detail=detail)
        for number, one in enumerate((*first, *labels)):
            one_by_one.add(metric, float(number), *one)
        at_once.fill(metric, first, [0.0])
        at_once.fill(metric, labels, [float(number + len(first)) for number in range(len(labels))])
        assert at_once.values == one_by_one.values
        assert at_once.skipped == one_by_one.skipped


def test_many_samples_with_too_few_labels_or_values_are_refused() -> None:
    with pytest.raises(ValueError, match="has labels"):
        Samples().fill(ANY, [("a", "b")], [1.0])
    with pytest.raises(ValueError, match="argument"):
        Samples().fill(ANY, [("a",), ("b",)], [1.0])


def test_own_process() -> None:
    text = engine(gives("one"), options=Options()).scrape(Wanted())
    assert b"process_resident_memory_bytes" in text
    assert b"python_info" in text


def test_collectors_share_a_look_that_is_not_kept() -> None:
    looks: list[weakref.ref[Inventory]] = []
    seen: list[int] = []

    def make() -> Inventory:
        look = Inventory(FakeHost(), Config())
        looks.append(weakref.ref(look))
        return look

    def collect(look: Look, samples: Samples) -> None:
        seen.append(id(look.inventory))
        time.sleep(0.1)

    made = Engine((collector("one", collect), collector("two", collect)), Options(own=False), make, tell=Log())
    made.scrape(Wanted())
    assert len(looks) == 1
    assert len(set(seen)) == 1
    end = time.monotonic() + 5
    while looks[0]() is not None:
        assert time.monotonic() < end, "the look is still held"
        time.sleep(0.01)
