"""Questions that were put by pattern, and commands of which part depends on what the host has: how sctune-capture.sh asks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILTER = re.compile(r'(?:use_devicesfile=0|(?:global_)?filter=\[(?:"[^"]*",?)*\])')
_BLANKS = re.compile(r" *([{}]) *| +")


def covers(pattern: str, path: str) -> bool:
    """Whether a pattern stands for a path, or for all that another pattern stands for. A part of it has one star at most, which
    as in the shell does not stand for a dot at the beginning."""
    parts, others = pattern.split("/"), path.split("/")
    return len(parts) == len(others) and all(_covers(part, other) for part, other in zip(parts, others, strict=True))


def _covers(part: str, other: str) -> bool:
    if part == other:
        return True
    head, star, tail = part.partition("*")
    if not star or (not head and other.startswith(".")):
        return False
    return len(other) >= len(head) + len(tail) and other.startswith(head) and other.endswith(tail)


def without_devices(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line of LVM without what depends on the devices that the host has: which it may open, and whether the kernel knows
    device-mapper."""
    words = list(argv)
    if not words or words[0] != "lvm" or "--config" not in words:
        return tuple(words)
    if "--driverloaded" in words:
        position = words.index("--driverloaded")
        del words[position : position + 2]
    place = words.index("--config") + 1
    if place < len(words):
        words[place] = _BLANKS.sub(lambda found: found[1] or " ", _FILTER.sub("", words[place])).strip()
    return tuple(words)
