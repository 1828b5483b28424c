"""The kernel's log as text: which of its lines tell of storage. Pure.

Takes what dmesg(1) prints, raw (`<3>`), with facility (`kern  :err   : `) or without, and what journalctl(1) prints as
short-monotonic. A log is long and on a sound host says nothing of this kind, so it is searched for words first: a word in
the whole log costs less than a pattern for each line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.kernel_log import KernelLog

if TYPE_CHECKING:
    from sctune.model.kernel_log import KernelFault

_LONGEST = 1000
_FAULTS = (
    "I/O error",
    " error, dev ",
    "rror (device ",
    "Sense Key : ",
    "Write error at byte",
    "Invalidating snapshot",
    "Snapshot overflowed",
    "marked invalid",
    "recovery timed out",
    "Remounting filesystem",
    "error count since",
    "allocation failed",
    "orruption",
    "Internal error",
    "CRC error",
    "hutdown",
    "hut down",
    "hutting down",
    "BTRFS error",
    "BTRFS critical",
    "lost page write",
    "switching pool to",
    "no free ",
    "metadata operation ",
    "Aborting journal",
    "JBD",
    "Disk failure on",
    "Device offlined",
    "controller is down",
    "reset failure",
    "probe failure",
)
_ARRIVALS = ("] Attached SCSI ", ": detected capacity change from 0 to ")
_SLEPT = ("PM: suspend", "PM: Syncing filesystems")


def parse(text: str, source: str) -> KernelLog:
    """The storage faults in a log, each kind and device once, in the order of their first lines."""
    places = _lines_with(text, _FAULTS)
    faults: tuple[KernelFault, ...] = ()
    if places:
        from sctune.probes.kernel_log_lines import LINE, Found

        found = Found()
        for start, end in sorted((places | _lines_with(text, _ARRIVALS)).items()):
            line = LINE.match(text[start : min(end, start + _LONGEST)])
            if line is not None:
                found.line(line[2], float(line[1]) if line[1] else None)
        faults = tuple(found.faults())
    return KernelLog(
        faults=faults,
        complete=reaches_boot(text),
        begins=_begins(text),
        suspended=any(word in text for word in _SLEPT),
        source=source,
    )


def reaches_boot(text: str) -> bool:
    """Whether a log begins with what the kernel says first of all."""
    return "Linux version " in text[:4096]


def _begins(text: str) -> float | None:
    """The time in the brackets of the first line."""
    stamp = text[:80].partition("[")[2].partition("]")[0].strip()
    return float(stamp) if stamp.replace(".", "", 1).isdecimal() and stamp.isascii() and len(stamp) < 24 else None


def _lines_with(text: str, words: tuple[str, ...]) -> dict[int, int]:
    """Start and end of every line that holds one of the words."""
    places: dict[int, int] = {}
    for word in words:
        position = text.find(word)
        while position >= 0:
            start = text.rfind("\n", 0, position) + 1
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            places[start] = end
            position = text.find(word, end)
    return places
