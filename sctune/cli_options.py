"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

import typer

Body: TypeAlias = Callable[[], int]
"""What a command does, ready to be called: typer only parses. It would turn Ctrl-C and a reader that has gone into exit codes
of its own."""

From = Annotated[
    str | None, typer.Option("--from", metavar="PATH", help="Look at a capture (file or folder) instead of this machine.")
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
