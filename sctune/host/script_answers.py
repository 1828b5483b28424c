"""One answer of sctune-capture.sh: the lines of a record turned into what the question asked for. See `script_text`."""

from __future__ import annotations

import math
import re
import stat as stat_module
from typing import TYPE_CHECKING

from sctune.host.base import Completed, FileEntry, FileKind, FileStat, FilesystemSpace, LogLines, LogQuery, TgtMode
from sctune.host.index import MalformedIndex, number, unquote, unquote_words
from sctune.host.logscan import LogScan
from sctune.host.redact import redact_argv, redact_file, redact_message, redact_text
from sctune.host.zone import LocalTime
from sctune.records import dataclass, field, replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

_READ_LIMIT = 4 * 1024 * 1024
_SIGNAL = 128  # what a shell adds to the number of the signal that ended a command
_REASONS = (
    (Reason.ABSENT, ("no such file", "not a directory", "no such device")),
    (Reason.DENIED, ("permission denied", "operation not permitted")),
    (Reason.TIMEOUT, ("timed out", "host is down")),
)
_REFUSED = "connection refused: the daemon that made this socket is gone"
_NOT_THERE = ("not connected", "connection refused")
_LINK = re.compile(r" (/[^ ]*) -> (.*)\Z", re.DOTALL)
_CANNOT_STAT = re.compile(r"stat: .*?[`'‘]\./(.*)['’]: (.*)\Z", re.DOTALL)
_STAT_FIELDS = 11
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3])([0-5][0-9])")
_NEVER = 4e9  # 2096: no log is newer
_STAMP_REST = 7
"""What is left of a line that is a time and no more."""


Answer = str | Completed | FileStat | FilesystemSpace | tuple[FileEntry, ...] | LogLines


@dataclass(slots=True, kw_only=True)
class Record:
    """An answer of several lines while it is read."""

    kind: str
    key: tuple[str, ...]
    body: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    status: int | None = None
    no_end: bool = False
    failure: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The lines as they were."""
        return "\n".join(self.body) + ("" if self.no_end or not self.body else "\n")


def reason_of(word: str) -> Reason:
    try:
        return Reason(word)
    except ValueError as error:
        raise MalformedIndex(f"{word[:40]!r} is no reason") from error


def what_of(kind: str, key: Sequence[str]) -> str:
    if kind == "dm":
        return f"dmsetup {unquote(key[0])}"
    if kind == "tgt":
        mode, port, _ = tgt_key(key)
        return f"tgtadm --op show --mode {mode} (control port {port})"
    return "kernel log" if kind == "kernel_log" else redact_text(unquote(key[0]))


def tgt_key(key: Sequence[str]) -> tuple[TgtMode, int, int | None]:
    words = key if len(key) > 1 else key[0].split(" ")
    try:
        mode, port, tid = words
        return TgtMode(mode), number(port), None if tid == "-" else number(tid)
    except ValueError as error:
        raise MalformedIndex(f"{' '.join(words)[:40]!r} cannot be asked of tgtd") from error


def failure(record: Record) -> Unavailable | None:
    """Why there is no answer, where the record says so."""
    what = what_of(record.kind, record.key)
    if record.failure:
        reason, seconds, left, *more = (*record.failure, "", "", "")
        detail = more[0] or (f"no answer in {seconds} s" if seconds else "")
        pids = tuple(number(pid) for pid in left.split(",") if pid)
        return Unavailable(reason=reason_of(reason), what=what, detail=redact_text(detail), pids=pids)
    if record.status is None:
        return Unavailable(reason=Reason.FAILED, what=what, detail="the answer is cut off")
    refused = record.kind == "tgt" and bool(record.complaints)
    if record.kind == "run" or (record.status == 0 and not refused) or (record.kind == "files" and record.body):
        return None
    complaint = next((line for line in record.complaints if line.strip()), f"exit status {record.status}")
    if record.kind == "tgt" and any(word in complaint.lower() for word in _NOT_THERE):
        return Unavailable(reason=Reason.FAILED, what=what, detail=_REFUSED)
    return _complained(what, complaint)


def _complained(what: str, complaint: str) -> Unavailable:
    words = complaint.lower()
    reason = next((reason for reason, parts in _REASONS if any(part in words for part in parts)), Reason.FAILED)
    return Unavailable(reason=reason, what=what, detail=redact_text(complaint.rpartition(": ")[2].strip())[:200])


def answer_of(record: Record) -> Answer | Unavailable:
    """What the lines of a record are by its kind. Raises MalformedIndex."""
    kind = record.kind
    if kind == "read":
        path = unquote(record.key[0])
        text = record.text
        if len(text) > _READ_LIMIT:
            return Unavailable(reason=Reason.FAILED, what=path, detail="larger than 4 MiB")
        return redact_file(path, text)
    if kind == "run":
        return _completed(record)
    if kind in ("dm", "tgt", "kernel_log"):
        return redact_text(record.text)
    if kind == "files":
        return _entries(record)
    if kind == "log":
        return _log(record)
    if kind == "space":
        return _space(record)
    found = _stat(record.text.rstrip("\n"))
    if found is None:
        raise MalformedIndex(f"{record.text[:60]!r} is no stat")
    return found[1]


def _log(record: Record) -> LogLines:
    """The lines of a log, its times taken to be as far from UTC as the host was when it was asked."""
    if len(record.key) != 3 or not (offset := _OFFSET.fullmatch(record.key[1])):
        raise MalformedIndex(f"{' '.join(record.key)[:60]!r} is no log")
    seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
    scan = LogScan(LogQuery(words=(" ",), pattern="", since=-math.inf), LocalTime.fixed(-seconds if offset[1] == "-" else seconds))
    text = record.text.encode("utf-8", "surrogateescape")
    scan.backward(len(text), lambda start, length: text[start : start + length])
    found = scan.result(whole=record.key[2] == "1", now=_NEVER)
    lines = tuple(replace(line, text=redact_message(line.text)) for line in found.lines if len(line.text) > _STAMP_REST)
    return replace(found, lines=lines)


def _completed(record: Record) -> Completed:
    status = record.status or 0
    before, after = (*record.times, *record.times, 0.0, 0.0)[:2]
    return Completed(
        argv=redact_argv(unquote_words(record.key[0])),
        status=_SIGNAL - status if _SIGNAL < status < 2 * _SIGNAL else status,
        stdout=redact_text(record.text),
        stderr=redact_text("".join(line + "\n" for line in record.complaints)),
        seconds=max(0.0, after - before),
    )


def add_links(record: Record, links: MutableMapping[str, str | Unavailable]) -> None:
    for row in record.body:
        if row.startswith("l") and (match := _LINK.search(row)):
            links[match[1]] = match[2]


def _stat(row: str) -> tuple[str, FileStat] | None:
    """A line of `stat -c '%f %s %b %B %d %i %Y %u %t %T %n'`: the name and the stat."""
    fields = row.split(" ", _STAT_FIELDS - 1)
    if len(fields) != _STAT_FIELDS:
        return None
    try:
        mode, major, minor = int(fields[0], 16), int(fields[8], 16), int(fields[9], 16)
        size, blocks, unit, device, inode, mtime, uid = (int(text) for text in fields[1:8])
    except ValueError:
        return None
    kind = FileKind.OTHER
    if stat_module.S_ISREG(mode):
        kind = FileKind.FILE
    elif stat_module.S_ISDIR(mode):
        kind = FileKind.DIRECTORY
    elif stat_module.S_ISBLK(mode):
        kind = FileKind.BLOCK
    return fields[10], FileStat(
        kind=kind,
        size=size,
        allocated=blocks * unit,
        device=device,
        inode=inode,
        mtime=float(mtime) if abs(mtime) < 2**63 else 0.0,
        mode=stat_module.S_IMODE(mode),
        uid=uid,
        rdevice=(major, minor) if kind is FileKind.BLOCK else None,
    )


def stats_of(rows: Sequence[str]) -> dict[str, FileStat]:
    return dict(found for row in rows if (found := _stat(row)) is not None)


def _entries(record: Record) -> tuple[FileEntry, ...]:
    """Entries of a folder. One that vanished meanwhile is not among them."""
    folder = unquote(record.key[0])
    entries: dict[str, FileStat | Unavailable] = {}
    for row in record.body:
        if row.startswith("? "):
            name = unquote(row[2:]).removeprefix("./")
            entries[name] = Unavailable(reason=Reason.FAILED, what=f"{folder}/{name}", detail="a line end in its name")
        elif found := _stat(row):
            entries[found[0].removeprefix("./")] = found[1]
    for line in record.complaints:
        if match := _CANNOT_STAT.match(line):
            entries[match[1]] = _complained(f"{folder}/{match[1]}", line)
    return tuple(FileEntry(name=name, stat=entries[name]) for name in sorted(entries))


def _space(record: Record) -> FilesystemSpace:
    """`stat -f -c '%b %f %a %S %s %c %d'`. Where the size that blocks are counted in (%S) is not told it is the other one (%s)."""
    words = record.text.split()
    if len(words) != 7:
        raise MalformedIndex(f"{record.text[:60]!r} is no space of a file system")
    unit = int(words[3]) if words[3].isascii() and words[3].isdecimal() and words[3].strip("0") else number(words[4])
    total, free, available = (number(word) * unit for word in words[:3])
    return FilesystemSpace(total=total, free=free, available=available, inodes=number(words[5]), inodes_free=number(words[6]))
