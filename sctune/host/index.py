"""One line of a capture's index: tab-separated fields, the odd byte percent-encoded.

Only what would break a line is encoded: `%`, the control characters, and bytes that are not UTF-8 (`%0A`, `%FF`). So a
person can read the index, `grep` finds paths in it, and a shell script can write it.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from sctune.host.base import FileKind, FileStat, FilesystemSpace, LogLine, Process
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

# U+DC80..U+DCFF stand for bytes that are not UTF-8 (PEP 383). Blanks are encoded inside a list of arguments only.
_ODD = re.compile(r"[%\x00-\x1f\x7f\ud800-\udfff]")
_ODD_OR_BLANK = re.compile(r"[% \x00-\x1f\x7f\ud800-\udfff]")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
OK = "ok"


class MalformedIndex(Exception):
    """A line that is not what it is documented to be."""


def to_bytes(text: str) -> bytes:
    """UTF-8; bytes that never were UTF-8 come out as they went in."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def to_text(data: bytes) -> str:
    """The other way round."""
    return data.decode("utf-8", "surrogateescape")


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in to_bytes(found[0]))


def quote(text: str) -> str:
    """A field as it stands in the index."""
    return _ODD.sub(_escape, text)


def unquote(text: str) -> str:
    """The field that `quote` made this of."""
    if "%" not in text:
        return text
    return to_text(_ENCODED.sub(lambda found: bytes([int(found[1], 16)]), to_bytes(text)))


def quote_words(words: Sequence[str]) -> str:
    """A list of arguments (never empty) as one field, a blank between two."""
    return " ".join(_ODD_OR_BLANK.sub(_escape, word) for word in words)


def unquote_words(text: str) -> tuple[str, ...]:
    """The arguments that `quote_words` made this of."""
    return tuple(unquote(word) for word in text.split(" "))


def line(kind: str, key: str, outcome: str, details: Sequence[str] = ()) -> str:
    """A line of the index; `key` is encoded already, `details` are not."""
    return "\t".join((kind, key, outcome, *map(quote, details))) + "\n"


def number(text: str) -> int:
    """A whole number. Raises MalformedIndex."""
    try:
        return int(text)
    except ValueError as error:
        raise MalformedIndex(f"{text[:40]!r} is no whole number") from error


def real(text: str) -> float:
    """A finite number. Raises MalformedIndex."""
    try:
        value = float(text)
    except ValueError as error:
        raise MalformedIndex(f"{text[:40]!r} is no number") from error
    if not math.isfinite(value):
        raise MalformedIndex(f"{text[:40]!r} is not finite")
    return value


def unavailable_fields(answer: Unavailable) -> tuple[str, ...]:
    """what, detail, pids; the reason is the line's outcome."""
    return answer.what, answer.detail, ",".join(str(pid) for pid in answer.pids)


def parse_unavailable(outcome: str, fields: Sequence[str], default: str) -> Unavailable:
    """The answer that could not be had. Raises MalformedIndex where the outcome is none that is known."""
    try:
        reason = Reason(outcome)
    except ValueError as error:
        raise MalformedIndex(f"{outcome[:40]!r} is no outcome") from error
    what, detail, pids, *_ = (*fields, "", "", "")
    return Unavailable(
        reason=reason,
        what=what if fields else default,
        detail=detail,
        pids=tuple(number(pid) for pid in pids.split(",")) if pids else (),
    )


def stat_fields(stat: FileStat) -> tuple[str, ...]:
    """kind size allocated device inode mtime mode(octal) uid rdevice(MAJOR:MINOR or -)."""
    rdevice = "-" if stat.rdevice is None else f"{stat.rdevice[0]}:{stat.rdevice[1]}"
    return (
        stat.kind.value,
        str(stat.size),
        str(stat.allocated),
        str(stat.device),
        str(stat.inode),
        repr(stat.mtime),
        f"{stat.mode:o}",
        str(stat.uid),
        rdevice,
    )


def parse_stat(fields: Sequence[str]) -> FileStat:
    """Raises MalformedIndex."""
    if len(fields) != 9:
        raise MalformedIndex(f"a stat has 9 fields, not {len(fields)}")
    try:
        kind, mode = FileKind(fields[0]), int(fields[6], 8)
    except ValueError as error:
        raise MalformedIndex(str(error)) from error
    major, colon, minor = fields[8].partition(":")
    return FileStat(
        kind=kind,
        size=number(fields[1]),
        allocated=number(fields[2]),
        device=number(fields[3]),
        inode=number(fields[4]),
        mtime=real(fields[5]),
        mode=mode,
        uid=number(fields[7]),
        rdevice=(number(major), number(minor)) if colon else None,
    )


def space_fields(space: FilesystemSpace) -> tuple[str, ...]:
    """total free available inodes inodes_free."""
    return tuple(str(value) for value in (space.total, space.free, space.available, space.inodes, space.inodes_free))


def parse_space(fields: Sequence[str]) -> FilesystemSpace:
    """Raises MalformedIndex."""
    if len(fields) != 5:
        raise MalformedIndex(f"the space of a file system has 5 fields, not {len(fields)}")
    total, free, available, inodes, inodes_free = map(number, fields)
    return FilesystemSpace(total=total, free=free, available=available, inodes=inodes, inodes_free=inodes_free)


_LOG_HEADER = "# first\tlast\tcount\tcontinued\ttext\n"


def log_table(lines: Sequence[LogLine]) -> str:
    """Lines of a log, a line each under a line of titles."""
    rows = ((repr(one.first), repr(one.last), str(one.count), "1" if one.continued else "0", one.text) for one in lines)
    return _LOG_HEADER + "".join("\t".join(map(quote, row)) + "\n" for row in rows)


def parse_log_table(text: str) -> tuple[LogLine, ...]:
    """Raises MalformedIndex."""
    rows = [row.split("\t") for row in text.split("\n") if row and not row.startswith("#")]
    if any(len(row) != 5 for row in rows):
        raise MalformedIndex("a line of a log has 5 fields")
    return tuple(
        LogLine(first=real(row[0]), last=real(row[1]), count=number(row[2]), continued=row[3] == "1", text=unquote(row[4]))
        for row in rows
    )


_PROCESS_HEADER = "# pid\tppid\tstate\tuid\tthreads\tstarted\tcpu_seconds\tname\targuments...\n"


def process_table(processes: Sequence[Process]) -> str:
    """The process table, a line a process under a line of titles."""
    rows = (
        (str(p.pid), str(p.ppid), p.state, str(p.uid), str(p.threads), repr(p.started), repr(p.cpu_seconds), p.name, *p.argv)
        for p in processes
    )
    return _PROCESS_HEADER + "".join("\t".join(map(quote, row)) + "\n" for row in rows)


def parse_process_table(text: str) -> tuple[Process, ...]:
    """Raises MalformedIndex."""
    rows = [row.split("\t") for row in text.split("\n") if row and not row.startswith("#")]
    if any(len(row) < 8 for row in rows):
        raise MalformedIndex("a process has at least 8 fields")
    return tuple(
        Process(
            pid=number(row[0]),
            ppid=number(row[1]),
            state=unquote(row[2]),
            uid=number(row[3]),
            threads=number(row[4]),
            started=real(row[5]),
            cpu_seconds=real(row[6]),
            name=unquote(row[7]),
            argv=tuple(map(unquote, row[8:])),
        )
        for row in rows
    )
