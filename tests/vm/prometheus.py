"""Debian's own Prometheus in the machine, with the project's example configuration and rules, and what it says when it is asked."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .kernel import find_program

if TYPE_CHECKING:
    from .machine import Machine

SOURCES = Path(__file__).resolve().parents[2] / "exporters/prometheus"
FOLDER = "/run/prometheus"
LISTEN = "127.0.0.1:9090"
EVALUATED_SECONDS = 10
START_SECONDS = 60.0
# Counters of its own that tell of something wrong with what it was given or with how it kept it.
WRONG = ("duplicate", "out_of_order", "out_of_bound", "too_old", "exceeded", "fail", "corrupt", "not_found", "errors")
ABOUT = ("prometheus_target_", "prometheus_tsdb_", "prometheus_rule_evaluation_")
NAMED = frozenset(
    {
        "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        "prometheus_target_scrapes_sample_out_of_order_total",
        "prometheus_target_scrapes_sample_out_of_bounds_total",
        "prometheus_tsdb_out_of_order_samples_total",
        "prometheus_rule_evaluation_failures_total",
    }
)
"""Some of them that this Prometheus has to have, lest the others be looked for under names that are no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of an answer, with its value at the moment that was asked for."""

    labels: dict[str, str]
    value: float


def configuration(target: str, seconds: int) -> str:
    """The example configuration, that of *target* alone every so many *seconds*, with the rules beside it."""
    found: dict[str, Any] = yaml.safe_load((SOURCES / "examples/prometheus.yml").read_text())
    found["global"] = {"scrape_interval": f"{seconds}s", "evaluation_interval": f"{EVALUATED_SECONDS}s"}
    [job] = [one for one in found["scrape_configs"] if one["job_name"] == "sctune"]
    # Prometheus refuses a timeout that is longer than the interval.
    job["scrape_timeout"] = f"{seconds}s"
    [group] = yaml.safe_load((SOURCES / "examples/targets/sctune-fleet.yml").read_text())[:1]
    targets = json.dumps([{**group, "targets": [target]}])
    return "\n".join(
        [
            f"mkdir -p {FOLDER}/targets; cp -r {SOURCES}/rules {FOLDER}/rules",
            f"printf %s {shlex.quote(targets)} > {FOLDER}/targets/sctune-machine.yml",
            f"printf %s {shlex.quote(yaml.safe_dump(found))} > {FOLDER}/prometheus.yml",
        ]
    )


def start(machine: Machine, target: str, seconds: int) -> None:
    """Lets Prometheus scrape *target* every so many *seconds*, until the machine ends.

    :raises MachineUnavailable: it is not installed.
    """
    program = find_program("prometheus", "prometheus")
    machine.check(configuration(target, seconds))
    # It says why a scrape failed in its debugging lines alone.
    options = f"--config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address={LISTEN} --log.level=debug"
    machine.check(
        f"cd {FOLDER}; {program} {options} >log 2>&1 &\nuntil curl -sf http://{LISTEN}/-/ready >/dev/null; do sleep 0.5; done",
        timeout=START_SECONDS,
    )


def ask(machine: Machine, query: str) -> list[Series]:
    """What Prometheus answers to a query at this moment."""
    said = machine.check(f"curl -sS -G -m 50 --data-urlencode {shlex.quote(f'query={query}')} http://{LISTEN}/api/v1/query")
    document = json.loads(said)
    assert document["status"] == "success", said
    return [Series(labels=one["metric"], value=float(one["value"][1])) for one in document["data"]["result"]]


def names(machine: Machine, matching: str) -> list[str]:
    """The metrics of which it has a series that matches, whether there is a sample of it now or not."""
    said = machine.check(
        f"curl -sS -G -m 50 --data-urlencode {shlex.quote(f'match[]={matching}')} http://{LISTEN}/api/v1/label/__name__/values"
    )
    document = json.loads(said)
    assert document["status"] == "success", said
    found: list[str] = document["data"]
    return found


def failures(machine: Machine) -> list[str]:
    """Why scrapes failed, by its log."""
    said = machine.check(f"cat {FOLDER}/log").splitlines()
    return [line for line in said if 'msg="Scrape failed"' in line]


def complaints(machine: Machine) -> list[str]:
    """Those of its own counters of errors that are not 0, and what its log warns of."""
    lines = [line for line in machine.check(f"curl -sS -m 50 http://{LISTEN}/metrics").splitlines() if line.startswith(ABOUT)]
    missing = NAMED - {line.split("{")[0].split(" ")[0] for line in lines}
    assert missing == set(), f"this Prometheus does not count it: {missing}"
    wrong = [line for line in lines if any(word in line.split("{")[0] for word in WRONG)]
    log = machine.check(f"cat {FOLDER}/log").splitlines()
    assert any("Server is ready to receive web requests" in line for line in log)
    return [
        *(line for line in wrong if float(line.rpartition(" ")[2]) != 0),
        *(line for line in log if "level=info" not in line and "level=debug" not in line),
    ]
