"""What sctune-capture.sh writes, turned into answers. One text, to be read by people too; fields are separated by tabs:

    sctune-script 1 VERSION             the first line
    host NAME KERNEL UID                clock NOW BOOT TICKS-A-SECOND
    = PATH VALUE                        a file of one line
    list PATH NAME...                   a folder
    ps PID PPID STATE UID THREADS START CPU NAME, args PID ARGUMENT..., stuck PID LEFT, processes OUTCOME   (START, CPU in ticks)
    no KIND KEY REASON DETAIL           a question that has no answer
    asked KIND PATTERN                  every path that the pattern covers was looked for; what is not told is not there
    KIND KEY...                         an answer of several lines: "|" and a line of it, ">" and a line of complaint, "@" and the
                                        time before and after (seconds since boot), "." and the exit status (and "-": its last
                                        line had no end), or "!" and the reason why it did not come to an end
    end                                 the last line; without it the text is cut off

KIND is read, run, dm, tgt, kernel_log, stat, files (stat of a folder's entries), space, links (ls -l), stats and mtimes (stat of
several). Keys are encoded as in `index`. Secrets were masked by the script; they are masked here once more, by the rules of
`redact`, so that the same stands where a capture of sctune's own has it.
"""

from __future__ import annotations

import math
import re
import stat as stat_module
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.host.answers import Answers
from sctune.host.base import (
    Clock,
    Completed,
    DmQuery,
    FileEntry,
    FileKind,
    FileStat,
    FilesystemSpace,
    HostIdentity,
    Process,
    Source,
    TgtMode,
)
from sctune.host.index import MalformedIndex, number, real, to_text, unquote, unquote_words
from sctune.host.questions import without_devices
from sctune.host.redact import redact_argv, redact_file, redact_text
from sctune.records import dataclass, field
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

_SCHEMA = 1
_READ_LIMIT = 4 * 1024 * 1024
_MOST_PATTERNS = 1000
_SIGNAL = 128  # what a shell adds to the number of the signal that ended a command
_COMM_LENGTH = 15
AGAIN = "Make it again with 'sh sctune-capture.sh' on the host, or copy it again."
_REASONS = (
    (Reason.ABSENT, ("no such file", "not a directory", "no such device")),
    (Reason.DENIED, ("permission denied", "operation not permitted")),
    (Reason.TIMEOUT, ("timed out", "host is down")),
)
_REFUSED = "connection refused: the daemon that made this socket is gone"
_NOT_THERE = ("not connected", "connection refused")
_LINK = re.compile(r" (/[^ ]*) -> (.*)\Z", re.DOTALL)
_CANNOT_STAT = re.compile(r"stat: .*?[`'‘]\./(.*)['’]: (.*)\Z", re.DOTALL)
_SEVERAL = frozenset({"read", "run", "dm", "tgt", "stat", "files", "space", "links", "stats", "mtimes", "kernel_log"})
_STAT_FIELDS = 11


@dataclass(slots=True, kw_only=True)
class _Record:
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


@dataclass(slots=True, kw_only=True)
class _Row:
    """A process before its arguments are known."""

    ppid: int
    state: str
    uid: int
    threads: int
    started: float
    cpu: float
    name: str
    argv: tuple[str, ...] = ()


def decode_text(data: bytes, path: str) -> Answers:
    """The answers of the text read from `path` (named in errors only). Raises UserError."""
    rows = to_text(data).split("\n")
    first = rows[0].split("\t")
    if len(first) > 1 and first[1].isascii() and first[1].isdecimal() and len(first[1]) < 9 and int(first[1]) > _SCHEMA:
        raise UserError(f"{path} was made by the script of a newer sctune (format {first[1]})", "Update sctune here.")
    if rows[-2:] != ["end", ""]:
        raise UserError(f"{path} is cut off: it does not reach the line 'end'", AGAIN)
    place = 3
    try:
        reader = _Reader(rows[:3])
        for row in rows[3:-2]:
            place += 1
            reader.line(row)
        return reader.finished()
    except MalformedIndex as error:
        raise UserError(f"{path} is damaged: line {place}: {error}", AGAIN) from error


class _Reader:
    """Takes the text line by line. Raises MalformedIndex."""

    def __init__(self, head: Sequence[str]) -> None:
        fields = [row.split("\t") for row in head]
        shape = [(row[0], len(row)) for row in fields]
        if shape != [("sctune-script", 3), ("host", 4), ("clock", 4)] or fields[0][1] != str(_SCHEMA):
            raise MalformedIndex("it does not begin as it should")
        _, name, kernel, uid = fields[1]
        now, boot, ticks = (real(text) for text in fields[2][1:])
        if ticks < 1:
            raise MalformedIndex("the clock has no ticks")
        self._ticks = ticks
        self._answers = Answers(
            identity=HostIdentity(name=unquote(name), kernel=kernel, privileged=uid == "0"),
            clock=Clock(now=now, boot=boot),
            source=Source.LIVE,
            version=fields[0][2],
        )
        self._record: _Record | None = None
        self._rows: dict[int, _Row] = {}
        self._patterns: dict[str, list[str]] = {}
        self._count = 0

    def line(self, row: str) -> None:
        mark = row[:1]
        if not mark:
            return
        record = self._record
        if record is not None and mark in "|>@.!":
            _add(record, mark, row[1:])
            return
        self._close()
        kind, *fields = row.split("\t")
        if kind in _SEVERAL:
            self._record = _Record(kind=kind, key=tuple(fields))
            return
        single = _SINGLE.get(kind)
        if single is None or len(fields) < single[1]:
            raise MalformedIndex(f"{row[:60]!r} is no line of it")
        single[0](self, fields)

    def finished(self) -> Answers:
        self._close()
        answers = self._answers
        answers.patterns = {kind: tuple(patterns) for kind, patterns in self._patterns.items()}
        if answers.processes is None and self._rows:
            answers.processes = tuple(_process(pid, row) for pid, row in self._rows.items())
        return answers

    def _value(self, fields: Sequence[str]) -> None:
        path = unquote(fields[0])
        self._answers.files[path] = redact_file(path, unquote(fields[1]) + "\n")

    def _list(self, fields: Sequence[str]) -> None:
        self._answers.lists[unquote(fields[0])] = tuple(sorted(map(unquote, fields[1:])))

    def _ps(self, fields: Sequence[str]) -> None:
        self._rows[number(fields[0])] = _Row(
            ppid=number(fields[1]),
            state=fields[2],
            uid=number(fields[3]) if fields[3] != "-" else -1,
            threads=number(fields[4]),
            started=number(fields[5]) / self._ticks,
            cpu=number(fields[6]) / self._ticks,
            name=unquote(fields[7]),
        )

    def _args(self, fields: Sequence[str]) -> None:
        row = self._rows.get(number(fields[0]))
        if row is not None:
            row.argv = tuple(map(unquote, fields[1:]))

    def _stuck(self, fields: Sequence[str]) -> None:
        number(fields[0])  # It has no arguments, as any whose arguments cannot be read.

    def _processes(self, fields: Sequence[str]) -> None:
        if fields[0] != "ok":
            self._answers.processes = Unavailable(reason=_reason(fields[0]), what="process table")

    def _asked(self, fields: Sequence[str]) -> None:
        self._count += 1
        if self._count > _MOST_PATTERNS:
            raise MalformedIndex(f"more than {_MOST_PATTERNS} patterns")
        self._patterns.setdefault(fields[0], []).append(fields[1])

    def _no(self, fields: Sequence[str]) -> None:
        kind, key, reason = fields[0], fields[1], fields[2]
        detail = redact_text(unquote(fields[3])) if len(fields) > 3 else ""
        _put(self._answers, kind, (key,), Unavailable(reason=_reason(reason), what=_what(kind, (key,)), detail=detail))

    def _close(self) -> None:
        record, self._record = self._record, None
        if record is None:
            return
        kind = record.kind
        if kind == "links":
            _links(record, self._answers.links)
        elif kind in ("stats", "mtimes"):
            for path, found in _stats(record.body).items():
                if kind == "stats":
                    self._answers.stats[path] = found
                else:
                    self._answers.mtimes[path] = found.mtime
        else:
            if not record.key:
                raise MalformedIndex(f"{kind} of nothing")
            _put(self._answers, kind, record.key, _failure(record) or _answer(record))


_SINGLE = {
    "=": (_Reader._value, 2),
    "list": (_Reader._list, 1),
    "ps": (_Reader._ps, 8),
    "args": (_Reader._args, 1),
    "stuck": (_Reader._stuck, 1),
    "processes": (_Reader._processes, 1),
    "asked": (_Reader._asked, 2),
    "no": (_Reader._no, 3),
}


def _add(record: _Record, mark: str, rest: str) -> None:
    if mark == "|":
        record.body.append(rest)
    elif mark == ">":
        record.complaints.append(rest)
    elif mark == "@":
        record.times.append(real(rest.removeprefix("\t")))
    elif mark == "!":
        record.failure = tuple(rest.split("\t")[1:])
        if not record.failure:
            raise MalformedIndex("a failure without a reason")
    else:
        fields = rest.split("\t")
        if len(fields) < 2:
            raise MalformedIndex("an end without a status")
        record.status = number(fields[1])
        record.no_end = fields[2:] == ["-"]
        if len(fields) > 2 and not record.no_end:
            record.failure = ("failed", "", "", fields[2])


def _reason(word: str) -> Reason:
    try:
        return Reason(word)
    except ValueError as error:
        raise MalformedIndex(f"{word[:40]!r} is no reason") from error


def _what(kind: str, key: Sequence[str]) -> str:
    if kind == "dm":
        return f"dmsetup {unquote(key[0])}"
    if kind == "tgt":
        mode, port, _ = _tgt_key(key)
        return f"tgtadm --op show --mode {mode} (control port {port})"
    return "kernel log" if kind == "kernel_log" else redact_text(unquote(key[0]))


def _tgt_key(key: Sequence[str]) -> tuple[TgtMode, int, int | None]:
    words = key if len(key) > 1 else key[0].split(" ")
    try:
        mode, port, tid = words
        return TgtMode(mode), number(port), None if tid == "-" else number(tid)
    except ValueError as error:
        raise MalformedIndex(f"{' '.join(words)[:40]!r} cannot be asked of tgtd") from error


def _put(answers: Answers, kind: str, key: Sequence[str], answer: object) -> None:
    path = unquote(key[0])
    if kind == "dm":
        try:
            answers.dm[DmQuery(path)] = answer  # type: ignore[assignment]
        except ValueError as error:
            raise MalformedIndex(f"{path[:40]!r} cannot be asked of device-mapper") from error
    elif kind == "kernel_log":
        if hasattr(answers, kind):
            setattr(answers, kind, answer)
    elif kind == "tgt":
        answers.tgt[_tgt_key(key)] = answer  # type: ignore[assignment]
    elif kind == "run":
        answers.commands[without_devices(redact_argv(unquote_words(key[0])))] = answer  # type: ignore[assignment]
    elif kind == "stat":
        answers.stats[path] = answers.store_stats[path] = answer  # type: ignore[assignment]
    elif kind == "read":
        answers.files[path] = answer  # type: ignore[assignment]
    elif kind == "list":
        answers.lists[path] = answer  # type: ignore[assignment]
    elif kind == "files":
        answers.folders[path] = answer  # type: ignore[assignment]
    elif kind == "space":
        answers.spaces[path] = answer  # type: ignore[assignment]
    else:
        raise MalformedIndex(f"{kind[:40]!r} is no kind of answer")


def _failure(record: _Record) -> Unavailable | None:
    """Why there is no answer, where the record says so."""
    what = _what(record.kind, record.key)
    if record.failure:
        reason, seconds, left, *more = (*record.failure, "", "", "")
        detail = more[0] or (f"no answer in {seconds} s" if seconds else "")
        pids = tuple(number(pid) for pid in left.split(",") if pid)
        return Unavailable(reason=_reason(reason), what=what, detail=redact_text(detail), pids=pids)
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


def _answer(record: _Record) -> object:
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
    if kind == "space":
        return _space(record)
    found = _stat(record.text.rstrip("\n"))
    if found is None:
        raise MalformedIndex(f"{record.text[:60]!r} is no stat")
    return found[1]


def _completed(record: _Record) -> Completed:
    status = record.status or 0
    before, after = (*record.times, *record.times, 0.0, 0.0)[:2]
    return Completed(
        argv=redact_argv(unquote_words(record.key[0])),
        status=_SIGNAL - status if _SIGNAL < status < 2 * _SIGNAL else status,
        stdout=redact_text(record.text),
        stderr=redact_text("".join(line + "\n" for line in record.complaints)),
        seconds=max(0.0, after - before),
    )


def _links(record: _Record, links: MutableMapping[str, str | Unavailable]) -> None:
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


def _stats(rows: Sequence[str]) -> dict[str, FileStat]:
    return dict(found for row in rows if (found := _stat(row)) is not None)


def _entries(record: _Record) -> tuple[FileEntry, ...]:
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


def _space(record: _Record) -> FilesystemSpace:
    """`stat -f -c '%b %f %a %S %s %c %d'`. Where the size that blocks are counted in (%S) is not told it is the other one (%s)."""
    words = record.text.split()
    if len(words) != 7:
        raise MalformedIndex(f"{record.text[:60]!r} is no space of a file system")
    unit = int(words[3]) if words[3].isascii() and words[3].isdecimal() and words[3].strip("0") else number(words[4])
    total, free, available = (number(word) * unit for word in words[:3])
    return FilesystemSpace(total=total, free=free, available=available, inodes=number(words[5]), inodes_free=number(words[6]))


def _process(pid: int, row: _Row) -> Process:
    argv = row.argv
    if len(argv) == 1 and " " in argv[0]:
        argv = tuple(argv[0].split(" "))  # a process that rewrote its title, as psutil has it
    name = row.name
    if len(name) >= _COMM_LENGTH and argv and (whole := argv[0].rpartition("/")[2]).startswith(name):
        name = whole  # the kernel cuts names
    if not math.isfinite(row.started) or not math.isfinite(row.cpu):
        raise MalformedIndex("a time that is not finite")
    return Process(
        pid=pid,
        ppid=row.ppid,
        name=name,
        state=row.state,
        argv=redact_argv(argv),
        started=row.started,
        cpu_seconds=row.cpu,
        uid=row.uid,
        threads=row.threads,
    )
