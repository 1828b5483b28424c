"""Edits the text of iscsid.conf in place. Pure: bytes in, bytes out.

What counts in that file (open-iscsi usr/idbm.c, idbm_recinfo_config, the same from 2.0.873 to 2.1.11): each line that can be read
writes over what an earlier one with its name said, so that the last one counts; a line `name=value` without a blank before
the "=", one without a value, one too long for open-iscsi's buffer and a last line without its newline are skipped.

So a setting is given its value where it counts, and all else stays byte for byte:

- the last line that counts gets another number; what follows the number on it stays, as do indentation and "\\r";
- without one, the last skipped line of that name is put in order;
- without one, a default that is commented out is uncommented, one with the wanted value before others;
- without one, a line is added at the end: before a last line that lacks its newline, which would otherwise begin to count.

Earlier lines of the same name are left, and named in `Edit.notes`.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from sctune.host.masking import MASK
from sctune.records import dataclass
from sctune.tuning.iscsi.settings import number, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BLANKS = b" \t\r\v\f\n"
_LINE_LIMIT = 2046  # with its newline, what fgets(3) takes into 2048 bytes
_NUMBER = re.compile(rb"[+-]?\d+")
_COMMENTED = re.compile(
    rb"(?P<indent>[ \t]*)#[ \t#]*(?P<name>[\w.\[\]-]+)(?P<middle>[ \t]*=[ \t]*)(?P<value>[^\s#]+)(?P<rest>[ \t\r]*)", re.ASCII
)
_SECRET = re.compile(r"(?P<name>\S*password\w*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line with its end. `name` is "" where it sets nothing; `value` is None where open-iscsi skips it. `start` is where the
    value begins in `raw`."""

    raw: bytes
    name: str = ""
    value: str | None = None
    start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a file becomes. `lines`: for each setting the number of its line in the new text, counted from 1. `notes` say of other
    lines with the same name that they do not count."""

    content: bytes
    lines: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


def read(content: bytes) -> tuple[Line, ...]:
    """The lines of a file."""
    pieces = content.split(b"\n")
    lines = [_read(piece + b"\n") for piece in pieces[:-1]]
    return (*lines, *((_read(pieces[-1]),) if pieces[-1] else ()))


def current(lines: Sequence[Line], name: str) -> str | None:
    """The value that counts, None where the file sets none."""
    return next((line.value for line in reversed(lines) if line.name == name and line.value is not None), None)


def edit(content: bytes | None, values: Mapping[str, int], *, header: str = "") -> Edit:
    """The file with these values. `content` is None where there is none: then it begins with `header`, lines of comment. A setting
    that has its value already is left as it stands."""
    new = content is None
    lines = list(read(content or b""))
    end = b"\r\n" if any(line.raw.endswith(b"\r\n") for line in lines[:1]) else b"\n"
    if new and values:
        lines = [_read(f"# {text}\n".encode()) for text in header.splitlines()]
    for name, value in values.items():
        _set(lines, name, value, end)
    found = [(name, index) for name in values if (index := _counting(lines, name)) is not None]
    return Edit(
        content=b"".join(line.raw for line in lines),
        lines=tuple((name, index + 1) for name, index in found),
        notes=tuple(note for name, index in found for note in _notes(lines, name, index)),
    )


def diff(before: bytes | None, after: bytes, path: str) -> tuple[str, ...]:
    """The lines that change, without those around them, as a unified difference for people. A secret is never in it."""
    old, new = (b"" if text is None else text for text in (before, after))
    first, second = ([*_lines(text)] for text in (old, new))
    # Masked first: two secrets that differ look alike. No edit changes one.
    name = "/dev/null" if before is None else path
    return tuple(difflib.unified_diff(first, second, fromfile=name, tofile=path, n=0, lineterm=""))


def _lines(content: bytes) -> Iterator[str]:
    *lines, last = content.split(b"\n")
    yield from map(_shown, lines)
    if last:
        yield _shown(last)
        yield "\\ No newline at end of file"


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").replace("\r", "")
    match = _SECRET.search(text)
    return text if match is None or not match["rest"].strip(" \t=") else f"{text[: match.end('name')]} = {MASK}"


def _read(raw: bytes) -> Line:
    """As idbm_recinfo_config reads it."""
    stripped = raw.strip(_BLANKS)
    if not stripped or stripped.startswith(b"#"):
        return Line(raw=raw)
    length = next((i for i, byte in enumerate(stripped) if byte in b"= \t\r\v\f\n"), len(stripped))
    name, rest = stripped[:length].decode("utf-8", "surrogateescape"), stripped[length:]
    equals = rest[1:].lstrip(_BLANKS)
    skipped = len(raw.rstrip(b"\n")) > _LINE_LIMIT or not raw.endswith(b"\n")
    value = equals[1:].lstrip(_BLANKS)
    if skipped or not equals.startswith(b"=") or not value:
        return Line(raw=raw, name=name if b"=" in rest else "")
    start = len(raw.rstrip(_BLANKS)) - len(value)
    return Line(raw=raw, name=name, value=value.decode("utf-8", "surrogateescape"), start=start)


def _counting(lines: Sequence[Line], name: str) -> int | None:
    return next((i for i in reversed(range(len(lines))) if lines[i].name == name and lines[i].value is not None), None)


def _set(lines: list[Line], name: str, value: int, end: bytes) -> None:
    at = _counting(lines, name)
    if at is not None:
        text = lines[at].value or ""
        if not (_NUMBER.match(text.encode("utf-8", "surrogateescape")) and same(name, number(text), value)):
            lines[at] = _replaced(lines[at], value)
        return
    at = _skipped(lines, name)
    if at is not None:
        raw = lines[at].raw
        indent = raw[: len(raw) - len(raw.lstrip(b" \t"))]
        ending = next((one for one in (b"\r\n", b"\n") if raw.endswith(one)), end)
        lines[at] = _read(indent + f"{name} = {value}".encode() + ending)
        return
    at = _commented(lines, name, value)
    if at is not None:
        lines[at] = _uncommented(lines[at].raw, name, value)
        return
    added = _read(f"{name} = {value}".encode() + end)
    unfinished = bool(lines) and not lines[-1].raw.endswith(b"\n")
    lines.insert(len(lines) - unfinished, added)


def _uncommented(raw: bytes, name: str, value: int) -> Line:
    match = _COMMENTED.match(raw)
    assert match is not None  # noqa: S101 -- `_commented` found it by this
    middle = match["middle"]
    blank = middle if middle[:1] in (b" ", b"\t") else b" = "
    return _read(match["indent"] + name.encode() + blank + str(value).encode() + raw[match.end("value") :])


def _replaced(line: Line, value: int) -> Line:
    """Another number in the place of the old one. What follows it stays where it stands apart from it, a remark as it is."""
    tail = line.raw[line.start :]
    match = _NUMBER.match(tail)
    rest = tail[match.end() :] if match is not None else b""
    if rest[:1] not in (b" ", b"\t", b"\r", b"\n", b"\v", b"\f"):
        stripped = tail.rstrip(_BLANKS)
        rest = tail[len(stripped) :]
    return _read(line.raw[: line.start] + str(value).encode() + rest)


def _skipped(lines: Sequence[Line], name: str) -> int | None:
    """The last line that means the setting and is skipped, but for one that is too long."""
    return next(
        (
            i
            for i in reversed(range(len(lines)))
            if lines[i].name == name and lines[i].value is None and len(lines[i].raw) <= _LINE_LIMIT
        ),
        None,
    )


def _commented(lines: Sequence[Line], name: str, value: int) -> int | None:
    found = []
    for i, line in enumerate(lines):
        match = None if line.name or not line.raw.endswith(b"\n") else _COMMENTED.fullmatch(line.raw[:-1])
        if match is not None and match["name"] == name.encode():
            found.append((i, match["value"]))
    right = [i for i, text in found if text == str(value).encode()]
    return right[-1] if right else found[-1][0] if found else None


def _notes(lines: Sequence[Line], name: str, at: int) -> Iterator[str]:
    for i, line in enumerate(lines):
        if line.name != name or i == at:
            continue
        if line.value is None:
            yield f"line {i + 1} sets {name} in a form that open-iscsi skips"
        else:
            yield f"line {i + 1} sets {name} too; open-iscsi takes the last, line {at + 1}"
