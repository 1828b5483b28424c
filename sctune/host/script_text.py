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

KIND is read, run, dm, tgt, kernel_log, log (and its key: path, the host's distance from UTC, 1 for whole), stat, files (stat of a
folder's entries), space, links (ls -l), stats and mtimes (stat of several). Keys are encoded as in `index`. Secrets were masked by
the script; they are masked here once more, by the rules of `redact`, so that the same stands where a capture of sctune's own has
it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.host.answers import Answers
from sctune.host.base import (
    Clock,
    Completed,
    DmQuery,
    FileStat,
    FilesystemSpace,
    HostIdentity,
    LogLines,
    Process,
    Source,
)
from sctune.host.index import MalformedIndex, number, real, to_text, unquote, unquote_words
from sctune.host.proc import title_words, whole_name
from sctune.host.questions import without_devices
from sctune.host.redact import redact_argv, redact_file, redact_text
from sctune.host.script_answers import Record, add_links, answer_of, failure, reason_of, stats_of, tgt_key, what_of
from sctune.records import dataclass
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.script_answers import Answer

_SCHEMA = 1
_MOST_PATTERNS = 1000
AGAIN = "Make it again with 'sh sctune-capture.sh' on the host, or copy it again."
_SEVERAL = frozenset({"read", "run", "dm", "tgt", "stat", "files", "space", "links", "stats", "mtimes", "kernel_log", "log"})


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
        self._record: Record | None = None
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
            self._record = Record(kind=kind, key=tuple(fields))
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
            self._answers.processes = Unavailable(reason=reason_of(fields[0]), what="process table")

    def _asked(self, fields: Sequence[str]) -> None:
        self._count += 1
        if self._count > _MOST_PATTERNS:
            raise MalformedIndex(f"more than {_MOST_PATTERNS} patterns")
        self._patterns.setdefault(fields[0], []).append(fields[1])

    def _no(self, fields: Sequence[str]) -> None:
        kind, key, reason = fields[0], fields[1], fields[2]
        detail = redact_text(unquote(fields[3])) if len(fields) > 3 else ""
        _put(self._answers, kind, (key,), Unavailable(reason=reason_of(reason), what=what_of(kind, (key,)), detail=detail))

    def _close(self) -> None:
        record, self._record = self._record, None
        if record is None:
            return
        kind = record.kind
        if kind == "links":
            add_links(record, self._answers.links)
        elif kind in ("stats", "mtimes"):
            for path, found in stats_of(record.body).items():
                if kind == "stats":
                    self._answers.stats[path] = found
                else:
                    self._answers.mtimes[path] = found.mtime
        else:
            if not record.key:
                raise MalformedIndex(f"{kind} of nothing")
            _put(self._answers, kind, record.key, failure(record) or answer_of(record))


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


def _add(record: Record, mark: str, rest: str) -> None:
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


def _put(answers: Answers, kind: str, key: Sequence[str], answer: Answer | Unavailable) -> None:
    path = unquote(key[0])
    match kind, answer:
        case "dm", (str() | Unavailable()) as found:
            try:
                answers.dm[DmQuery(path)] = found
            except ValueError as error:
                raise MalformedIndex(f"{path[:40]!r} cannot be asked of device-mapper") from error
        case "kernel_log", (str() | Unavailable()) as found:
            answers.kernel_log = found
        case "log", (LogLines() | Unavailable()) as log:
            answers.logs[path] = log
        case "tgt", (str() | Unavailable()) as found:
            answers.tgt[tgt_key(key)] = found
        case "run", (Completed() | Unavailable()) as done:
            answers.commands[without_devices(redact_argv(unquote_words(key[0])))] = done
        case "stat", (FileStat() | Unavailable()) as stat:
            answers.stats[path] = answers.store_stats[path] = stat
        case "read", (str() | Unavailable()) as found:
            answers.files[path] = found
        case "files", (tuple() | Unavailable()) as entries:
            answers.folders[path] = entries
        case "space", (FilesystemSpace() | Unavailable()) as space:
            answers.spaces[path] = space
        case "list", Unavailable() as refused:
            answers.lists[path] = refused
        case _:
            raise MalformedIndex(f"{kind[:40]!r} is no kind of answer")


def _process(pid: int, row: _Row) -> Process:
    argv = title_words(row.argv)
    if not math.isfinite(row.started) or not math.isfinite(row.cpu):
        raise MalformedIndex("a time that is not finite")
    return Process(
        pid=pid,
        ppid=row.ppid,
        name=whole_name(row.name, argv),
        state=row.state,
        argv=redact_argv(argv),
        started=row.started,
        cpu_seconds=row.cpu,
        uid=row.uid,
        threads=row.threads,
    )
