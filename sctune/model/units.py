"""Sizes and times in words for people. Base units everywhere else."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB
SECTOR = 512
"""The kernel's unit of block sizes, whatever the device's own block size is."""


def size_words(size: float) -> str:
    """`size` bytes as people write it: 5.0 GiB, 512 B."""
    for unit, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(size) >= unit:
            value = size / unit
            return f"{value:.0f} {name}" if value >= 100 or value == int(value) else f"{value:.1f} {name}"
    return f"{size:.0f} B"


def duration_words(seconds: float) -> str:
    """`seconds` as people write it: 45 s, 12 min, 3 h, 2 days."""
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def moment_words(seconds: float) -> str:
    """A time in seconds since the epoch as people and programs write it: 2015-06-01T10:11:12Z."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
