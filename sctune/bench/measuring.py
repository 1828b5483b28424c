"""One layer measured: each job, so many times, with what is dirty before and after."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sctune.bench import fio, iscsi_perf
from sctune.bench.model import JobResult, Measured, Run, Tool
from sctune.bench.plan import can
from sctune.bench.tools import first_line
from sctune.probes.memory import parse_memory
from sctune.probes.writeback import MEMINFO
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.bench.model import Job, Options, Place
    from sctune.bench.tools import Tools
    from sctune.host.base import Host

_GRACE = 180.0
"""Seconds beyond its time that a run may take: what it left in memory is flushed in the end."""
_FLUSH_SECONDS = 600.0


class Meter:
    """Measures places. `settle`: flush what a run left before the next, which only one that writes needs."""

    def __init__(
        self, *, host: Host, tools: Tools, options: Options, name: str, engine: str, tell: Callable[[str], None], file: str = ""
    ) -> None:
        self._host = host
        self._tools = tools
        self._options = options
        self._name = name
        self._engine = engine
        self._tell = tell
        self._file = file

    def measure(self, place: Place, jobs: Sequence[Job], *, settle: str = "") -> tuple[JobResult, ...]:
        """All jobs. `settle` is the path whose dirty data is flushed before each run."""
        return tuple(self._job(place, job, settle) for job in jobs)

    def _job(self, place: Place, job: Job, settle: str) -> JobResult:
        if not can(place.tool, job):
            return JobResult(job=job, runs=(), why="iscsi-perf only reads, and fio has no libiscsi engine here")
        runs: list[Run] = []
        for number in range(self._options.runs):
            self._tell(f"{place.layer.value}: {job.value}, run {number + 1} of {self._options.runs}")
            if settle:
                self._tools.measure(("sync", settle), _FLUSH_SECONDS)
            before = self.dirty()
            measured = self._run(place, job)
            if isinstance(measured, Unavailable):
                return JobResult(job=job, runs=(), why=measured.detail or str(measured))
            runs.append(Run(measured=measured, dirty_before=before, dirty_after=self.dirty(), cached_after=self._cached()))
        return JobResult(job=job, runs=tuple(runs))

    def _run(self, place: Place, job: Job) -> Measured | Unavailable:
        options = self._options
        if place.tool is Tool.ISCSI_PERF:
            argv: tuple[str, ...] = iscsi_perf.argv(job, place, options)
        else:
            argv = fio.argv(job, place, options, name=self._name, engine=self._engine)
        began = time.monotonic()
        answer = self._tools.measure(argv, options.ramp + options.runtime + _GRACE)
        if isinstance(answer, Unavailable):
            return answer
        if place.tool is Tool.ISCSI_PERF:
            parsed = iscsi_perf.parse(answer.stdout, time.monotonic() - began)
        else:
            parsed = fio.parse(answer.stdout)
        if answer.status and not isinstance(parsed, Unavailable):
            from sctune.unavailable import Reason

            said = first_line(answer.stderr) or f"exit status {answer.status}"
            return Unavailable(reason=Reason.FAILED, what=argv[0], detail=f"{argv[0]}: {said}")
        if isinstance(parsed, Unavailable) and (said := first_line(answer.stderr)):
            return Unavailable(reason=parsed.reason, what=argv[0], detail=f"{argv[0]}: {said}")
        return parsed

    def _cached(self) -> int | None:
        """Of the scratch file, where fincore(1) (util-linux 2.30) tells."""
        if not self._file:
            return None
        answer = self._tools.measure(("fincore", "--bytes", "--noheadings", "--output", "RES", self._file), 30.0)
        if isinstance(answer, Unavailable) or answer.status or not answer.stdout.strip().isdecimal():
            return None
        return int(answer.stdout)

    def dirty(self) -> int | None:
        """Bytes that wait to be written, on the whole host."""
        text = self._host.read(MEMINFO)
        memory = text if isinstance(text, Unavailable) else parse_memory(text)
        return None if isinstance(memory, Unavailable) else memory.dirty
