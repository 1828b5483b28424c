"""Cases for alerts: what is scraped, and whether the alert fires then. And what befalls everything that is alerted on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOUR = 60


class Life(StrEnum):
    """What is no fault and must not look like one, for any alert."""

    GONE = "gone"
    """The object goes, as volumes do that are detached: Prometheus marks its series stale."""
    FIRST = "first"
    """The object has just come, or the exporter has: there is one sample."""
    RESTART = "restart"
    """The exporter was restarted: one scrape finds nobody, gauges are as before and what it counts itself begins anew."""


@dataclass(frozen=True)
class Case:
    """What is scraped, and how many alerts are firing at minute `at`. `life` is what it shows of ordinary life."""

    series: dict[str, str]
    at: int
    firing: int = 0
    life: Life | None = None


def fault(at: int, series: dict[str, str], firing: int = 1) -> Case:
    return Case(series=series, at=at, firing=firing)


def ordinary(at: int, series: dict[str, str]) -> Case:
    return Case(series=series, at=at)


def gone(at: int, series: dict[str, str]) -> Case:
    return Case(series=series, at=at, life=Life.GONE)


def first(at: int, series: dict[str, str]) -> Case:
    return Case(series=series, at=at, life=Life.FIRST)


def restart(at: int, series: dict[str, str]) -> Case:
    return Case(series=series, at=at, life=Life.RESTART)


def _steady(values: str) -> str:
    """The value of a series that always has the same."""
    value, times, count = values.partition("x")
    assert times and count.isdigit() and value.removeprefix("-").replace(".", "").isdigit(), values
    return value


def ends(series: dict[str, str], minutes: int) -> dict[str, str]:
    """Steady series, all of which are gone after so many minutes."""
    return {name: f"{_steady(values)}x{minutes} stale" for name, values in series.items()}


def begins(series: dict[str, str], minutes: int) -> dict[str, str]:
    """Series of which there was none before."""
    return {name: f"_x{minutes} {values}" for name, values in series.items()}


def resumes(series: dict[str, str], minutes: int) -> dict[str, str]:
    """Steady series, with one scrape that fails after so many minutes."""
    return {name: f"{_steady(values)}x{minutes} stale {values}" for name, values in series.items()}


def life(wait: int, bad: dict[str, str], good: dict[str, str], *, goes: bool = True) -> tuple[Case, ...]:
    """Of an alert on steady gauges that fires after `wait` minutes: its object goes while it fires, and it is silent at once
    (unless nothing is there that goes); the first sample is a bad one already, where the alert waits at all; a restart."""
    end = (fault(wait + 4, ends(bad, wait + 5)), gone(wait + 20, ends(bad, wait + 5))) if goes else ()
    return (*end, first(5, begins(bad if wait else good, 5)), restart(wait + 20, resumes(good, wait // 2 + 5)))


def gauge(metric: str, wait: int, bad: str = "1x60", *, good: str = "0x60", labels: str = "") -> tuple[Case, ...]:
    """An alert on a gauge: bad for longer than it waits; good; bad for a moment; without samples after it was bad; and its life."""
    name = f"{metric}{{{labels}}}"
    value = _steady(bad)
    return (
        fault(wait + 2, {name: bad}),
        ordinary(wait + 2, {name: good}),
        *((ordinary(wait + 3, {name: f"{value}x{max(wait - 1, 0)} {good}"}),) if wait else ()),
        ordinary(wait + 30, {name: f"{value} _x60"}),
        *life(wait, {name: bad}, {name: good}),
    )
