"""The language of multipath.conf, read as multipath-tools reads it (libmpathutil/parser.c, before 0.9 libmultipath/parser.c).

One setting a line: a name, blanks, a word or a text in double quotes ("" in it is one quote). Blocks open with `{` at the end of
the line that names them and close with a line `}`. "#" and "!" outside of quotes begin a comment. Characters beyond ASCII are
blanks outside of quotes. What follows a complete setting on its line is ignored, and so is a line without a value; multipath-tools
says so in its log and goes on. Lines are read in pieces of 1023 characters.

Where braces do not match, versions differ in what they make of the rest of the file: that is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.multipath import MultipathSection, MultipathSetting
from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANKS = " \t\n\v\f\r"
_PIECE = 1023
_QUOTE = '"'
_BLOCKS = {
    "": ("defaults", "blacklist", "blacklist_exceptions", "devices", "overrides", "multipaths"),
    "blacklist": ("device",),
    "blacklist_exceptions": ("device",),
    "devices": ("device",),
    "overrides": ("protocol",),
    "multipaths": ("multipath",),
}
_OPEN_WITHOUT_BRACE = frozenset(("defaults", "blacklist", "blacklist_exceptions", "devices", "device", "multipaths", "multipath"))
"""multipath-tools opens these also where the brace is missing, or stands alone on the next line (is_sublevel_keyword)."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A block while it is read."""

    kind: str
    settings: list[MultipathSetting] = field(default_factory=list)


def parse(text: str, file: str) -> tuple[MultipathSection, ...]:
    """The blocks of one file, an outer one before those in it. Raises ValueError, with the place, where braces do not match."""
    done: list[_Open] = []
    stack: list[_Open] = []
    number = 0
    for number, piece in _pieces(text):
        words = tokens(piece)
        if not words:
            continue
        kind = stack[-1].kind if stack else ""
        first = words[0][1]
        if first == "}" and not words[0][0]:
            if not stack:
                raise ValueError(f"{file}:{number}: '}}' without a block that it closes")
            stack.pop()
        elif first == "{" and not words[0][0]:
            continue  # invalid as a keyword: the line is skipped
        elif not words[0][0] and first in _BLOCKS.get(kind, ()) and (len(words) > 1 or first in _OPEN_WITHOUT_BRACE):
            stack.append(_Open(kind=f"{kind}/{first}" if kind else first))
            done.append(stack[-1])
        elif len(words) > 1 and words[1] == (False, "{"):
            raise ValueError(f"{file}:{number}: no block {first[:60]!r} is known {'in ' + kind if kind else 'here'}")
        elif stack and (value := _value(words)) is not None:
            stack[-1].settings.append(MultipathSetting(name=first, value=value, file=file, line=number))
    if stack:
        raise ValueError(f"{file}:{number}: the file ends within {stack[-1].kind}")
    return tuple(MultipathSection(kind=block.kind, file=file, settings=tuple(block.settings)) for block in done)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """(number of the line, text up to the line's end, a carriage return or a NUL)."""
    for number, line in enumerate(text.split("\n"), 1):
        for start in range(0, len(line) or 1, _PIECE):
            piece = line[start : start + _PIECE].partition("\0")[0]
            # strtok(3): what is before the first carriage return that something stands in front of.
            yield number, piece.lstrip("\r").partition("\r")[0]


def _value(words: list[tuple[bool, str]]) -> str | None:
    """The value of a setting's line; None where it has none."""
    if len(words) < 2:
        return None
    if words[1] != (True, _QUOTE):
        return words[1][1]
    if len(words) == 2 or words[2] == (True, _QUOTE):
        return ""
    return words[2][1]


def tokens(line: str) -> list[tuple[bool, str]]:
    """The words of a line, each with whether it is a quote that begins or ends a text; [] where there is only a comment."""
    at, end = _skip(line, 0), len(line)
    words: list[tuple[bool, str]] = []
    inside = False
    while at < end and (inside or line[at] not in "!#"):
        here = line[at]
        if here == _QUOTE and not (inside and line[at + 1 : at + 2] == _QUOTE):
            words.append((True, _QUOTE))
            inside = not inside
            at += 1
        elif not inside and here in "{}":
            words.append((False, here))
            at += 1
        else:
            start, at = at, _word_end(line, at, inside)
            word = line[start:at]
            words.append((False, word.replace('""', _QUOTE) if inside else word))
        if not inside:
            at = _skip(line, at)
    return words


def _blank(character: str) -> bool:
    return character in _BLANKS or ord(character) > 127


def _skip(line: str, at: int) -> int:
    while at < len(line) and _blank(line[at]):
        at += 1
    return at


def _word_end(line: str, at: int, inside: bool) -> int:
    """Where a word that begins at `at` ends: within quotes at the next single one."""
    end = len(line)
    while at < end:
        if line[at] == _QUOTE:
            if not (inside and line[at + 1 : at + 2] == _QUOTE):
                break
            at += 2
        elif not inside and (_blank(line[at]) or line[at] in "!#{}"):
            break
        else:
            at += 1
    return at
