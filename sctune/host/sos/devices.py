"""What is under /sys/block by what sos asked: sos copies the queues alone, and asked udevadm, the kernel's tables and dmsetup.

- `udevadm info -a /dev/X` prints the attributes of a device, those of its folders too (ATTR{size}, ATTR{loop/dio}, ATTR{dm/name}),
  but none that holds a path: of a loop device everything but the file behind it. Some versions of udev print no folders.
- /proc/partitions: number and size in KiB. A device of no size is not in it.
- `ls -lanR /sys/block`: all devices, and the link that says through which iSCSI session a disk came.
- `dmsetup info -c`: name, number, uuid and whether a device is suspended; the devices under it stand in `dmsetup table`.
- `losetup -a`: the file behind a loop device.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ATTRIBUTE = re.compile(r'    ATTR\{([^}]+)\}=="(.*)"')
_PARTITION = re.compile(r" *(\d{1,7}) +(\d{1,7}) +(\d{1,18}) (\S+)", re.ASCII)
_DM_ROW = re.compile(r"(?<= )(\d{1,7}) +(\d{1,7}) (\S{4,8}) +-?\d{1,9} +-?\d{1,9} +\d{1,10}(?: (.*))?$", re.ASCII)
_DM_TITLES = ("Name", "Maj", "Min", "Stat", "Open", "Targ", "Event", "UUID")
_WHOLE = re.compile(
    r"sd[a-z]+|[sv]d[a-z]+|xvd[a-z]+|loop\d+|dm-\d+|md[_0-9][^/]*|nvme\d+n\d+|zram\d+|ram\d+|mmcblk\d+|sr\d+|vd[a-z]+", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DmRow:
    """A line of `dmsetup info -c`."""

    name: str
    major: int
    minor: int
    suspended: bool
    uuid: str


@dataclass(slots=True, kw_only=True)
class Tree:
    """Texts and listings of /sys by path."""

    files: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)


def attributes(text: str) -> dict[str, str]:
    """What `udevadm info -a` says of the device itself, not of those above it. A text that does not say which device it is of has
    none."""
    found: dict[str, str] = {}
    inside = False
    for line in text.split("\n"):
        if line.startswith("  looking at device "):
            inside = True
        elif line.startswith("  looking at parent device "):
            break
        elif inside and (match := _ATTRIBUTE.fullmatch(line)):
            found[match[1]] = match[2]
    return found


def partitions(text: str) -> dict[str, tuple[int, int, int]]:
    """/proc/partitions: major, minor and KiB by name. Raises ValueError for a line that is none."""
    found: dict[str, tuple[int, int, int]] = {}
    for line in text.split("\n"):
        if not line.strip() or line.startswith("major"):
            continue
        match = _PARTITION.fullmatch(line.rstrip())
        if match is None:
            raise ValueError(f"not a line of /proc/partitions: {line[:60]!r}")
        found[match[4]] = (int(match[1]), int(match[2]), int(match[3]))
    return found


def dm_rows(text: str) -> tuple[DmRow, ...]:
    """`dmsetup info -c`; () where there are no devices. Raises ValueError where it is not that report."""
    lines = [line for line in text.split("\n") if line.strip()]
    titles = next((place for place, line in enumerate(lines) if tuple(line.split()) == _DM_TITLES), None)
    if titles is None:
        if any(line.strip() == "No devices found" for line in lines):
            return ()
        raise ValueError(f"not a report of dmsetup: {(lines or [''])[0][:60]!r}")
    rows: list[DmRow] = []
    for line in lines[titles + 1 :]:
        match = _DM_ROW.search(line.rstrip())
        if match is None or not line[: match.start()].strip():
            raise ValueError(f"not a line of dmsetup info: {line[:60]!r}")
        rows.append(
            DmRow(
                name=line[: match.start()].rstrip(),
                major=int(match[1]),
                minor=int(match[2]),
                suspended="s" in match[3],
                uuid=(match[4] or "").strip(),
            )
        )
    return tuple(rows)


def whole_devices(names: Iterable[str]) -> tuple[str, ...]:
    """Of the names in /proc/partitions those that are no partition."""
    return tuple(name for name in names if _WHOLE.fullmatch(name))


def of_udev(name: str, said: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Path and text of each attribute, as the kernel shows it."""
    for attribute, value in said.items():
        yield f"/sys/block/{name}/{attribute}", value + "\n"
