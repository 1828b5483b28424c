"""Values of a profile: how each kind is written, and what one comes to on a host. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.config.sizes import parse_size
from sctune.model.units import KIB, MIB, size_words
from sctune.records import dataclass
from sctune.tuning.schema import Attribute, Section, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,64}\Z")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_SIZE = re.compile(r"[0-9.]+ ?[kKMGTP]i?B\Z")
_MODES = ("always", "madvise", "never")
_SWITCH = ("on", "off")
_MOST_TEXT = 256
_PAGES = (4 * KIB, 16 * KIB, 64 * KIB)
"""Page sizes of Linux: read-ahead is kept in pages."""
_BOUNDS: dict[Attribute | None, tuple[int, int | None]] = {
    Attribute.NR_REQUESTS: (4, 2048),  # BLKDEV_MIN_RQ, MAX_SCHED_RQ (Linux block/blk.h)
    Attribute.MAX_SECTORS_KB: (64, None),  # a page at least (block/blk-sysfs.c)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What values may depend on: all memory in bytes, and the declared flush speed in bytes a second."""

    memory: int | None
    flush_speed: float | None


_SIGNED = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\Z")


def normal(section: Section, attribute: Attribute | None, name: str, text: str) -> str:
    """A value as the kernel (or the tool) takes it. Raises ValueError, with what was expected, for one it cannot be."""
    text = " ".join(text.split())
    match section:
        case Section.SYSCTL:
            return _sysctl(name, text)
        case Section.BLOCK:
            return _attribute(attribute, text)
        case Section.SYSTEM if name == "transparent_hugepage":
            return _one_of(text, _MODES)
        case Section.LOOP:
            return _one_of(text, _SWITCH)
        case Section.TGT:
            return _matching(text, _NUMBER, "a whole number")
        case Section.ISCSI:
            return _matching(text, re.compile(r"[^\s#]{1,64}\Z"), "one word")
        case _:
            return _matching(text, _WORD, "one word")


def _sysctl(name: str, text: str) -> str:
    if name.endswith("_bytes"):
        number = str(parse_size(text)) if _SIZE.match(text) else text
        number = _matching(number, _NUMBER, "a whole number of bytes, or a size such as 600 MiB")
        if number == "0" and name in ("vm.dirty_bytes", "vm.dirty_background_bytes"):
            raise ValueError("0 cannot be written there: set the ratio instead, which puts it in force")
        return number
    if name in ("vm.dirty_ratio", "vm.dirty_background_ratio"):
        number = _matching(text, _NUMBER, "a whole number of per cent")
        if int(number) > 100:
            raise ValueError(f"expected 0 to 100, got {text}")
        return number
    if not text or len(text) > _MOST_TEXT or not text.isascii() or not text.isprintable():
        raise ValueError(f"expected one line of text, got {text!r}")
    return text


def _attribute(attribute: Attribute | None, text: str) -> str:
    if attribute is Attribute.SCHEDULER:
        return _matching(text, _WORD, "the name of a scheduler")
    if attribute in (Attribute.READ_AHEAD_KB, Attribute.MAX_SECTORS_KB) and _SIZE.match(text):
        size = parse_size(text)
        if size % KIB:
            raise ValueError(f"expected whole KiB, got {text}")
        text = str(size // KIB)
    number = int(_matching(text, _NUMBER, "a whole number"))
    least, most = _BOUNDS.get(attribute, (0, None))
    if number < least or (most is not None and number > most):
        raise ValueError(f"expected {least} to {most}, got {number}" if most else f"expected {least} or more, got {number}")
    return str(number)


def _matching(text: str, form: re.Pattern[str], expected: str) -> str:
    if not form.match(text):
        raise ValueError(f"expected {expected}, got {text!r}")
    return text


def _one_of(text: str, words: Iterable[str]) -> str:
    if text not in words:
        raise ValueError(f"expected one of {', '.join(words)}, got {text!r}")
    return text


def resolve(value: Value, amounts: Amounts) -> tuple[tuple[str, ...], str]:
    """The texts of a value on a host, the best first; and in words how they came about, "" where they simply are what is written.
    () where the host does not tell what it takes: the words say what is missing."""
    if value.choices:
        return value.choices, ""
    if value.flush_seconds is not None and amounts.flush_speed is not None:
        size = value.flush_seconds * amounts.flush_speed
        how = f"{value.flush_seconds:g} s of the declared flush speed {size_words(amounts.flush_speed)}/s"
    elif value.otherwise is not None:
        size, how = float(value.otherwise), "no flush speed is declared" if value.flush_seconds is not None else ""
    else:
        return (), "no flush speed is declared (flush_speed in the configuration, or --set flush_speed)"
    if value.at_most is not None:
        if amounts.memory is None:
            return (), "how much memory the host has could not be read"
        most = value.at_most * amounts.memory
        if most < size:
            size, how = most, f"{value.at_most * 100:g} % of {size_words(amounts.memory)} of memory"
    return (str(max(MIB, int(size) // MIB * MIB)),), how


def readings(attribute: Attribute, value: str) -> tuple[str, ...]:
    """Further readings that count as this value, since the kernel keeps read-ahead in pages."""
    if attribute is Attribute.READ_AHEAD_KB:
        size = int(value) * KIB
        return tuple(dict.fromkeys(text for page in _PAGES if (text := str(size // page * page // KIB)) != value))
    return ()


def signed_number(text: str) -> int | None:
    """A plain decimal number, or None."""
    return int(text) if _SIGNED.match(text) else None
