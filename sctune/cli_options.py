"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

import typer

Body: TypeAlias = Callable[[], int]
"""What a command does, ready to be called: typer only parses. It would turn Ctrl-C and a reader that has gone into exit codes
of its own."""

From = Annotated[
    str | None, typer.Option("--from", metavar="PATH", help="Look at a capture or sos archive (file or folder), not here.")
]
Root = Annotated[
    str | None, typer.Option("--root", metavar="DIR", help="Look at a file tree, e.g. a mounted image; runs no command.")
]
OutputFile = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write there, whole or not at all; - is standard output.")
]
Configuration = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Configuration (default: /etc/sctune/sctune.yaml where there is one)."),
]

# Which collectors of the exporter run, and how much they tell: `sctune metrics`, `exporter` and `collector`.
Collectors = Annotated[
    list[str] | None, typer.Option("--collector", metavar="NAME", help="Switch this collector on; may be given again.")
]
NoCollectors = Annotated[
    list[str] | None, typer.Option("--no-collector", metavar="NAME", help="Switch this collector off; may be given again.")
]
NoDefaults = Annotated[
    bool, typer.Option("--disable-defaults", help="Of the collectors only those that --collector or the configuration switches on.")
]
Detail = Annotated[
    bool | None, typer.Option("--detail/--no-detail", help="A series for each object, or totals alone (default: as configured).")
]

# Hosts over SSH: `sctune doctor --host`.
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="[USER@]HOST", help="Look at this host over ssh, not here; may be given again."),
]
HostLists = Annotated[
    list[str] | None, typer.Option("--hosts", metavar="FILE", help="Also at those in this file, one a line; - is standard input.")
]
Sudo = Annotated[bool, typer.Option("--sudo", help="There, look as root with sudo, which must want no password.")]
Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", help="Hosts looked at side by side (default: 8).")]
HostTimeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="When a host over ssh is given up (default: 60).")
]
