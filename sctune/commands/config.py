"""`sctune config`: is it right, what is in force and why, and one to begin with."""

from __future__ import annotations

import datetime
import sys
from typing import TYPE_CHECKING

from sctune.config.load import DEFAULT_PATH, DROP_INS, parse_all, read_sources
from sctune.exitcodes import ExitCode
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.config.model import Config


def run_check(path: str | None) -> int:
    """Reads it and says so. Raises UserError that names every problem in every file."""
    sources = read_sources(path)
    config, _ = parse_all(sources)
    for file, _ in sources:
        sys.stdout.write(f"{clean(file)}: correct\n")
    if not sources:
        sys.stdout.write(f"There is no {DEFAULT_PATH} and nothing in {DROP_INS}: everything has its default.\n")
    today = datetime.date.today().isoformat()
    for mute in config.mutes:
        if mute.until < today:
            sys.stdout.write(f"The mute of {mute.code} for {clean(mute.subject)} ended on {mute.until}: {clean(mute.reason)}\n")
    return int(ExitCode.OK)


def run_show(path: str | None, *, origin: bool) -> int:
    """Prints what is in force; with `origin` where each value is from."""
    from sctune.config.show import show

    sources = read_sources(path)
    found: tuple[Config, Mapping[str, str]] = parse_all(sources)
    config, origins = found
    for file, _ in sources:
        sys.stdout.write(f"# {clean(file)}\n")
    sys.stdout.write(show(config, {key: clean(place) for key, place in origins.items()} if origin else None))
    return int(ExitCode.OK)


def run_sample() -> int:
    """Prints a commented sample of every key."""
    from sctune.config.sample import sample

    sys.stdout.write(sample())
    return int(ExitCode.OK)
