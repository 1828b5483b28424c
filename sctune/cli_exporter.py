"""The commands that serve samples to Prometheus. They are parsed here; see `sctune.cli`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from sctune.cli_options import (  # noqa: TC001 - typer reads annotations when it runs
    Body,
    Collectors,
    Configuration,
    Detail,
    NoCollectors,
    NoDefaults,
)

if TYPE_CHECKING:
    from sctune.commands.exporter import Chosen


def exporter(
    *,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            metavar="ADDRESS",
            help="Serve on HOST:PORT, [::]:PORT, :PORT or a socket /PATH; may be given again (default: 127.0.0.1:10197).",
        ),
    ] = None,
    web_config: Annotated[
        str | None, typer.Option("--web-config", metavar="FILE", help="TLS and passwords: node_exporter's web.config.yml.")
    ] = None,
    collector_socket: Annotated[
        str | None,
        typer.Option(
            "--collector-socket", metavar="PATH", help="Pass on what sctune collector answers there, and look at nothing."
        ),
    ] = None,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Serve as this user where it is run as root.")] = "nobody",
    max_requests: Annotated[
        int, typer.Option("--max-requests", metavar="N", min=1, max=1000, help="Different scrapes at the same time; more get 503.")
    ] = 40,
    collector: Collectors = None,
    no_collector: NoCollectors = None,
    disable_defaults: NoDefaults = False,
    detail: Detail = None,
    config: Configuration = None,
) -> Body:
    """Serve samples of this host to Prometheus.

    As root it starts a second process that looks at the host, and serves as --user. SIGHUP reads the web configuration again; a
    changed one is read by itself. docs/exporter-web.md.

    Exit code: 0 it was told to end; 1 the process that looks at the host has ended; 2 wrong usage or configuration.
    """
    if collector_socket is not None and (collector or no_collector or disable_defaults or detail is not None):
        raise typer.BadParameter("the collector behind it decides what is collected", param_hint="--collector-socket")
    from sctune.commands.exporter import run_exporter

    return partial(
        run_exporter,
        listen=tuple(listen or ()),
        web_config=web_config,
        collector_socket=collector_socket,
        user=user,
        max_requests=max_requests,
        chosen=_chosen(collector, no_collector, disable_defaults, detail, config),
    )


def collector(
    *,
    socket: Annotated[
        str | None,
        typer.Option("--socket", metavar="PATH", help="Answer there (default: systemd's socket, else /run/sctune/collector.sock)."),
    ] = None,
    allow_user: Annotated[
        list[str] | None, typer.Option("--allow-user", metavar="NAME", help="Who may ask, besides root; may be given again.")
    ] = None,
    allow_group: Annotated[
        list[str] | None,
        typer.Option("--allow-group", metavar="NAME", help="Whose own group is this may ask; may be given again."),
    ] = None,
    collector: Collectors = None,
    no_collector: NoCollectors = None,
    disable_defaults: NoDefaults = False,
    detail: Detail = None,
    config: Configuration = None,
) -> Body:
    """Look at this host for an exporter that may not.

    Answers on a Unix socket with finished samples, for sctune exporter --collector-socket. docs/exporter-web.md.

    Exit code: 0 it was told to end; 2 wrong usage or configuration.
    """
    from sctune.commands.exporter import run_collector

    return partial(
        run_collector,
        path=socket,
        users=tuple(allow_user or ()),
        groups=tuple(allow_group or ()),
        chosen=_chosen(collector, no_collector, disable_defaults, detail, config),
    )


def _chosen(on: list[str] | None, off: list[str] | None, disable_defaults: bool, detail: bool | None, config: str | None) -> Chosen:
    from sctune.commands.exporter import Chosen

    return Chosen(on=tuple(on or ()), off=tuple(off or ()), defaults=not disable_defaults, detail=detail, config=config)
