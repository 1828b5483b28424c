"""`ls -lanR /dev` and `ls -lanR /sys/block` as sos asks them: folders, links and device numbers.

    /dev:
    total 0
    brw-rw----  1 0 6 253,   0 Nov 26 07:18 dm-0
    lrwxrwxrwx  1 0 0        7 Nov 26 07:18 euca-vol -> ../dm-0

Later sos puts a security context (-Z) before the size and the date; a name may hold blanks, so it begins after the time or year.
"""

from __future__ import annotations

import re

from sctune.host.base import FileKind, FileStat
from sctune.records import dataclass, field

_ENTRY = re.compile(
    r"([bcdlps-])([r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-])[.+@]? +\d+ +(\S+) +\S+ +(?:[^\s:]*:[^\s:]*:\S+ +|\? +)?"
    r"(?:(\d+), *(\d+)|\S+) +[A-Z][a-z]{2} +\d{1,2} +(?:\d{1,2}:\d\d|\d{4,}) (.*)",
    re.ASCII,
)
_KINDS = {"b": FileKind.BLOCK, "d": FileKind.DIRECTORY, "-": FileKind.FILE}


@dataclass(slots=True, kw_only=True)
class Listing:
    """Names by folder, targets by link, stats by path, numbers of character devices ("10:236"). A folder whose lines could not all
    be understood is not there."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    stats: dict[str, FileStat] = field(default_factory=dict)
    characters: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Listing:
    """Reads one listing. Never fails: a folder that is not understood is left out."""
    found = Listing()
    folder: str | None = None
    names: list[str] = []
    sound = True

    def close() -> None:
        if folder is not None and sound:
            found.names[folder] = tuple(sorted(names))

    for line in text.split("\n"):
        if line.startswith("/") and line.endswith(":"):
            close()
            folder, names, sound = line[:-1].rstrip("/") or "/", [], True
        elif folder is None or not line or line.startswith("total "):
            continue
        elif (match := _ENTRY.fullmatch(line)) is None:
            sound = False
        else:
            name = _add(found, folder, match)
            if name not in (".", ".."):
                names.append(name)
    close()
    return found


def _add(found: Listing, folder: str, match: re.Match[str]) -> str:
    kind, name = match[1], match[6]
    if kind == "l":
        name, _, target = name.partition(" -> ")
        found.links[f"{folder}/{name}"] = target
        return name
    if name in (".", ".."):
        return name
    number = (int(match[4]), int(match[5])) if match[4] and len(match[4]) < 10 and len(match[5]) < 10 else None
    if kind == "c" and number is not None:
        found.characters[f"{folder}/{name}"] = f"{number[0]}:{number[1]}"
    found.stats[f"{folder}/{name}"] = FileStat(
        kind=_KINDS.get(kind, FileKind.OTHER),
        size=0,
        allocated=0,
        device=0,
        inode=0,
        mtime=0.0,
        mode=_mode(match[2]),
        uid=int(match[3]) if match[3].isdecimal() and len(match[3]) < 11 else 0,
        rdevice=number if kind == "b" else None,
    )
    return name


def _mode(letters: str) -> int:
    return sum(1 << (8 - place) for place, letter in enumerate(letters) if letter not in "-ST")
