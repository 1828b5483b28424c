"""A scrape of the exporter's unit in a machine, taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from .machine import Machine

ADDRESS = "http://127.0.0.1:10197"
LIMIT_SECONDS = 30.0
"""The scrape's own timeout: three times that of the example configuration, for an emulated processor."""
SCRAPE = f"curl -sS -m {LIMIT_SECONDS:g} -H 'X-Prometheus-Scrape-Timeout-Seconds: {LIMIT_SECONDS:g}' -f {ADDRESS}/metrics"
OPENMETRICS = f"{SCRAPE} -H 'Accept: application/openmetrics-text;version=1.0.0'"

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Series:
    """The samples of a scrape, of which none may be there twice."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            at = (sample.name, tuple(sorted(sample.labels.items())))
            assert at not in found, f"twice: {at}"
            found[at] = sample.value
    return found


def of(series: Series, name: str) -> dict[tuple[str, ...], float]:
    """One metric's values by the values of its labels, in the order of the labels' names."""
    return {tuple(value for _, value in labels): value for (metric, labels), value in series.items() if metric == name}


def failed(series: Series) -> set[str]:
    """Collectors that failed."""
    return {at[0] for at, value in of(series, "sctune_scrape_collector_success").items() if value != 1}


def states(series: Series) -> dict[str, str]:
    """Each volume's state."""
    return {volume: state for (state, volume), value in of(series, "sctune_volume_state").items() if value == 1}


def scrape(machine: Machine) -> Series:
    """One scrape, as Prometheus does it, which takes no longer than it may; not within the interval in which the last one is given
    again."""
    return read(machine.check(f"sleep 1; {SCRAPE}"))


def scrape_once_asked(machine: Machine) -> Series:
    """A scrape for which LVM was asked anew: one of the files by which it decides what it sees is another than before. Asking may
    take longer than a scrape waits for it, and a later one has the answer."""
    began = float(machine.check("date +%s.%N; touch /etc/lvm/lvm.conf"))
    for _ in range(8):
        series = scrape(machine)
        if of(series, "sctune_lvm_report_timestamp_seconds").get((), 0.0) >= began:
            return series
    raise AssertionError("LVM was not asked, or did not answer")
