"""Who sets a kernel setting: which line of which file wins, and whether two values are the same. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.sysctl import SETTINGS
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sctune.model.sysctl import SysctlLine

_PAIRS = (("vm.dirty_ratio", "vm.dirty_bytes"), ("vm.dirty_background_ratio", "vm.dirty_background_bytes"))
"""One knob with two names each: writing one zeroes the other (Documentation/admin-guide/sysctl/vm.rst)."""
KNOBS: tuple[tuple[str, ...], ...] = (*_PAIRS, *((key,) for key in SETTINGS if not any(key in pair for pair in _PAIRS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A line that sets a key (a line with a pattern sets several) to a value."""

    key: str
    value: str
    line: SysctlLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Who decides about one knob: the last assignment, and those before it that say something else."""

    winner: Assignment
    losers: tuple[Assignment, ...]


def knob_of(key: str) -> tuple[str, ...]:
    """All names of the knob that this key is a name of."""
    return next((knob for knob in KNOBS if key in knob), (key,))


def decide(lines: Iterable[SysctlLine]) -> Iterator[Decided]:
    """One for each knob that is set by any of the lines, which are in the order in which they are applied."""
    ordered = tuple(lines)
    for knob in KNOBS:
        decided = decide_knob(ordered, knob)
        if decided is not None:
            yield decided


def decide_knob(lines: Sequence[SysctlLine], knob: tuple[str, ...]) -> Decided | None:
    """Who decides about this knob; None where no line sets it."""
    found: list[tuple[int, Assignment]] = []
    for key in knob:
        for position, assignment in _assignments(lines, key):
            # Where a knob has two names, 0 is the value of the one that is not in force, and setting it changes nothing.
            if len(knob) == 1 or numbers(assignment.value) != (0,):
                found.append((position, assignment))
    if not found:
        return None
    found.sort(key=lambda item: item[0])
    winner = found[-1][1]
    return Decided(winner=winner, losers=tuple(item for _, item in found[:-1] if not _same(item, winner)))


def _same(one: Assignment, other: Assignment) -> bool:
    return one.key == other.key and same_value(one.value, other.value)


def _assignments(lines: Sequence[SysctlLine], key: str) -> list[tuple[int, Assignment]]:
    """Where this key is set. Patterns count only where no line names the key, be it to exclude it."""
    named = [(position, line) for position, line in enumerate(lines) if line.key == key]
    if not named:
        named = [(position, line) for position, line in enumerate(lines) if line.value is not None and matches(line.key, key)]
    elif named[-1][1].value is None:
        return []
    return [(position, Assignment(key=key, value=line.value, line=line)) for position, line in named if line.value is not None]


def matches(pattern: str, key: str) -> bool:
    """Whether a key is meant by a key or pattern; as in glob(7), a `*` stays within one part of the name."""
    if pattern == key or not any(letter in pattern for letter in "*?["):
        return pattern == key
    from fnmatch import fnmatchcase  # patterns are rare, and it is no cheap import

    parts, names = pattern.split("."), key.split(".")
    return len(parts) == len(names) and all(fnmatchcase(name, part) for name, part in zip(names, parts, strict=True))


def same_value(one: str, other: str) -> bool:
    """Whether the kernel takes both texts for the same: white space counts once, numbers by their value."""
    first, second = numbers(one), numbers(other)
    if first is not None and second is not None:
        return first == second
    return one.split() == other.split()


def numbers(text: str) -> tuple[int, ...] | None:
    """The numbers of a value, read as the kernel does (0x10 is 16, 010 is 8); None where anything else is in it."""
    found: list[int] = []
    for word in text.split():
        digits = word.removeprefix("-")
        if not (digits.isascii() and digits.isalnum() and len(digits) <= 20):
            return None
        base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") and len(digits) > 1 else 10
        try:
            number = int(digits, base)
        except ValueError:
            return None
        found.append(-number if digits != word else number)
    return tuple(found) or None
