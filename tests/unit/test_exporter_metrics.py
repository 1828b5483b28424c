"""What the exporter's metrics are called, how many series a volume costs, and `sctune metrics` with its file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from sctune.__main__ import main
from sctune.commands.metrics import run_metrics
from sctune.config.model import Config
from sctune.exporters.prometheus import health
from sctune.exporters.prometheus.collectors import loop, lvm, snapshots, store, volumes
from sctune.exporters.prometheus.diskstats import parse_diskstats
from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.metric import Kind
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.registry import load
from sctune.exporters.prometheus.source import Wanted
from sctune.inventory import Inventory
from tests.exporterdocs import DOCS, table
from tests.synthetic import storage_controller

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.exporters.prometheus.metric import Metric

OURS = tuple(module.COLLECTOR for module in (volumes, snapshots, store, loop, lvm))
METRICS = [*health.METRICS, *(metric for one in load() for metric in one.metrics)]
RECORDED = os.path.join(os.path.dirname(__file__), "..", "scenarios", "storage-controller-faults", "host.tar.gz")


def test_every_module_is_a_collector_that_can_be_used() -> None:
    assert {one.name for one in OURS} <= {one.name for one in load()}
    assert not [one.about for one in load() if one.about.startswith("cannot be used")]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules(metric: Metric) -> None:
    assert re.fullmatch(r"sctune_[a-z0-9_]+", metric.name)
    assert (metric.kind is Kind.COUNTER) == metric.name.endswith("_total")
    assert not re.search(r"_(mb|gb|kb|ms|percent|pct|minutes)(_|$)", metric.name)
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in metric.labels)
    assert not {"job", "instance", "le", "quantile", "type"} & {*metric.labels}
    if not metric.name.endswith("_info"):
        assert not [label for label in metric.labels if "path" in label or label.endswith("_file")], "paths stand in _info alone"
    assert metric.about.endswith(".")
    assert not metric.source.endswith(".")


def test_the_documentation_has_every_metric() -> None:
    with open(DOCS, encoding="utf-8") as file:
        assert table() in file.read(), "docs/exporter.md is not current: python -m tests.exporterdocs"


def series(count: int, *, detail: bool = True) -> int:
    host = storage_controller(count)
    host.files["/proc/diskstats"] = "".join(f"   7 {n} loop{n} {' 1' * 17}\n" for n in range(count))
    made = Engine(OURS, Options(own=False, deadline=60, detail=detail), lambda: Inventory(host, Config()))
    answer = made.answer(Wanted(timeout=100.0))
    assert [one for one in answer.failed] == []
    return sum(bool(line) and not line.startswith(b"#") for line in answer.text.split(b"\n"))


def test_a_volume_costs_about_forty_series_and_none_without_detail() -> None:
    """Of the worst kind: a loop device, a PV, a VG and an LV of its own, as Eucalyptus makes them."""
    assert (series(40) - series(10)) / 30 == 43
    assert series(40, detail=False) == series(10, detail=False)


def test_the_cap_and_the_patterns_leave_out_and_count() -> None:
    host = storage_controller(20)
    limited = Options(own=False, limits={"volumes": 5, "lvm": 3})
    text = Engine(OURS, limited, lambda: Inventory(host, Config()), tell=lambda _: None).scrape(Wanted())
    assert text.count(b"\nsctune_volume_size_bytes{") == 5
    assert b'sctune_collector_skipped_objects{collector="volumes",reason="limit"} 15.0' in text
    assert b'sctune_volumes{state="ready"} 20.0' in text or b'sctune_volumes{state="attached"} 20.0' in text


def test_diskstats_of_some_devices() -> None:
    text = "   8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n   7 0 loop0 10 0 16 4 20 0 32 8 0 10 11\n   7 1 loop1 nonsense\n   7 2 loop2\nx\n"
    found, broken = parse_diskstats(text, {"loop0", "loop1", "loop2"})
    assert broken == 2
    assert found.keys() == {"loop0"}
    assert (found["loop0"].reads.bytes, found["loop0"].writes.completed, found["loop0"].busy) == (16 * 512, 20, 0.01)


def run(*arguments: str) -> int:
    return main(["metrics", "--config", "/dev/null", "--from", RECORDED, *arguments])


def test_the_text_file_is_whole_and_readable_by_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sctune.prom"
    path.write_text("old")
    path.chmod(0o600)
    before = path.stat().st_ino
    assert run("--textfile", str(path), "--disable-defaults", "--collector", "volumes") == 0
    assert capfd.readouterr().out == ""
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.stat().st_ino != before
    text = path.read_text()
    assert text.endswith("\n")
    assert "sctune_volume_size_bytes" in text
    assert "sctune_lvm" not in text
    assert not re.search(r"^(process|python)_", text, re.MULTILINE), "they would be node_exporter's own a second time"
    assert os.listdir(tmp_path) == ["sctune.prom"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--textfile", "/srv/x.txt"), 2, "node_exporter reads files that end in .prom"),
        (("--textfile", "/no/such/folder/x.prom"), 2, "there is no folder"),
        (("--textfile", "x.prom", "--output", "y"), 2, "name two places"),
        (("--textfile", "x.prom", "--openmetrics"), 2, "reads no OpenMetrics"),
        (("--collector", "nonsense"), 2, "the command line names a collector that there is not: nonsense"),
        (("--output", "/dev/full"), 1, "cannot write /dev/full: no space left on device"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], code: int, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == code
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(("configured", "deadline"), [("", 12.0), ("exporter: {deadline_seconds: 2}", 2.0)])
def test_a_collector_has_the_time_that_is_configured(
    configured: str, deadline: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "sctune.yaml").write_text(configured)
    given: list[float] = []

    def source(_: object, options: Options) -> Engine:
        given.append(options.deadline)
        return Engine((), options, lambda: Inventory(storage_controller(1), Config()))

    monkeypatch.setattr("sctune.exporters.prometheus.local_source.local_source", source)
    run_metrics(
        from_path=None, root=str(tmp_path), output=str(tmp_path / "out"), textfile=None, openmetrics=False, on=(), off=(),
        defaults=True, detail=None, config_path=str(tmp_path / "sctune.yaml"),
    )  # fmt: skip
    assert given == [deadline]


def test_a_collector_that_fails_is_told_by_the_exit_code(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert main(["metrics", "--config", "/dev/null", "--root", str(tmp_path), "--disable-defaults", "--collector", "loop"]) == 3
    told = capfd.readouterr()
    assert 'sctune_scrape_collector_success{collector="loop"} 0.0' in told.out
    assert told.err.startswith("sctune: collector loop: ")
