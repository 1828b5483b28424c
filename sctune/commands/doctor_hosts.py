"""`sctune doctor --host`: the doctor on other hosts, over SSH."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.report.atomic import Output
from sctune.report.format import FailOn, Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.model.fleet import Fleet
    from sctune.registry import Registry

MOST_JOBS = 64
_LARGEST_LIST = 1024 * 1024
_FORMATS = (Format.TEXT, Format.JSON, Format.HTML)


def run_doctor_hosts(
    *,
    hosts: Sequence[str],
    lists: Sequence[str],
    sudo: bool,
    jobs: int,
    seconds: float,
    names: Sequence[str],
    format: Format,
    output: str | None,
    fail_on: FailOn,
    config_path: str | None,
    since: str | None = None,
    quiet: bool = False,
) -> int:
    """Looks at all hosts, writes the report, returns the exit code of all. What is wrong with the request is said before any
    host is looked at."""
    from sctune.commands.doctor import choose, reading_back
    from sctune.commands.doctor_hosts_html import HostPages
    from sctune.config.load import load as load_config
    from sctune.fleet import look_around
    from sctune.host.ssh import LEAST_SECONDS, SshLook, checked_address
    from sctune.progress import counting
    from sctune.registry import load as load_registry
    from sctune.report.fleet import fleet_exit_code
    from sctune.script.generate import script
    from sctune.version import VERSION

    if format not in _FORMATS:
        raise UserError(f"--format {format.value} is of one host and does not go with --host", "Use text, json or html.")
    if quiet and format is not Format.TEXT:
        raise UserError(f"--quiet is for text, and --format {format.value} asks for a whole document", "Leave one of them out.")
    if not 1 <= jobs <= MOST_JOBS:
        raise UserError(f"--jobs {jobs}: it is from 1 to {MOST_JOBS}")
    if not LEAST_SECONDS <= seconds <= 3600:
        raise UserError(f"--timeout {seconds:g}: it is from {LEAST_SECONDS} to 3600 seconds")
    addresses = tuple(dict.fromkeys(map(checked_address, (*hosts, *(host for path in lists for host in _listed(path))))))
    if not addresses:
        raise UserError(f"no host is named in {', '.join(lists)}", "Write one a line, as for ssh.")
    registry = load_registry()
    checks = choose(registry, names)
    pages = HostPages(addresses, output) if format is Format.HTML else None
    destination = None if pages else Output(output)
    config = reading_back(load_config(config_path), since)
    look = SshLook(script=script(VERSION), sudo=sudo, seconds=seconds, stores=config.stores)
    with counting(len(addresses)) as count:
        fleet = look_around(
            addresses,
            look,
            config,
            checks,
            jobs=jobs,
            each=lambda _: count(),
            more=partial(pages.drawn, registry=registry) if pages else None,
        )
    if pages is not None:
        pages.finish(fleet)
    elif destination is not None:
        _write(destination, fleet, fail_on, format, registry, quiet=quiet)
    return int(fleet_exit_code(fleet, fail_on))


def _write(destination: Output, fleet: Fleet, fail_on: FailOn, format: Format, registry: Registry, *, quiet: bool) -> None:
    if format is Format.JSON:
        from sctune.report.fleet_json import render_fleet_json

        destination.write(render_fleet_json(fleet).encode())
    else:
        from sctune.report.fleet_text import render_fleet
        from sctune.report.layout import columns

        width = columns(is_terminal=destination.is_terminal, environment=os.environ) or None
        codes = {code.code: code for _, code in registry.codes()}
        destination.write_text(render_fleet(fleet, fail_on, style=destination.style, width=width, codes=codes, quiet=quiet))


def _listed(path: str) -> Iterator[str]:
    """The hosts in a file ("-": standard input), one a line; what follows a # is a remark."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_LARGEST_LIST + 1)
        else:
            with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY), "rb") as file:
                data = file.read(_LARGEST_LIST + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a path"
        raise UserError(f"cannot read {path}: {reason.lower()}", "Name a file with one host a line.") from None
    if len(data) > _LARGEST_LIST:
        raise UserError(f"{path} is larger than 1 MiB, so surely no list of hosts", "Name a file with one host a line.")
    for line in data.decode("utf-8", "replace").splitlines():
        word = line.partition("#")[0].strip()
        if word:
            yield word
