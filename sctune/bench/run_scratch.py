"""A benchmark of scratch volumes.

What is left of an earlier one is removed, the note of this one is written, layers are made and measured from the bottom up, and all
of it is removed, whatever happens.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from sctune.bench import cleaning, ground, notes
from sctune.bench.facts import facts
from sctune.bench.making import Maker, objection
from sctune.bench.measuring import Meter
from sctune.bench.model import Layer, LayerResult, Report, Served, Tool
from sctune.bench.plan import Do, Plan, plan
from sctune.bench.scratch import Scratch
from sctune.bench.tools import Tools, fio_of
from sctune.bench.verdicts import judge
from sctune.inventory import Inventory
from sctune.model.units import MIB
from sctune.records import dataclass, replace
from sctune.tuning.lock import locked
from sctune.tuning.signals import deaf, interrupts
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.bench.model import Options, Place
    from sctune.bench.plan import Ground, Step
    from sctune.config.model import Config
    from sctune.host.base import Host
    from sctune.tuning.machine import Machine

SHORT = 60
"""Seconds; in shorter runs a disk's own cache may take all that is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where it is done: the machine to change, how it is looked at, whom to tell how far it is, and what could not be
    removed. `root` is where the machine's
    own files are (notes and the lock; "" is this machine)."""

    machine: Machine
    host: Host
    config: Config
    tell: Callable[[str], None]
    warn: Callable[[str], None]
    root: str = ""

    def look(self) -> Inventory:
        """A new look: what it says is of now."""
        return Inventory(self.host, self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`whole`: all was measured that can be here, or was asked for; `clean`: nothing is left of it, nor of an earlier one."""

    report: Report
    whole: bool
    clean: bool


def clean_up(setting: Setting) -> tuple[tuple[str, ...], bool]:
    """Removes what killed benchmarks left: the folders of those that are gone now, and whether all are. Raises Refused while one
    runs."""
    with locked(setting.machine.lock), interrupts():
        removed, problems = _clean_up(setting)
        return removed, not problems


def run_scratch(setting: Setting, options: Options, *, store: str | None, control_port: int) -> Outcome:
    """All of it. Raises Refused where it cannot be begun, with nothing left; KeyboardInterrupt likewise."""
    tools = Tools(setting.machine.writer)
    version, engines = fio_of(tools)
    with locked(setting.machine.lock), interrupts():
        removed, stuck = _clean_up(setting)
        inventory = setting.look()
        folder = store or ground.default_store(inventory)
        (found,) = setting.host.stat_files([folder])
        ground.check_folder(folder, found)
        folder = os.path.realpath(folder)
        options = _like_the_host(options, inventory, folder)
        stands_on = ground.look(folder, inventory, tools, engines, control_port=control_port)
        made = plan(stands_on, options)
        if made.refusal:
            raise Refused(made.refusal, made.hint)
        exports = any(step.do is Do.EXPORT for step in made.steps)
        scratch = Scratch(id=os.urandom(8).hex(), store=folder, control_port=control_port if exports else None)
        setting.tell(f"it takes about {_minutes(made.seconds)}")
        began = time.monotonic()
        results: list[LayerResult] = []
        try:
            notes.write(scratch, setting.machine.writer)
            results += _Work(setting, scratch, options, stands_on, tools).do(made)
        except OSError as error:
            raise Refused(f"{error.filename or folder}: {(error.strerror or str(error)).lower()}") from None
        finally:
            with deaf():
                problems = _remove(setting, scratch, tools)
        results += [LayerResult(layer=layer, why=why) for layer, why in made.left_out]
        results.sort(key=lambda one: list(Layer).index(one.layer))
        report = Report(
            subject=folder,
            scratch=True,
            options=options,
            fio=version,
            started=setting.host.clock().now,
            seconds=time.monotonic() - began,
            layers=tuple(zip(results, judge(results, options), strict=True)),
            notes=tuple(_notes(options, inventory, removed)),
        )
        return Outcome(report=report, whole=_whole(results, made, options), clean=not problems and not stuck)


class _Work:
    """The steps of one benchmark."""

    def __init__(self, setting: Setting, scratch: Scratch, options: Options, stands_on: Ground, tools: Tools) -> None:
        self._setting = setting
        self._scratch = scratch
        self._options = options
        self._ground = stands_on
        self._engine = engine_of(stands_on.engines)
        self._maker = Maker(scratch, tools=tools, calls=setting.machine.journal.calls, look=setting.look)
        self._meter = Meter(
            host=setting.host,
            tools=tools,
            options=options,
            name=scratch.job,
            engine=self._engine,
            tell=setting.tell,
            file=scratch.file,
        )

    def do(self, made: Plan) -> Iterator[LayerResult]:
        """A result for each layer that is measured. What could not be made fails those above it too."""
        place: Place | None = None
        failed = ""
        for step in made.steps:
            if failed:
                if step.do is Do.MEASURE:
                    yield LayerResult(layer=step.layer, tool=step.tool, why=failed)
            elif step.do is Do.MEASURE:
                assert place is not None  # noqa: S101 - plans make before they measure
                yield self._measure(step, place)
            else:
                try:
                    place = self._make(step, place)
                except Refused as error:
                    failed = error.message

    def _make(self, step: Step, below: Place | None) -> Place:
        self._setting.tell(f"{step.layer.value}: it is made")
        if below is None:
            return self._maker.make_file(self._options.size, engine=self._engine)
        if step.do is Do.ATTACH:
            return self._maker.attach(below, direct_io=bool(self._options.direct_io))
        if step.do is Do.MAKE_LV:
            return self._maker.make_lv(below)
        served = self._ground.served
        assert isinstance(served, Served)  # noqa: S101 - else it is not planned
        tool = Tool.FIO_LIBISCSI if "libiscsi" in self._ground.engines else Tool.ISCSI_PERF
        return self._maker.export(below, served, tool=tool)

    def _measure(self, step: Step, place: Place) -> LayerResult:
        inventory = self._setting.look()
        found = facts(place, inventory, iqn=self._scratch.iqn)
        if not self._options.read_only and (why := objection(place, inventory, own=self._scratch.file)):
            return LayerResult(layer=step.layer, address=place.address, tool=step.tool, facts=found, why=why)
        settle = place.address if place.layer is not Layer.TARGET else self._scratch.file
        jobs = self._meter.measure(place, step.jobs, settle=settle)
        return LayerResult(layer=step.layer, address=place.address, tool=step.tool, facts=found, jobs=jobs)


def engine_of(engines: frozenset[str]) -> str:
    """The one for many requests at once. Raises Refused where fio has none."""
    for name in ("libaio", "io_uring", "posixaio"):
        if name in engines:
            return name
    raise Refused("this fio can keep no more than one request in flight: it has neither libaio nor io_uring")


def _like_the_host(options: Options, inventory: Inventory, folder: str) -> Options:
    if options.direct_io is not None:
        return options
    return replace(options, direct_io=ground.as_others(inventory, folder))


def _clean_up(setting: Setting) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tools = Tools(setting.machine.writer)
    left = notes.left(setting.host, setting.machine.writer, root=setting.root)
    removed: list[str] = []
    problems = list(left.unread)
    for one in problems:
        setting.warn(one)
    for scratch in left.scratches:
        with deaf():
            stuck = _remove(setting, scratch, tools)
        problems += stuck
        if not stuck:
            removed.append(scratch.folder)
    return tuple(removed), tuple(problems)


def _remove(setting: Setting, scratch: Scratch, tools: Tools) -> tuple[str, ...]:
    machine = setting.machine
    found = cleaning.clean(scratch, tools=tools, calls=machine.journal.calls, writer=machine.writer, look=setting.look)
    for one in found:
        setting.warn(f"not removed: {one}")
    if found:
        setting.warn("the next benchmark, or sctune bench --clean, tries again")
    return found


def _whole(results: list[LayerResult], made: Plan, options: Options) -> bool:
    """Whether all that can be measured here, or was asked for, was. iscsi-perf is not held against anybody."""
    planned = {step.layer for step in made.steps if step.do is Do.MEASURE}
    if options.layers and made.left_out:
        return False
    for one in results:
        if one.layer in planned and (one.why or any(not job.runs for job in one.jobs if one.tool is not Tool.ISCSI_PERF)):
            return False
    return True


def _notes(options: Options, inventory: Inventory, removed: tuple[str, ...]) -> Iterator[str]:
    yield from (f"an earlier benchmark was killed: what it left in {one} was removed" for one in removed)
    if options.runtime < SHORT:
        yield f"runs of {options.runtime} s: in less than {SHORT} s a disk's own cache may take all that is written"
    memory = inventory.memory
    total = getattr(memory, "total", None)
    if total is not None and options.size < 2 * total:
        yield (
            f"{options.size // MIB} MiB is less than twice this host's memory: "
            "Dirty tells what of it was still there when a run ended"
        )


def _minutes(seconds: float) -> str:
    from sctune.report.words import time_words

    return time_words(seconds)
