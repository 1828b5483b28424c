"""Sizes, rates and shares as an operator writes them. A number without a unit is refused: 100 may be bytes, GB or GiB."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS: dict[str, int] = {
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGTP", 1)},
    "kB": 1000,
}
_LOOSE = {unit.lower(): unit for unit in ("KiB", "MiB", "GiB", "TiB", "PiB", "KB", "MB", "GB", "TB", "PB", "B")}
_QUANTITY = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)\Z")
_PERCENT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?) ?%\Z")

_AGE = re.compile(r"([0-9]{1,9}) ?([smhdw]?)\Z")
_AGES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Unreadable(ValueError):
    """The text is no such quantity; the message says what was expected and, where it can be guessed, what was meant."""


def parse_size(text: str) -> int:
    """`100 GiB` (1024s) or `500 GB` (1000s) in bytes."""
    match = _QUANTITY.match(text.strip())
    if match is None:
        raise Unreadable(f'expected a size such as "100 GiB", got {text!r}')
    number, unit = match[1], match[2]
    if not unit:
        raise Unreadable(f'expected a size with its unit, got {text!r}: write "{number} GiB" if that is meant')
    if unit not in _UNITS:
        raise Unreadable(_unit_message(number, unit))
    return int(Fraction(number) * _UNITS[unit] + Fraction(1, 2))


def parse_rate(text: str) -> float:
    """`400 MiB/s` in bytes a second; never 0."""
    size, slash, per = text.strip().rpartition("/")
    if not slash or per != "s":
        raise Unreadable(f'expected a speed such as "400 MiB/s", got {text!r}')
    rate = parse_size(size.rstrip())
    if rate == 0:
        raise Unreadable("expected a speed above 0")
    return float(rate)


def parse_percent(text: str) -> float:
    """`80 %` as a ratio, 0.8."""
    match = _PERCENT.match(text.strip())
    if match is None:
        raise Unreadable(f'expected a ratio such as 0.8 or "80 %", got {text!r}')
    return float(Fraction(match[1]) / 100)


def parse_age(text: str) -> float:
    """`90m`, `24h`, `7d` or `2w` in seconds; a plain number is seconds."""
    match = _AGE.match(text.strip())
    if match is None:
        raise Unreadable(f"expected an age such as 24h or 7d, got {text!r}")
    return float(match[1]) * _AGES[match[2]]


def _unit_message(number: str, unit: str) -> str:
    meant = _LOOSE.get(unit.lower())
    if meant is not None:
        return f'unknown unit {unit!r}: write "{number} {meant}"'
    letter = unit[:1].upper()
    if letter in "KMGTP" and unit.lower().rstrip("i") == letter.lower():
        return f'{unit!r} may be read in two ways: write "{number} {letter}iB" (1024s) or "{number} {letter}B" (1000s)'
    return f"unknown unit {unit!r}: use KiB, MiB, GiB, TiB (1024s) or KB, MB, GB, TB (1000s)"
