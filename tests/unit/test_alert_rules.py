"""The alert and recording rules: each alert fires on a fault and is silent in ordinary life, by promtool; all they name exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sctune.exporters.prometheus import health
from sctune.exporters.prometheus.registry import load
from tests.unit.alert_cases import CASES, WHOLE_HOST
from tests.unit.alert_life import Case, Life

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "exporters/prometheus/rules"
FILES = sorted(FOLDER.glob("*.yml"))
NAME = re.compile(r"\bsctune_[a-z0-9_]+")
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")


def rules() -> list[dict[str, Any]]:
    return [rule for file in FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def declared() -> set[str]:
    """Every metric that the exporter can give."""
    return {metric.name for collector in load() for metric in collector.metrics} | {metric.name for metric in health.METRICS}


def unknown(expression: str) -> set[str]:
    """The metrics of ours in an expression that no collector gives. A recorded name has its metric between colons."""
    bare = re.sub(r"[a-z_]+:sctune_[a-z0-9_]+:[a-z0-9]+", "", expression)
    return set(NAME.findall(bare)) - declared()


@pytest.mark.spawns
@promtool
def test_files_are_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", *map(str, FILES)], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_exist() -> None:
    assert len(declared()) > 80
    assert {name for rule in rules() for name in unknown(rule["expr"])} == set()
    assert unknown("rate(sctune_no_such_total[5m]) / vg:sctune_lvm_vg_free_per_size:ratio") == {"sctune_no_such_total"}


def test_recorded_names_exist() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for rule in rules() for name in re.findall(r"[a-z_]+:sctune_[a-z0-9_]+:[a-z0-9]+", rule["expr"])}
    assert used <= recorded


@pytest.mark.parametrize("name", ALERTS)
def test_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert re.fullmatch(r"Sctune[A-Za-z]+", name)
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^### (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


@pytest.mark.spawns
def test_the_command_of_the_documentation_makes_addresses_of_the_pages(tmp_path: Path) -> None:
    """The project has no address that rules could know: whoever installs them says where he serves the pages."""
    (command,) = re.findall(r"^sed -i .*/etc/prometheus/rules/\*\.yml$", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    for file in FILES:
        shutil.copy(file, tmp_path)
    subprocess.run(command.replace("/etc/prometheus/rules", str(tmp_path)), shell=True, check=True, timeout=60)
    urls = re.findall(r"runbook_url: (.*)", "".join(file.read_text() for file in tmp_path.iterdir()))
    assert len(urls) == len(ALERTS)
    assert all(url.startswith("https://wiki.example.org/sctune/docs/alerts.md#sctune") for url in urls)


def test_page_has_no_other_alerts() -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTS)


def test_every_alert_has_a_fault_and_ordinary_life() -> None:
    assert CASES.keys() == ALERTS.keys()
    for name, cases in CASES.items():
        assert any(case.firing for case in cases), name
        assert any(not case.firing for case in cases), name


@pytest.mark.parametrize("name", ALERTS)
def test_an_object_that_goes_a_first_sample_and_a_restart_are_no_fault(name: str) -> None:
    """Not even a new alert may lack one of these cases; WHOLE_HOST says which have nothing that could go, and why."""
    shown = {case.life for case in CASES[name] if case.life and not case.firing}
    assert shown == set(Life) - ({Life.GONE} if name in WHOLE_HOST else set())


def test_no_case_of_ordinary_life_is_a_fault() -> None:
    assert WHOLE_HOST.keys() <= ALERTS.keys()
    assert [name for name, cases in CASES.items() for case in cases if case.life and case.firing] == []


@pytest.mark.spawns
@promtool
def test_fires_on_faults_and_is_silent_otherwise(tmp_path: Path) -> None:
    tests: dict[str, list[dict[str, Any]]] = {"1m": [], "10m": []}
    # Days are looked through in larger steps.
    for step, cases in (("1m", _cases(lambda case: case.at <= 600)), ("10m", _cases(lambda case: case.at > 600))):
        for together in _packed(cases):
            tests[step].append(
                {
                    "name": ", ".join(f"{name} {number}" for name, number, _ in together),
                    "interval": "1m",
                    "input_series": [
                        {"series": whole(series), "values": values}
                        for *_, case in together
                        for series, values in case.series.items()
                    ],
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
                            "eval_time": f"{case.at}m",
                            "exp_samples": [{"labels": "{}", "value": case.firing}] if case.firing else [],
                        }
                        for name, _, case in together
                    ],
                }
            )
    files = []
    for step, some in tests.items():
        document = {"rule_files": [str(file) for file in FILES], "evaluation_interval": step, "tests": some}
        files.append(tmp_path / f"{step}.yml")
        files[-1].write_text(yaml.safe_dump(document))
    done = subprocess.run(["promtool", "test", "rules", *map(str, files)], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr)[:6000]


def _cases(wanted: Callable[[Case], bool]) -> list[tuple[str, int, Case]]:
    return [(name, number, case) for name, cases in CASES.items() for number, case in enumerate(cases) if wanted(case)]


def _packed(cases: list[tuple[str, int, Case]]) -> list[list[tuple[str, int, Case]]]:
    """Cases of alerts that have no metric in common are tested together: promtool makes a database for each test."""
    uses = {name: {series.partition("{")[0] for case in some for series in case.series} for name, some in CASES.items()}
    packs: list[tuple[set[str], list[tuple[str, int, Case]]]] = []
    for one in cases:
        metrics = uses[one[0]]
        free = next((number for number, (used, _) in enumerate(packs) if not used & metrics), None)
        if free is None:
            packs.append((set(metrics), [one]))
        else:
            packs[free][0].update(metrics)
            packs[free][1].append(one)
    return [pack for _, pack in packs]


def whole(series: str) -> str:
    """A series with the labels that a scrape gives it."""
    if "instance=" in series:
        return series
    name, brace, labels = series.partition("{")
    inside = labels.removesuffix("}") if brace else ""
    where = ('job="sctune"', 'instance="h:9977"')
    return name + "{" + ",".join(filter(None, [inside, *where])) + "}"
