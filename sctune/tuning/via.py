"""The programs that can make and keep settings in sctune's stead."""

from __future__ import annotations

from enum import StrEnum


class Via(StrEnum):
    """One of them, as --via has it."""

    TUNED = "tuned"
