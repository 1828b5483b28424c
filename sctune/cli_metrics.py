"""The command that prints samples for Prometheus once. It is parsed here; see `sctune.cli`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from sctune.cli_options import (  # noqa: TC001 - typer reads annotations when it runs
    Body,
    Collectors,
    Configuration,
    Detail,
    From,
    NoCollectors,
    NoDefaults,
    OutputFile,
    Root,
)


def metrics(
    *,
    from_path: From = None,
    root: Root = None,
    textfile: Annotated[
        str | None,
        typer.Option("--textfile", metavar="FILE", help="Write FILE, which ends in .prom, for node_exporter's textfile collector."),
    ] = None,
    openmetrics: Annotated[bool, typer.Option("--openmetrics", help="In the OpenMetrics format, not in Prometheus' own.")] = False,
    collector: Collectors = None,
    no_collector: NoCollectors = None,
    disable_defaults: NoDefaults = False,
    detail: Detail = None,
    output: OutputFile = None,
    config: Configuration = None,
) -> Body:
    """Print metrics for Prometheus, once.

    Exit code: 0 done; 1 the file could not be written; 2 wrong usage or configuration; 3 done, but a collector could not read all.
    """
    from sctune.commands.metrics import run_metrics

    return partial(
        run_metrics,
        from_path=from_path,
        root=root,
        output=output,
        textfile=textfile,
        openmetrics=openmetrics,
        on=tuple(collector or ()),
        off=tuple(no_collector or ()),
        defaults=not disable_defaults,
        detail=detail,
        config_path=config,
    )
