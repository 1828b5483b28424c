"""What an exporter is told: which collectors run, of what they give samples and how many, and how long they may take.

The configuration (the section `exporter` of sctune.yaml) says it, and the command line over it. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.config.model import Config, ExporterSettings
from sctune.errors import UserError
from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_DEADLINE = 5.0
"""Seconds that a collector may take while somebody waits for its samples."""
DEFAULT_LIMIT = 5000
"""Objects of one kind that a collector gives samples of: 5,000 volumes are 200,000 series, and more than one Prometheus wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which names are taken: those that match one of `include` whole (none given: all) and none of `exclude`."""

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()

    @property
    def takes_all(self) -> bool:
        """Whether every name is taken."""
        return not (self.include or self.exclude)

    def takes(self, name: str) -> bool:
        """Whether samples of it are wanted."""
        if self.include and not any(pattern.fullmatch(name) for pattern in self.include):
            return False
        return not any(pattern.fullmatch(name) for pattern in self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that decides what a scrape gives.

    `on` and `off` are collectors by name, over what each is by default; with `defaults` off only those of `on` run. `detail` off
    leaves out every metric with a series an object, `detail_off` does so for single collectors. `volumes` (snapshots too),
    `devices` (as in /sys/block) and `groups` (VGs) say by name what is wanted, `limits` how many of each at most, by collector.
    `deadline` is how long a collector may take, `interval` for how long its last answer is given again, in seconds. `own`: samples
    about the exporter's own process too. `once`: no other answer follows this one, so that counters of what comes and goes begin
    with all that is counted now. `config` is the host's, which parts of the look go by.
    """

    config: Config = Config()
    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    defaults: bool = True
    detail: bool = True
    detail_off: frozenset[str] = frozenset()
    volumes: Selection = Selection()
    devices: Selection = Selection()
    groups: Selection = Selection()
    limits: Mapping[str, int] = field(default_factory=dict)
    deadline: float = DEFAULT_DEADLINE
    interval: float = 1.0
    own: bool = True
    once: bool = False

    def runs(self, name: str, *, default: bool) -> bool:
        """Whether a collector runs, which does by itself or not."""
        return name not in self.off and (name in self.on or (default and self.defaults))

    def detail_of(self, name: str) -> bool:
        """Whether a collector gives a series for each object."""
        return self.detail and name not in self.detail_off

    def limit_of(self, name: str) -> int:
        """How many objects a collector gives samples of at most."""
        return self.limits.get(name, DEFAULT_LIMIT)


def read_options(
    config: Config,
    *,
    on: Iterable[str] = (),
    off: Iterable[str] = (),
    defaults: bool = True,
    detail: bool | None = None,
    own: bool | None = None,
    known: Iterable[str] | None = None,
) -> Options:
    """The options in force: `config`'s, and the command line's over them (None: it says nothing). `known` are the names that
    collectors have; left out, they are looked up. Raises UserError for a collector that there is none of."""
    settings = config.exporter
    names = frozenset(_known() if known is None else known)
    by_file = {name for name in (*settings.collectors, *settings.detail_of, *settings.limits)}
    _refuse_unknown(by_file, names, "the section exporter of the configuration")
    _refuse_unknown((*on, *off), names, "the command line")
    both = sorted({*on} & {*off})
    if both:
        raise UserError(f"the collector {both[0]} is switched both on and off", "Give one of --collector and --no-collector.")
    switched_on = {name for name, wanted in settings.collectors.items() if wanted}
    switched_off = {name for name, wanted in settings.collectors.items() if not wanted}
    return Options(
        config=config,
        on=frozenset((switched_on - {*off}) | {*on}),
        off=frozenset((switched_off - {*on}) | {*off}),
        defaults=defaults,
        detail=settings.detail if detail is None else detail,
        detail_off=frozenset(name for name, wanted in settings.detail_of.items() if not wanted),
        volumes=_selection(settings, "volumes"),
        devices=_selection(settings, "devices"),
        groups=_selection(settings, "groups"),
        limits=dict(settings.limits),
        deadline=DEFAULT_DEADLINE if settings.deadline_seconds is None else settings.deadline_seconds,
        interval=settings.interval_seconds,
        own=settings.own_process if own is None else own,
    )


def _known() -> Iterable[str]:
    from sctune.exporters.prometheus.registry import load

    return (collector.name for collector in load())


def _refuse_unknown(names: Iterable[str], known: frozenset[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise UserError(f"{where} names a collector that there is not: {name}", f"Known are {', '.join(sorted(known))}.")


def _selection(settings: ExporterSettings, what: str) -> Selection:
    return Selection(
        include=tuple(re.compile(text) for text in getattr(settings, f"{what}_include")),
        exclude=tuple(re.compile(text) for text in getattr(settings, f"{what}_exclude")),
    )
