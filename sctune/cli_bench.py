"""The command that measures. It is parsed here; see `sctune.cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from sctune.bench.model import Layer  # noqa: TC001 - typer reads annotations when it runs
from sctune.cli_options import Body, Configuration, OutputFile  # noqa: TC001 - likewise
from sctune.report.format import Plain


def bench(
    volume: Annotated[
        str | None, typer.Argument(metavar="[VOLUME]", help="Read this volume, layer by layer; default: a scratch volume.")
    ] = None,
    *,
    folder: Annotated[
        str | None, typer.Option("--in", metavar="FOLDER", help="Where the scratch volume lies (default: the configured store).")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="SIZE", help='Of the scratch volume, "1 GiB" by default; of a volume: all of it.'),
    ] = None,
    runtime: Annotated[
        int | None, typer.Option("--runtime", metavar="SECONDS", min=1, max=86400, help="Of a run, 60 by default.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", metavar="N", min=1, max=100, help="Of each job: their median counts.")] = 3,
    layer: Annotated[list[Layer] | None, typer.Option("--layer", help="Only this layer; may be given again.")] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only read, also the scratch volume. A volume is never written to.")
    ] = False,
    direct_io: Annotated[
        bool | None,
        typer.Option("--direct-io/--no-direct-io", help="Of the scratch volume's loop device (default: as the host's own are)."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="SPEED", help='Take no more, such as "64 MiB/s", which a volume in use has by default.'),
    ] = None,
    control_port: Annotated[
        int, typer.Option("--control-port", metavar="N", min=0, max=65535, help="Of the tgtd that takes the scratch target.")
    ] = 0,
    clean: Annotated[bool, typer.Option("--clean", help="Only remove what a killed benchmark left.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Read a volume though it is in use: its users wait for it.")] = False,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
    config: Configuration = None,
) -> Body:
    """Measure a volume's chain layer by layer with fio.

    File, loop device, LV, target: each against the one below it, with the layer named where a cache answers instead of the disk.

    Without VOLUME it makes a scratch volume, writes and reads it, and removes it whatever happens. A VOLUME is only read.

    Exit code: 0 done; 1 refused, or something could not be removed; 2 wrong usage or configuration; 3 a part could not be measured.
    """
    if volume is not None and (folder is not None or direct_io is not None or clean):
        raise typer.BadParameter("--in, --direct-io and --clean are about scratch volumes", param_hint="VOLUME")

    def body() -> int:
        from sctune.commands.bench import run_bench

        return run_bench(
            volume,
            folder=folder,
            clean=clean,
            size=_size(size),
            runtime=runtime,
            runs=runs,
            layers=tuple(layer or ()),
            read_only=read_only,
            direct_io=direct_io,
            rate=_rate(rate),
            control_port=control_port,
            yes=yes,
            format=format,
            output=output,
            config_path=config,
        )

    return body


def _size(text: str | None) -> int | None:
    from sctune.config.sizes import Unreadable, parse_size
    from sctune.errors import UserError

    try:
        return None if text is None else parse_size(text)
    except Unreadable as error:
        raise UserError(f"--size: {error}") from None


def _rate(text: str | None) -> int | None:
    from sctune.config.sizes import Unreadable, parse_rate
    from sctune.errors import UserError

    try:
        return None if text is None else int(parse_rate(text))
    except Unreadable as error:
        raise UserError(f"--rate: {error}") from None
