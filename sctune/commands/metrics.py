"""`sctune metrics`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.records import replace
from sctune.report.atomic import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = 60.0
"""Nobody waits at the other end: the collectors' own deadlines count."""
_DEADLINE = 12.0
"""Seconds that a collector may take where the configuration says nothing of it: LVM is given 8 s to answer, as by the
doctor, and no next scrape tells what it said later."""
_SUFFIX = ".prom"
_MODE = 0o644


def run_metrics(
    *,
    from_path: str | None,
    root: str | None,
    output: str | None,
    textfile: str | None,
    openmetrics: bool,
    on: Sequence[str],
    off: Sequence[str],
    defaults: bool,
    detail: bool | None,
    config_path: str | None,
) -> int:
    """Looks once and prints the samples. Returns 3 where a collector could not read all, 1 where the file could not be written."""
    from sctune.config.load import load as load_config
    from sctune.exporters.prometheus.local_source import local_source
    from sctune.exporters.prometheus.options import read_options
    from sctune.exporters.prometheus.source import Wanted
    from sctune.host.choose import open_host
    from sctune.report.sanitize import clean

    destination = Output(output) if textfile is None else _textfile(textfile, output, openmetrics)
    config = load_config(config_path)
    # What the printing process itself used is gone with it, and would be in the way of node_exporter's own.
    options = read_options(config, on=on, off=off, defaults=defaults, detail=detail, own=False)
    configured = config.exporter.deadline_seconds
    options = replace(options, once=True, deadline=_DEADLINE if configured is None else configured)
    host = open_host(from_path, root)
    try:
        answer = local_source(host, options).answer(Wanted(timeout=_TIMEOUT, openmetrics=openmetrics))
    finally:
        host.close()
    try:
        destination.write(answer.text)
    except UserError as error:
        sys.stderr.write(f"sctune: {clean(str(error))}\n")
        return ExitCode.FAILED
    return ExitCode.INCOMPLETE if answer.failed else ExitCode.OK


def _textfile(path: str, output: str | None, openmetrics: bool) -> Output:
    """The file for node_exporter. Raises UserError where it would not read it."""
    if output is not None:
        raise UserError("--output and --textfile name two places", "Give one of them.")
    if openmetrics:
        raise UserError("node_exporter's textfile collector reads no OpenMetrics", "Leave out --openmetrics, or use --output.")
    if not path.endswith(_SUFFIX):
        raise UserError(f"--textfile {path}: node_exporter reads files that end in {_SUFFIX}", "Name such a file, or use --output.")
    return Output(path, mode=_MODE)
