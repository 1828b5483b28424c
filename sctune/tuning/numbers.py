"""Comparing numbers where only patterns of fnmatch(3) can be had, as in udev's rules. Pure."""

from __future__ import annotations

_MOST_DIGITS = 10
_ANY = "[0-9]"
_FIRST = "[1-9]"


def below(number: int) -> str:
    """A pattern (alternatives with `|`) for the decimal numbers from 0 that are less than this one; "" where there are none."""
    digits = str(number)
    found = [_of_length(length) for length in range(1, len(digits))]
    for place, digit in enumerate(digits):
        least = 1 if place == 0 and len(digits) > 1 else 0
        if int(digit) > least:
            found.append(digits[:place] + _range(least, int(digit) - 1) + _ANY * (len(digits) - place - 1))
    return "|".join(found)


def above(number: int) -> str:
    """The same for greater numbers, of ten digits at most."""
    digits = str(number)
    found = [
        digits[:place] + _range(int(digit) + 1, 9) + _ANY * (len(digits) - place - 1)
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    found += [_of_length(length) for length in range(len(digits) + 1, _MOST_DIGITS + 1)]
    return "|".join(found)


def _of_length(length: int) -> str:
    return _ANY if length == 1 else _FIRST + _ANY * (length - 1)


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"[{least}-{most}]"
