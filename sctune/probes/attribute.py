"""Attributes of sysfs as values (Documentation/filesystems/sysfs.rst: one value a file, as text)."""

from __future__ import annotations

from functools import lru_cache

from sctune.unavailable import Unavailable


def unsigned(text: str | Unavailable) -> int | None:
    """An unsigned number; None for an attribute that is not there or holds anything else."""
    return None if isinstance(text, Unavailable) else _number(text)


@lru_cache(maxsize=4096)
def _number(text: str) -> int | None:
    """Most attributes of most devices say one of a few things."""
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 20 else None
