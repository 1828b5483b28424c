"""Lines of text for people: wrapped to a width, coloured or not. Layout characters are ASCII, so that a serial console and a log
show what a terminal shows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_WIDTH = 80
MIN_WIDTH = 40
MAX_WIDTH = 120  # longer lines are hard to read
_DIGITS = 10

_KEEP = "\x00"
"""Stands for a space at which no line may be broken. Sanitised text holds no control character of its own."""

_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "→": "->", "×": "x", "·": "-", "≥": ">=", "≤": "<="}
)
"""Typographic characters of our own texts, for encodings that lack them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How text is shown: characters in a line, and whether escape sequences for colour may be used."""

    width: int = DEFAULT_WIDTH
    colour: bool = False

    def paint(self, text: str, sgr: str) -> str:
        """`text` in a colour or weight (an SGR number of ECMA-48), where colour is wanted."""
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.colour and sgr else text


def columns(*, is_terminal: bool, environment: Mapping[str, str]) -> int:
    """COLUMNS, else the terminal's width; 0 where neither tells."""
    told = environment.get("COLUMNS", "")
    # Python refuses to make a number of thousands of digits.
    if told.isdecimal() and len(told) < _DIGITS:
        return int(told)
    if not is_terminal:
        return 0
    try:
        return os.get_terminal_size(1).columns
    except OSError:
        return 0


def style_for(*, is_terminal: bool, environment: Mapping[str, str]) -> Style:
    """COLUMNS, else the terminal's width, else 80. Colour on a terminal only, and not with NO_COLOR (no-color.org) or TERM=dumb."""
    width = columns(is_terminal=is_terminal, environment=environment)
    colour = is_terminal and not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"
    return Style(width=min(max(width, MIN_WIDTH), MAX_WIDTH) if width else DEFAULT_WIDTH, colour=colour)


def atom(text: str) -> str:
    """`text` as one word: a path with spaces in it is broken only where it cannot fit in a line of its own."""
    return text.replace(" ", _KEEP)


@dataclass(slots=True, kw_only=True)
class Page:
    """Lines, as they are added."""

    style: Style
    lines: list[str] = field(default_factory=list)

    def blank(self) -> None:
        """An empty line, never two."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def add(self, text: str, *, indent: int = 0, hang: int | None = None, lead: str = "", sgr: str = "") -> None:
        """A paragraph: its later lines are indented by `hang` (default: as the first), its first words `lead` are painted."""
        first = True
        for line in wrap(lead + text, width=self.style.width, indent=indent, hang=indent if hang is None else hang):
            shown = line
            if first and lead and sgr:
                at = line.find(lead.strip())
                if at >= 0:
                    end = at + len(lead.strip())
                    shown = line[:at] + self.style.paint(line[at:end], sgr) + line[end:]
            self.lines.append(shown)
            first = False

    def command(self, command: str, *, indent: int) -> None:
        """A command as it is typed: broken with `\\` between its words where it is too long, never within a word. A comment after
        it then stands before it, since a comment cannot be continued."""
        room = self.style.width - indent
        if len_shown(command) <= room:
            self.lines.append(" " * indent + command)
            return
        words = _shell_words(command)
        comment = next((number for number, word in enumerate(words) if word.startswith("#")), len(words))
        if comment < len(words):
            self.lines.extend(wrap(" ".join(words[comment:]), width=self.style.width, indent=indent, hang=indent, mark="# "))
        lines: list[str] = []
        for word in words[:comment]:
            if lines and len_shown(lines[-1]) + 1 + len_shown(word) + 2 <= room:
                lines[-1] += " " + word
            else:
                lines.append(word if not lines else "    " + word)
        self.lines.extend(" " * indent + line + " \\" for line in lines[:-1])
        self.lines.extend(" " * indent + line for line in lines[-1:])

    def text(self) -> str:
        """All of it, with a line break at the end."""
        return "\n".join(self.lines) + "\n"


def wrap(text: str, *, width: int, indent: int = 0, hang: int = 0, mark: str = "") -> Iterator[str]:
    """Lines of at most `width` characters. Words (and atoms) are broken only where one does not fit in a line of its own.
    `mark` begins every line after the first, behind its indentation."""
    line = " " * indent
    empty = True
    for word in text.split(" "):
        rest = word
        if not rest and empty:
            continue
        while True:
            room = width - len_shown(line) - (0 if empty else 1)
            if len_shown(rest) <= room:
                line += ("" if empty else " ") + rest
                empty = False
                break
            if not empty and line.strip() != "-":  # a dash alone in its line would point at nothing
                yield line.replace(_KEEP, " ").rstrip()
                line, empty = " " * hang + mark, True
                continue
            head, rest = _break_word(rest, max(room, 8))
            yield (line + ("" if empty else " ") + head).replace(_KEEP, " ").rstrip()
            line, empty = " " * hang + mark, True
    if not empty:
        yield line.replace(_KEEP, " ").rstrip()


def _break_word(word: str, room: int) -> tuple[str, str]:
    """Two parts of a word that fits in no line: after a `/` or a space of an atom where there is one."""
    cut = room
    while cut > 1 and len_shown(word[:cut]) > room:
        cut -= 1
    at = max(word.rfind(mark, 1, cut) for mark in ("/", _KEEP, ","))
    if at >= cut // 3:
        cut = at + 1
    return word[:cut], word[cut:]


def len_shown(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _shell_words(command: str) -> list[str]:
    """A command cut at spaces outside quotes, every word as it stands (quotes included)."""
    words = [""]
    quote = ""
    escaped = False
    for char in command:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote[-1] else quote
        elif char in "'\"":
            quote = "$'" if char == "'" and words[-1].endswith("$") else char
        elif char == " ":
            words.append("")
            continue
        words[-1] += char
    return [word for word in words if word]


def encode(text: str, encoding: str) -> bytes:
    """`text` for a terminal or file of this encoding: what it does not have is replaced by ASCII or shown as an escape."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace")
