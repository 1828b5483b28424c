"""What the commands that change a machine share: saying no, and asking first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from sctune.tuning.writer import Refused


def refused(error: Refused) -> ExitCode:
    """Says on standard error what is not done, and why."""
    sys.stderr.write(f"sctune: {clean(error.message)}\n" + (f"{clean(error.hint)}\n" if error.hint else ""))
    return ExitCode.FAILED


def may_ask() -> bool:
    """Whether there is somebody to ask."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (ValueError, AttributeError):
        return False


def agreed(question: str) -> bool:
    """Asks on the terminal. Only a clear yes is one."""
    sys.stdout.flush()
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
