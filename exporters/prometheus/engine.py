"""Runs the collectors that a scrape wants, side by side, and puts together what they give. Never fails for one of them.

Each collector's run and its text are shared by all scrapes that ask for it meanwhile or shortly after (`options.interval`),
whatever else they ask for: a thousand scrapes at once are one look at the host.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING

from sctune.exporters.prometheus import health, log, own
from sctune.exporters.prometheus.run import Runner
from sctune.exporters.prometheus.samples import Samples
from sctune.exporters.prometheus.source import Unanswered, Wanted
from sctune.exporters.prometheus.text import text_of
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.exporters.prometheus.collector import Collector
    from sctune.exporters.prometheus.health import Ran
    from sctune.exporters.prometheus.options import Options
    from sctune.exporters.prometheus.run import Run
    from sctune.inventory import Inventory

OFFSET = 0.5
"""Seconds before the asker gives up at which the answer is put together: it has to be rendered and sent yet."""
_SHARE = 0.25
"""Of a timeout that is too short for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A scrape's answer: its text, and which collectors failed and why."""

    text: bytes
    failed: tuple[Ran, ...]


class Engine:
    """Answers scrapes (a `Source`). `look` makes a new look at the host; it is shared by the collectors of one scrape. `tell` gets
    the lines for the log."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        options: Options,
        look: Callable[[], Inventory],
        *,
        tell: Callable[[str], None] = log.tell,
    ) -> None:
        self._options = options
        self._off = {one.name for one in collectors if not options.runs(one.name, default=one.default)}
        self._runners = tuple(Runner(one, options, tell) for one in collectors if one.name not in self._off)
        self._looks = SharedLook(look, options.interval)

    @property
    def names(self) -> tuple[str, ...]:
        """The collectors that are on."""
        return tuple(runner.name for runner in self._runners)

    def scrape(self, wanted: Wanted) -> bytes:
        """The samples that are wanted. Raises Unanswered for a collector that there is none of or that is off."""
        return self.answer(wanted).text

    def answer(self, wanted: Wanted) -> Answer:
        """The same, and which collectors failed."""
        runners = self._chosen(wanted)
        until = time.monotonic() + max(wanted.timeout - OFFSET, wanted.timeout * _SHARE)
        look = self._looks.of_one_scrape()
        runs = [runner.begin(look) for runner in runners]
        del look  # it is as large as the text: it goes when the last collector has done with it, before the text is made
        ran = [runner.outcome(run, until) for runner, run in zip(runners, runs, strict=True)]
        parts = [
            _text(runner.collector, run, wanted.openmetrics)
            for runner, run, one in zip(runners, runs, ran, strict=True)
            if one.samples is not None
        ]
        parts.append(self._health(ran, wanted.openmetrics))
        if wanted.openmetrics:
            parts.append(b"# EOF\n")
        return Answer(text=b"".join(parts), failed=tuple(one for one in ran if one.why))

    def _chosen(self, wanted: Wanted) -> tuple[Runner, ...]:
        if wanted.collect and wanted.exclude:
            raise Unanswered("collect[] and exclude[] do not go together: give one of them", asked_wrongly=True)
        for name in (*wanted.collect, *wanted.exclude):
            if name in self._off:
                raise Unanswered(f"the collector {name[:80]!r} is switched off", asked_wrongly=True)
            if name not in self.names:
                raise Unanswered(f"there is no collector {name[:80]!r}; there are {', '.join(self.names)}", asked_wrongly=True)
        if wanted.collect:
            return tuple(runner for runner in self._runners if runner.name in wanted.collect)
        return tuple(runner for runner in self._runners if runner.name not in wanted.exclude)

    def _health(self, ran: Sequence[Ran], openmetrics: bool) -> bytes:
        samples = Samples()
        health.tell(ran, samples)
        if self._options.own:
            own.tell(samples)
        return text_of(samples, (*health.METRICS, *own.METRICS), openmetrics=openmetrics)


def _text(collector: Collector, run: Run, openmetrics: bool) -> bytes:
    """A run's samples as text, made once."""
    with run.lock:
        text = run.rendered.get(openmetrics)
        if text is None:
            samples = run.samples
            text = text_of(samples, collector.metrics, openmetrics=openmetrics) if samples is not None else b""
            run.rendered[openmetrics] = text
        return text


class SharedLook:
    """The look that the collectors of one scrape share, and those of another that begins within `interval` seconds while one of
    them still runs. It is not kept any longer: what it has read would lie in memory until the next one is there, beside it."""

    def __init__(self, make: Callable[[], Inventory], interval: float) -> None:
        self._make = make
        self._interval = interval
        self._guard = threading.Lock()
        self._made: tuple[float, weakref.ref[Inventory]] | None = None

    def of_one_scrape(self) -> Callable[[], Inventory]:
        """Gives the look when first asked for it, and the same one to all who ask for this scrape."""
        guard = threading.Lock()
        kept: list[Inventory] = []

        def get() -> Inventory:
            with guard:
                if not kept:
                    kept.append(self._young())
                return kept[0]

        return get

    def _young(self) -> Inventory:
        with self._guard:
            now = time.monotonic()
            look = self._made[1]() if self._made is not None and now - self._made[0] < self._interval else None
            if look is None:
                look = self._make()
                self._made = (now, weakref.ref(look))
            return look
