"""Recorded hosts as the exporter tells of them: the same as `sctune volumes`, in both formats, and as a person has read it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sctune.__main__ import main
from sctune.config.load import load
from sctune.exporters.prometheus.judged import listed as judged
from sctune.exporters.prometheus.kept_lvm import KeptLvm
from sctune.exporters.prometheus.look_inventory import LookInventory
from sctune.host.choose import open_host
from sctune.inventory import Inventory
from sctune.volumes import unread_parts
from tests.scenarios.test_scenarios import SCENARIOS
from tests.scenarios.test_volumes import arguments
from tests.unit.golden import compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = ("volumes", "snapshots", "store", "loop", "lvm")
READ = ("storage-controller-faults", "cinder-lvm-thin")
VOLATILE = re.compile(r"^(sctune_scrape_collector_duration_seconds\{|sctune_build_info\{).*\n", re.MULTILINE)
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(capfd: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str]:
    capfd.readouterr()
    code = main(["metrics", "--disable-defaults", *(f"--collector={name}" for name in OURS), *arguments(folder), *options])
    return code, capfd.readouterr().out


def series(parse: Callable[[str], Any], text: str) -> Series:
    """Every sample; a duplicate fails."""
    found: Series = {}
    for family in parse(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def of(found: Series, name: str) -> dict[str, float]:
    """A metric with one label, by its value."""
    return {next(iter(labels))[1]: value for (metric, labels), value in found.items() if metric == name}


def may_miss_some(folder: Path) -> bool:
    """Whether a part by which volumes are found, but for tgtd, could not be looked at."""
    look = inventory_of(folder)
    return any("tgt" not in one.what for one in unread_parts(look))


def inventory_of(folder: Path) -> Inventory:
    options = arguments(folder)
    config = load(options[options.index("--config") + 1] if "--config" in options else None)
    return Inventory(open_host(options[1], None), config)


def test_there_are_recorded_hosts_of_both_kinds() -> None:
    assert {may_miss_some(folder) for folder in SCENARIOS} == {True, False}


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_metrics_say_what_the_list_of_volumes_says(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["volumes", "--format", "json", *arguments(folder)])
    listed = json.loads(capfd.readouterr().out)
    scrape_code, text = scraped(capfd, folder)
    found = series(parse_text, text)
    incomplete = may_miss_some(folder)
    assert of(found, "sctune_volumes") == ({} if incomplete else listed["summary"])
    totals = {name for name, _ in found if name in ("sctune_volumes_size_bytes", "sctune_volumes_allocated_bytes")}
    assert len(totals) == (0 if incomplete else 2)
    rows = {row["id"]: row for row in listed["volumes"]}
    states = {
        dict(labels)["volume"]: dict(labels)["state"]
        for (name, labels), value in found.items()
        if name == "sctune_volume_state" and value == 1.0
    }
    assert states == {name: row["state"] for name, row in rows.items()}
    assert of(found, "sctune_volume_size_bytes") == {
        n: row["size_bytes"] for n, row in rows.items() if row["size_bytes"] is not None
    }
    assert of(found, "sctune_volume_allocated_bytes") == {
        name: row["allocated_bytes"] for name, row in rows.items() if row["allocated_bytes"] is not None
    }
    # What makes the list incomplete makes the collector fail, but for targets that do not answer: that is what theirs tell.
    others = [one for one in listed["unread"] if "tgt" not in one["what"]]
    assert (code == 3) == bool(listed["unread"])
    assert of(found, "sctune_scrape_collector_success")["volumes"] == float(not others)
    assert scrape_code == (0 if all(of(found, "sctune_scrape_collector_success").values()) else 3)


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_both_formats_are_read_by_the_library_and_say_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = scraped(capfd, folder)[1]
    openmetrics = scraped(capfd, folder, "--openmetrics")[1]
    assert openmetrics.endswith("# EOF\n")
    one, other = (
        {key: value for key, value in found.items() if key[0] != "sctune_scrape_collector_duration_seconds"}
        for found in (series(parse_text, text), series(parse_openmetrics, openmetrics))
    )
    assert one == other


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_without_detail_nothing_is_told_of_a_single_object(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = scraped(capfd, folder, "--no-detail")[1]
    for name, labels in series(parse_text, text):
        assert {key for key, _ in labels} <= {"state", "tool", "mountpoint", "collector", "source", "reason", *_BUILD}, name
    whole = series(parse_text, scraped(capfd, folder)[1])
    assert all(whole[key] == value for key, value in series(parse_text, text).items() if "collector" not in dict(key[1]))


_BUILD = ("version", "python_version")


@pytest.mark.parametrize("name", READ)
def test_a_whole_scrape(name: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> None:
    (folder,) = (one for one in SCENARIOS if one.name == name)
    compare(request, f"metrics-{name}.txt", VOLATILE.sub("", scraped(capfd, folder)[1]))


ONLY_A_LOG_TELLS = {"crowd-2": {"vol-391D4F6B": "degraded"}}
"""What a scrape, which reads no logs and no archive of the initiator, does not know: volumes by scenario, with the state that the
list gives them."""


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_what_a_scrape_may_ask_is_enough_for_the_states(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["volumes", "--format", "json", *arguments(folder)])
    listed = {row["id"]: row["state"] for row in json.loads(capfd.readouterr().out)["volumes"]}
    whole = inventory_of(folder)
    look = LookInventory(whole.host, whole.config, KeptLvm(lambda: whole))
    found = {row.id: str(row.state) for row in judged(look).rows}
    assert found.keys() == listed.keys()
    assert {name: listed[name] for name in listed if listed[name] != found[name]} == ONLY_A_LOG_TELLS.get(folder.name, {})
