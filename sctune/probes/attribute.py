"""Attributes of sysfs as values (Documentation/filesystems/sysfs.rst: one value a file, as text)."""

from __future__ import annotations

from sctune.unavailable import Unavailable


def unsigned(text: str | Unavailable) -> int | None:
    """An unsigned number; None for an attribute that is not there or holds anything else."""
    if isinstance(text, Unavailable):
        return None
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 20 else None
