"""One run of one collector, and who may start it: in a thread of its own, one at a time, shared by all who ask meanwhile.

A run that does not come back is waited for until its deadline, by whoever asks first; whoever asks later is told at once, and
nobody starts a second one beside it. Threads are daemons: one that hangs in the kernel does not hold up the end of the process.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.collector import CannotCollect, Look, Memory
from sctune.exporters.prometheus.health import Ran
from sctune.exporters.prometheus.samples import Samples
from sctune.unavailable import CannotLook

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sctune.exporters.prometheus.collector import Collector
    from sctune.exporters.prometheus.options import Options
    from sctune.inventory import Inventory


class Run:
    """One run: begun at `began` (time.monotonic()) and, when `done` is set, ended after `seconds`. `why` it failed, or ""; what a
    collector gave before it said that it cannot give all is in `samples`, of one that broke nothing is."""

    def __init__(self, name: str, detail: bool) -> None:
        self.name = name
        self.began = time.monotonic()
        self.done = threading.Event()
        self.samples: Samples | None = Samples(detail=detail)
        self.why = ""
        self.seconds = 0.0
        self.read_at: float | None = None
        self.rendered: dict[bool, bytes] = {}
        self.lock = threading.Lock()
        """For who renders the samples: once for each format."""


class Runner:
    """Runs one collector, and keeps what it remembers. `tell` gets a line whenever what is wrong with it changes."""

    def __init__(self, collector: Collector, options: Options, tell: Callable[[str], None]) -> None:
        self.collector = collector
        self._options = options
        self._tell = tell
        self._memory = Memory()
        self._guard = threading.Lock()
        self._last: Run | None = None
        self._good: float | None = None
        self._told = ""

    @property
    def name(self) -> str:
        """The collector's."""
        return self.collector.name

    def begin(self, look: Callable[[], Inventory]) -> Run:
        """The run to wait for: the one that goes on, the last one where it is young enough, or a new one on `look`."""
        with self._guard:
            last = self._last
            if last is not None and (not last.done.is_set() or time.monotonic() - last.began < self._options.interval):
                return last
            run = Run(self.name, self._options.detail_of(self.name))
            thread = threading.Thread(target=self._go, args=(run, look), name=f"collector-{self.name}", daemon=True)
            self._last = run
            try:
                thread.start()
                return run
            except RuntimeError as error:  # no more tasks (TasksMax of the unit, RLIMIT_NPROC) or no memory for its stack
                run.why = f"no thread could be started for it ({error})"
                run.samples = None
                run.done.set()
        self._say(run.why)
        return run

    def outcome(self, run: Run, until: float) -> Ran:
        """How a run went that is waited for until `until` (time.monotonic()) and its own deadline."""
        patience = min(until, run.began + self._options.deadline) - time.monotonic()
        if run.done.wait(max(0.0, patience)):
            read_at = run.read_at if run.why == "" else self._good
            return Ran(name=self.name, seconds=run.seconds, read_at=read_at, samples=run.samples, why=run.why)
        seconds = time.monotonic() - run.began
        if seconds >= self._options.deadline:
            self._say(f"it has not come back since it began, {self._options.deadline:g} s ago and more")
        return Ran(name=self.name, seconds=seconds, read_at=self._good, samples=None, why="not come back")

    def _go(self, run: Run, look: Callable[[], Inventory]) -> None:
        samples = run.samples
        try:
            inventory = look()
            now = inventory.clock.now
            if samples is not None:
                self.collector.collect(Look(inventory=inventory, options=self._options, memory=self._memory, now=now), samples)
                run.read_at = now if samples.read_at is None else samples.read_at
        except CannotCollect as error:
            run.why = str(error) or "it cannot collect"
        except CannotLook as error:
            run.why = str(error.unavailable)
        except BaseException as error:  # whatever it is, it must not take the scrape with it
            run.why = describe(error)
            run.samples = None
        run.seconds = time.monotonic() - run.began
        if not run.why:
            self._good = run.read_at
        self._say(run.why)
        run.done.set()

    def _say(self, why: str) -> None:
        """Tells what is wrong, where it is something else than last time."""
        with self._guard:
            if why == self._told:
                return
            self._told = why
        self._tell(f"collector {self.name}: {why or 'works again'}")


def describe(error: BaseException) -> str:
    """A defect by its kind and place. Not by its text, which may hold what was read."""
    place = _place(error.__traceback__)
    return f"defect in sctune, please report: {type(error).__name__}{place}"


def _place(traceback: TracebackType | None) -> str:
    where = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file != __file__:
            where = f" (line {traceback.tb_lineno} of {file.rpartition('/')[2]})"
        traceback = traceback.tb_next
    return where
