"""Records in plain words: sizes, times, evidence, subjects, reasons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sctune.findings import SubjectKind
from sctune.unavailable import Reason

if TYPE_CHECKING:
    from sctune.findings import Subject, Value

_MAX_LISTED = 5

_KINDS = {
    SubjectKind.LOOP: "loop device on",
    SubjectKind.VG: "VG",
    SubjectKind.LV: "LV",
    SubjectKind.LUN: "LUN",
    SubjectKind.FILESYSTEM: "file system",
    SubjectKind.INTERFACE: "network interface",
}
_PLURALS = {
    SubjectKind.HOST: "hosts",
    SubjectKind.LOOP: "loop devices",
    SubjectKind.PROCESS: "processes",
}

_REASONS = {
    Reason.ABSENT: "not there",
    Reason.DENIED: "permission denied",
    Reason.TIMEOUT: "no answer in time",
    Reason.FAILED: "failed",
    Reason.MALFORMED: "the answer could not be understood",
    Reason.NOT_COLLECTED: "not recorded",
}

# The last word of a fact's name tells its unit. Those in the first group of each pair are left out of the name then.
_SIZES = (("bytes",), ("size", "sizelimit", "offset", "available", "total", "needed", "unwritten"))
_TIMES = (("seconds",), ("timeout", "interval"))
_RATIOS = (("ratio", "share", "fraction"), ("used", "free"))
_SPEED = "_bytes_per_second"


def subject_words(subject: Subject) -> str:
    """What a finding is about: "volume vol-391D44BE", "this host"."""
    if subject.kind is SubjectKind.HOST:
        return "this host"
    return f"{_KINDS.get(subject.kind, subject.kind.value)} {subject.id}"


def kind_plural(kind: SubjectKind) -> str:
    """The word for several: "volumes", "VGs"."""
    return _PLURALS.get(kind) or _KINDS.get(kind, kind.value) + "s"


def reason_words(reason: Reason) -> str:
    """Why something is not known."""
    return _REASONS[Reason(reason)]


def size_words(size: float) -> str:
    """Bytes in the largest binary unit that leaves at least 1, with three figures: "256 GiB", "1.5 MiB", "512 bytes"."""
    value = float(size)
    if not math.isfinite(value):
        return "unknown"
    if abs(value) < 1024:
        return f"{value:.0f} bytes"
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        value /= 1024
        # Not 1024: what rounds up to "1024 MiB" is "1 GiB".
        if abs(value) < 1023.5 or unit == "EiB":
            break
    return f"{_figures(value)} {unit}"


def time_words(seconds: float) -> str:
    """A duration in its two largest units: "0.4 s", "90 s", "2 h 5 min", "3 days 4 h"."""
    if not math.isfinite(seconds):
        return "unknown"
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    if left <= 120:
        return f"{sign}{_figures(left)} s"
    minutes = round(left / 60)
    if minutes < 120:
        return f"{sign}{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{sign}{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{sign}{days} days" + (f" {hours} h" if hours else "")


def ratio_words(ratio: float) -> str:
    """A ratio as a percentage, never rounded up to 100 nor down to 0."""
    percent = ratio * 100
    if not math.isfinite(percent):
        return "unknown"
    if 99.95 <= percent < 100:
        return "99.9 %"
    if 0 < percent < 0.05:
        return "less than 0.1 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"


def evidence_words(key: str, value: Value) -> tuple[str, str]:
    """A fact's name and value as people read them. The last word of the key says the unit: used_bytes, file_size, held_seconds,
    recovery_timeout, used_ratio. A ratio is a float: the kernel's vm.dirty_ratio is a whole number of percent and stays one."""
    name = key.replace("_", " ")
    if value is None:
        return name, "unknown"
    if isinstance(value, bool):
        return name, "yes" if value else "no"
    if isinstance(value, tuple):
        return name, list_words(value) or "none"
    if isinstance(value, str):
        return name, value or "none"
    if key.endswith(_SPEED):
        return key.removesuffix(_SPEED).replace("_", " "), f"{size_words(value)}/s"
    rest, _, unit = name.rpartition(" ")
    for words, (dropped, kept) in ((size_words, _SIZES), (time_words, _TIMES), (ratio_words, _RATIOS)):
        if unit in dropped or unit in kept:
            if words is ratio_words and isinstance(value, int):
                break
            return (rest or unit) if unit in dropped else name, words(value)
    return name, str(value) if isinstance(value, int) else f"{value:.6g}"


def list_words(items: tuple[str, ...], limit: int = _MAX_LISTED) -> str:
    """The first few, and how many more: "a, b and 3 more". Never "and 1 more", where its name takes the same room."""
    if len(items) <= limit + 1:
        return ", ".join(items)
    return f"{', '.join(items[:limit])} and {len(items) - limit} more"


def count_words(number: int, one: str, many: str = "") -> str:
    """ "1 volume", "200 volumes"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _figures(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.1f}"
    return text.removesuffix(".0")
