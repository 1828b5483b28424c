"""How undoing a step came out, in the words of journal and report."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of one step. `RESTORE` is a verdict before, the others are said afterwards."""

    RESTORE = "restore"
    """It is as we left it, and can be undone."""
    BACK = "back"
    ALREADY = "already back"
    GONE = "gone"
    """What it was set on is not there any more: there is nothing to undo."""
    REBOOTED = "taken back by a reboot"
    LEFT = "left"
    """Somebody has changed it since: not touched without --force."""
    FAILED = "failed"
