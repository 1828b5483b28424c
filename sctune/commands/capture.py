"""`sctune capture`: records one look of the doctor's, without secrets, for `sctune doctor --from`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.check import Unexamined
    from sctune.config.model import Config
    from sctune.host.base import Host
    from sctune.model.report import Report

_SHOWN = 20
PATIENCE = 40.0
"""Seconds for all looks of one capture: it is made once and kept, and what a slow host was not asked is missing for ever."""


def run_capture(output: str, config_path: str | None) -> int:
    """Looks at this machine as the doctor would and writes what it was answered to `output`.

    Returns 0, or 3 where something that applies to this host could not be read: the capture holds that it could not be.
    Raises UserError for a wrong name, a wrong configuration, or a place that cannot be written.
    """
    from sctune.config.load import load
    from sctune.host.bundle import write_bundle
    from sctune.host.live import LiveHost
    from sctune.host.pack import refuse_early
    from sctune.host.recording import RecordingHost

    refuse_early(output)
    config = load(config_path)
    with LiveHost(budget=PATIENCE) as live:
        host = RecordingHost(live)
        report = look(host, config)
        write_bundle(host.answers(), output)
    sys.stdout.write(summary(output, report))
    return int(ExitCode.INCOMPLETE if unexamined(report) else ExitCode.OK)


def run_script(output: str | None) -> int:
    """Writes the script that captures a host which cannot run sctune to `output`, or to standard output. Raises UserError."""
    from sctune.report.atomic import Output
    from sctune.script.generate import script
    from sctune.version import VERSION

    place = Output(output)
    place.write(script(VERSION).encode())
    return int(ExitCode.OK)


def look(host: Host, config: Config) -> Report:
    """Asks all that the doctor asks, its second look included, and all that no check asks for yet: a capture is kept, and
    next year's doctor has more checks."""
    from sctune.doctor import diagnose
    from sctune.inventory import Inventory
    from sctune.registry import load_checks

    checks = load_checks()
    report = diagnose(host, config, checks)
    names = set(Inventory.all_parts())
    # The chains are a join of other parts and ask for nothing of their own.
    Inventory(host, config).fetch(sorted(names - {name for check in checks for name in check.needs} - {"chains"}))
    return report


def unexamined(report: Report) -> tuple[Unexamined, ...]:
    """What applies to the host and could not be looked at, each thing once."""
    return tuple(dict.fromkeys(item for check in report.checks for item in check.unexamined))


def summary(output: str, report: Report) -> str:
    """What was written, what is missing in it, and what to do with it."""
    from sctune.report.sanitize import clean

    missing = unexamined(report)
    lines = [f"Wrote {clean(output)}: what {clean(report.identity.name)} was asked and answered; secrets are masked."]
    if missing:
        lines.append(f"Not readable, and kept as such ({len(missing)}):")
        lines.extend(_missing_lines(missing))
    if report.root_would_help:
        lines.append("Run it as root to read everything.")
    if report.abandoned:
        pids = ", ".join(map(str, report.abandoned))
        lines.append(f"Left behind in uninterruptible sleep, ends by itself when the kernel lets go: pid {pids}.")
    lines.append("Look before you send it: a capture names files, volumes, addresses and accounts of the host.")
    return "\n".join(lines) + "\n"


def _missing_lines(missing: Iterable[Unexamined]) -> Iterable[str]:
    from sctune.report.sanitize import clean

    items = list(missing)
    for item in items[:_SHOWN]:
        detail = f" ({clean(item.detail)})" if item.detail else ""
        yield f"  {clean(item.what)}: {item.reason.value}{detail}"
    if len(items) > _SHOWN:
        yield f"  and {len(items) - _SHOWN} more"
