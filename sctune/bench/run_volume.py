"""A benchmark of a volume that is there: it is read, and nothing else is done to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sctune.bench.facts import facts
from sctune.bench.measuring import Meter
from sctune.bench.model import READING, Layer, LayerResult, Report
from sctune.bench.run_scratch import SHORT, engine_of
from sctune.bench.tools import fio_of
from sctune.bench.verdicts import judge
from sctune.model.units import MIB
from sctune.report.words import list_words
from sctune.tuning.signals import interrupts
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.bench.existing import Found
    from sctune.bench.model import Options
    from sctune.bench.tools import Tools
    from sctune.host.base import Host
    from sctune.inventory import Inventory


def refusal(found: Found, *, yes: bool) -> Refused | None:
    """Why it is not read. `yes`: who asked knows that it takes of what the volume's users have."""
    if not found.places:
        why = "; ".join(f"{layer.value}: {text}" for layer, text in found.left_out)
        return Refused("nothing of it can be read" + (f": {why}" if why else ""))
    if found.users and not yes:
        return Refused(
            f"it is in use, and reading takes I/O away from its users: {list_words(found.users)}",
            "--yes measures it all the same, with a bound of 64 MiB/s unless --rate says another.",
        )
    return None


def run_volume(
    found: Found,
    *,
    name: str,
    host: Host,
    look: Callable[[], Inventory],
    tools: Tools,
    options: Options,
    tell: Callable[[str], None],
) -> Report:
    """Reads every place. Raises Refused where there is no fio, KeyboardInterrupt."""
    version, engines = fio_of(tools)
    meter = Meter(host=host, tools=tools, options=options, name="sctune-bench", engine=engine_of(engines), tell=tell)
    inventory = look()
    began = time.monotonic()
    results: list[LayerResult] = []
    with interrupts():
        for place in found.places:
            known = facts(place, inventory, iqn=found.iqn)
            if place.layer is Layer.FILE and found.never_written is not None:
                known = (*known, ("never_written_ratio", found.never_written))
            jobs = meter.measure(place, READING)
            results.append(LayerResult(layer=place.layer, address=place.address, tool=place.tool, facts=known, jobs=jobs))
    results += [LayerResult(layer=layer, why=why) for layer, why in found.left_out]
    results.sort(key=lambda one: list(Layer).index(one.layer))
    return Report(
        subject=name,
        scratch=False,
        options=options,
        fio=version,
        started=host.clock().now,
        seconds=time.monotonic() - began,
        layers=tuple(zip(results, judge(results, options), strict=True)),
        notes=tuple(_notes(found, options)),
    )


def _notes(found: Found, options: Options) -> Iterator[str]:
    yield "read only: nothing was written to the volume"
    if found.users:
        bound = f", bounded to {options.rate / MIB:.0f} MiB/s" if options.rate else ""
        yield f"it was in use meanwhile ({list_words(found.users)}): reading took I/O away from them{bound}"
    if options.runtime < SHORT:
        yield f"runs of {options.runtime} s: shorter than the {SHORT} s that make figures last"
