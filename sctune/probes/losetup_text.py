"""`losetup -a` in its old form (losetup(8) of util-linux 2.17 to 2.23), for kernels before 2.6.37, without /sys/block/loopN/loop.

    /dev/loop0: [fd00]:26524 (/root/loop.img), offset 512, sizelimit 1024

In brackets is the file's device, hexadecimal up to 2.20 and decimal since, then its inode. A name is cut at 62 characters, with
a "*" at the end (LO_NAME_SIZE in linux/loop.h).
"""

from __future__ import annotations

import re

from sctune.records import dataclass

ARGV = ("losetup", "-a")
_LINE = re.compile(
    r"/dev/loop/?(\d{1,7}): \[([0-9a-f]{1,16})\]:(\d{1,20}) \((.*)\)"
    r"((?:, (?:offset|sizelimit) \d{1,20}|, encryption .*)*)\Z",
    re.ASCII,
)
_OPTION = re.compile(r", (offset|sizelimit) (\d+)", re.ASCII)
_CUT = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class OldLoop:
    """A line. `path` is None where it was cut; `devices` are the two readings of the file's device number."""

    number: int
    devices: frozenset[int]
    inode: int
    path: str | None
    offset: int
    sizelimit: int


def parse(text: str) -> tuple[OldLoop, ...]:
    """All devices. Raises ValueError for a line that is none: half a list would be counted as a whole one."""
    found: list[OldLoop] = []
    for line in text.split("\n"):
        if not line:
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"not a line of losetup: {line[:60]!r}")
        path, options = match[4], dict(_OPTION.findall(match[5]))
        readings = {int(match[2], 16), *((int(match[2]),) if match[2].isdecimal() else ())}
        found.append(
            OldLoop(
                number=int(match[1]),
                devices=frozenset(readings),
                inode=int(match[3]),
                path=None if len(path) > _CUT and path.endswith("*") else path,
                offset=int(options.get("offset", 0)),
                sizelimit=int(options.get("sizelimit", 0)),
            )
        )
    return tuple(found)
