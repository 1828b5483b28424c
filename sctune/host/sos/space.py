"""Free space by `df -al` and `df -ali`, which sos asks with -x autofs: local file systems, in blocks of 1 KiB."""

from __future__ import annotations

import re

from sctune.host.base import FilesystemSpace

_FIGURES = re.compile(r"(?<= )(\d{1,18}) +(\d{1,18}) +(\d{1,18}) +(?:\d{1,3}%|-) (/.*)", re.ASCII)


def parse(blocks: str, inodes: str) -> dict[str, FilesystemSpace]:
    """The space by mount point. A mount point that another was mounted over is told once, as the last one.

    What root may still use is the total without what is used; df's third figure is what everybody may.
    """
    counts = _rows(inodes)
    found: dict[str, FilesystemSpace] = {}
    for point, (total, used, available) in _rows(blocks).items():
        nodes, _, free_nodes = counts.get(point, (0, 0, 0))
        found[point] = FilesystemSpace(
            total=total << 10, free=max(0, total - used) << 10, available=available << 10, inodes=nodes, inodes_free=free_nodes
        )
    return found


def _rows(text: str) -> dict[str, tuple[int, int, int]]:
    """The three figures by mount point. A long name of a device stands on a line of its own in old versions."""
    found: dict[str, tuple[int, int, int]] = {}
    before = ""
    for line in text.split("\n"):
        match = _FIGURES.search(before + line)
        before = ""
        if match is not None:
            found[match[4]] = (int(match[1]), int(match[2]), int(match[3]))
        elif line.startswith(("/", "overlay")) and len(line.split()) == 1:
            before = line + " "
    return found
