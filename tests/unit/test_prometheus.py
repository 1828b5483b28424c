"""Debian's real Prometheus scrapes recorded hosts: every query of the dashboard answers, and the samples are well formed."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sctune.config.model import Config, Quotas
from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.registry import load
from sctune.exporters.prometheus.source import Wanted
from sctune.inventory import Inventory
from sctune.model.applied import Applied, Drift, Kind, Setting, Transaction
from sctune.model.units import GIB
from sctune.report.record import PATH
from tests.dashboard import QUERIES, filled_in
from tests.unit.collecting import SCENARIOS, recorded
from tests.unit.test_alert_rules import FILES, ROOT, unknown
from tests.unit.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.spawns,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed (Debian: prometheus)"),
]
HOSTS = ("storage-controller-healthy", "storage-controller-faults", "crowd-1", "cinder-lvm-thin")


def engine(name: str) -> Engine:
    """All collectors on a recorded host, as if its doctor's result lay there and a profile had been applied."""
    host = recorded(name)
    report: dict[str, Any] = json.loads((SCENARIOS / name / "doctor.json").read_text())
    report["host"] |= {"name": host.identity().name, "source": "live"}
    report |= {"started": "2026-11-25T18:24:00Z", "duration_seconds": 1.0}
    kept = host.read
    host.read = lambda path: json.dumps(report) if path == PATH else kept(path)  # type: ignore[method-assign]
    config = Config(quotas=Quotas(total=100 * GIB))
    begun = Transaction(number=1, profile="p", version="0", state="applied", time=1.0, options=(), settings=())
    setting = Setting(setting="vm.swappiness", kind=Kind.VALUE, path="/proc/sys/vm/swappiness")
    drift = Drift(setting=setting.setting, path=setting.path, wanted="10", now="60", by=begun)

    def look() -> Inventory:
        inventory = Inventory(host, config)
        inventory.parts["applied"] = Applied(transactions=(begun,), conforming=(), drifted=(drift,), gone=(), unread=())
        return inventory

    options = Options(config=config, on=frozenset({"pressure"}), interval=0.5)
    return Engine(load(), options, look, tell=lambda line: None)


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    return {name: engine(name) for name in HOSTS}


@pytest.fixture(scope="module")
def prometheus(engines: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has scraped the hosts several times, off the exporter's own web side; gives its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(serving(source=one)).port for one in engines.values()]
        yield from _scraping(folder, [f"127.0.0.1:{port}" for port in ports])


def _scraping(folder: Path, targets: list[str]) -> Iterator[str]:
    (folder / "prometheus.yml").write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(file) for file in FILES],
                "scrape_configs": [{"job_name": "sctune", "static_configs": [{"targets": targets}]}],
            }
        )
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait(address, len(targets), folder / "log")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ask(address: str, query: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{address}/api/v1/query?query={urllib.parse.quote(query)}", timeout=10) as answer:
        document = json.load(answer)
    assert document["status"] == "success"
    found: list[dict[str, Any]] = document["data"]["result"]
    return found


def _wait(address: str, targets: int, log: Path) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            if len(ask(address, 'count_over_time(up{job="sctune"}[1m]) >= 5')) == targets:
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


def test_scrapes_without_an_error(prometheus: str) -> None:
    assert [one["value"][1] for one in ask(prometheus, 'up{job="sctune"}')] == ["1"] * len(HOSTS)
    with urllib.request.urlopen(f"{prometheus}/api/v1/targets", timeout=10) as answer:
        errors = [target["lastError"] for target in json.load(answer)["data"]["activeTargets"]]
    assert errors == [""] * len(HOSTS)


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[f"{title}-{n}" for n, (title, _) in enumerate(QUERIES)])
def test_every_panel_answers(prometheus: str, title: str, query: str) -> None:
    query = filled_in(query, rate="1m")
    deadline = time.monotonic() + 5  # an alert takes a moment to fire
    while not (found := ask(prometheus, query)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found, title


def test_dashboard_names_what_there_is() -> None:
    assert {name for _, query in QUERIES for name in unknown(query)} == set()


@pytest.mark.parametrize("name", HOSTS)
def test_samples_are_clean(engines: dict[str, Engine], name: str) -> None:
    text = engines[name].scrape(Wanted(timeout=10.0))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, check=False, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_example_configuration(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "exporters/prometheus/examples", tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "exporters/prometheus/rules", tmp_path / "rules")
    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for job in yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]:
        [given] = job["file_sd_configs"]
        files = [file for pattern in given["files"] for file in tmp_path.glob(pattern)]
        assert files, job["job_name"]
        for file in files:
            entries = yaml.safe_load(file.read_text())
            assert all(set(entry) <= {"targets", "labels"} and entry["targets"] for entry in entries)
