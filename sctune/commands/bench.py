"""`sctune bench`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.bench.model import Layer, Options, Report
    from sctune.config.model import Config
    from sctune.host.base import Host
    from sctune.tuning.machine import Machine

_BUDGET = 7 * 86400.0
"""Seconds that a host may be asked in all: it is looked at between runs."""
_SIZE = 1 << 30
_SHARED_RATE = 64 << 20
"""Bytes a second that a reader takes of a volume in use, unless another bound was asked for."""
_SHARED_RUNTIME = 10
_RUNTIME = 60
_RAMP = 5


def run_bench(
    volume: str | None,
    *,
    folder: str | None,
    clean: bool,
    size: int | None,
    runtime: int | None,
    runs: int,
    layers: tuple[Layer, ...],
    read_only: bool,
    direct_io: bool | None,
    rate: int | None,
    control_port: int,
    yes: bool,
    format: Plain,
    output: str | None,
    config_path: str | None,
    machine: Machine | None = None,
    root: str = "",
) -> int:
    """Measures. Returns 1 where it is refused or something could not be removed, 3 where a part could not be measured.
    `machine`, and the `root` below which its own files are, are another's in tests."""
    from sctune.bench.model import Options
    from sctune.bench.plan import LEAST
    from sctune.commands.refusing import refused
    from sctune.config.load import load as load_config
    from sctune.host.live import LiveHost
    from sctune.tuning.writer import Refused

    if size is not None and size < LEAST:
        raise UserError(f"--size {size}: too little to measure", "Give at least 16 MiB.")
    config = load_config(config_path)
    destination = Output(output)
    options = Options(
        size=_SIZE if size is None else size // 4096 * 4096,
        runtime=_RUNTIME if runtime is None else runtime,
        ramp=min(_RAMP, _RUNTIME if runtime is None else runtime),
        runs=runs,
        layers=layers,
        read_only=read_only or volume is not None,
        direct_io=direct_io,
        rate=rate or 0,
        keep_cache=volume is not None,
    )
    try:
        if os.geteuid() != 0:
            raise Refused("measuring takes root: it opens devices and makes some", "Run it as root.")
        with LiveHost(budget=_BUDGET) as host:
            if volume is not None:
                given = (size is not None, runtime is not None, rate is not None)
                return _volume(
                    volume, host, config, options, given, yes=yes, format=format, destination=destination, machine=machine
                )
            return _scratch(
                host,
                config,
                options,
                folder=folder,
                clean=clean,
                control_port=control_port,
                format=format,
                destination=destination,
                machine=machine,
                root=root,
            )
    except Refused as error:
        return refused(error)


def _scratch(
    host: Host,
    config: Config,
    options: Options,
    *,
    folder: str | None,
    clean: bool,
    control_port: int,
    format: Plain,
    destination: Output,
    machine: Machine | None,
    root: str,
) -> int:
    from sctune.bench.run_scratch import Setting, clean_up, run_scratch
    from sctune.tuning.machine import machine as this_machine

    setting = Setting(machine=machine or this_machine(), host=host, config=config, tell=_teller(), warn=_warn, root=root)
    if clean:
        removed, all_gone = clean_up(setting)
        lines = [f"Removed what a killed benchmark left in {one}." for one in removed]
        if all_gone and not removed:
            lines.append("Nothing is left of any benchmark.")
        destination.write_text("".join(f"{line}\n" for line in lines))
        return ExitCode.OK if all_gone else ExitCode.FAILED
    outcome = run_scratch(setting, options, store=folder, control_port=control_port)
    _show(outcome.report, host, format=format, destination=destination)
    if not outcome.clean:
        return ExitCode.FAILED
    return ExitCode.OK if outcome.whole else ExitCode.INCOMPLETE


def _volume(
    name: str,
    host: Host,
    config: Config,
    options: Options,
    given: tuple[bool, bool, bool],
    *,
    yes: bool,
    format: Plain,
    destination: Output,
    machine: Machine | None,
) -> int:
    from sctune.bench.existing import layers_of
    from sctune.bench.run_volume import refusal, run_volume
    from sctune.bench.tools import Tools
    from sctune.chain_find import find
    from sctune.inventory import Inventory
    from sctune.records import replace
    from sctune.report.words import list_words
    from sctune.tuning.machine import machine as this_machine
    from sctune.tuning.writer import Refused
    from sctune.unavailable import Unavailable

    inventory = Inventory(host, config)
    chains = inventory.chains
    if isinstance(chains, Unavailable):
        raise Refused(f"the volumes could not be looked at: {chains}")
    named = find(name, inventory, chains)
    if not named:
        raise Refused(f"nothing here is called {name!r}", "sctune volumes --all lists what there is.")
    if len(named) > 1:
        raise Refused(
            f"{len(named)} volumes are called {name!r}", f"Name one of them: {list_words(tuple(one.id for one in named))}."
        )
    (chain,) = named
    sized, timed, rated = given
    found = layers_of(chain, inventory, size=options.size if sized else 1 << 62, wanted=options.layers)
    if (no := refusal(found, yes=yes)) is not None:
        raise no
    if found.users:
        options = replace(
            options,
            rate=options.rate if rated else _SHARED_RATE,
            runtime=options.runtime if timed else _SHARED_RUNTIME,
        )
    options = replace(options, size=max(place.size for place in found.places))
    tools = Tools((machine or this_machine()).writer)
    report = run_volume(
        found,
        name=chain.id,
        host=host,
        look=lambda: Inventory(host, config),
        tools=tools,
        options=options,
        tell=_teller(),
    )
    _show(report, host, format=format, destination=destination)
    whole = all(one.runs for layer, _ in report.layers for one in layer.jobs) and not found.left_out
    return ExitCode.OK if whole else ExitCode.INCOMPLETE


def _show(report: Report, host: Host, *, format: Plain, destination: Output) -> None:
    if format is Plain.JSON:
        from sctune.report.bench_json import render as render_json

        destination.write(render_json(report, identity=host.identity(), source=host.source).encode())
        return
    from sctune.report.bench_text import render

    style = destination.style
    width = style.width if destination.is_terminal else None
    destination.write_text(render(report, identity=host.identity(), style=style, width=width))


def _warn(text: str) -> None:
    from sctune.report.sanitize import clean

    sys.stderr.write(f"sctune: {clean(text)}\n")


def _teller() -> Callable[[str], None]:
    """Says how far it is, where somebody sits at a terminal."""
    try:
        shown = os.isatty(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        shown = False
    return _warn if shown else lambda _text: None
