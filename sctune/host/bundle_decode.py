"""The members of a capture turned into answers again. What cannot be right is refused with one clear error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sctune.errors import UserError
from sctune.host import index
from sctune.host.answers import Answers
from sctune.host.base import Clock, Completed, DmQuery, FileEntry, HostIdentity, LogLines, Source, TgtMode
from sctune.host.bundle import HEADER, INDEX, SCHEMA
from sctune.host.index import OK, MalformedIndex, unquote, unquote_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sctune.unavailable import Unavailable

T = TypeVar("T")
AGAIN = "Make it again with 'sctune capture -o FILE' on the host."


def decode(members: Mapping[str, bytes], path: str) -> Answers:
    """The answers of the capture read from `path` (named in errors only). Raises UserError."""
    if HEADER not in members:
        raise UserError(f"{path} is no capture: it holds no {HEADER}", "Name what 'sctune capture -o FILE' wrote.")
    answers = _header(members[HEADER], path)
    if INDEX not in members:
        raise UserError(f"{path} is cut off: its {INDEX} is missing", AGAIN)
    for name, data in members.items():
        if name.startswith("files/"):
            answers.files[name.removeprefix("files")] = index.to_text(data)
    reader = _Reader(answers, members)
    rows = index.to_text(members[INDEX]).split("\n")
    if rows[-2:] != ["end", ""]:
        raise UserError(f"{path} is cut off: its {INDEX} does not reach the line 'end'", AGAIN)
    try:
        for row in rows[:-2]:
            reader.line(row)
        reader.close()
    except MalformedIndex as error:
        raise UserError(f"{path} is damaged: {INDEX}, line {reader.place}: {error}", AGAIN) from error
    return answers


def _header(data: bytes, path: str) -> Answers:
    import json
    import math

    try:
        header: Any = json.loads(data)
        schema = header["schema"]
        if isinstance(schema, int) and schema > SCHEMA:
            raise UserError(f"{path} was made by a newer sctune (schema {schema}, known is {SCHEMA})", "Update sctune here.")
        host, clock = header["host"], header["clock"]
        name, kernel, privileged = host["name"], host["kernel"], host["privileged"]
        now, boot = float(clock["now"]), float(clock["boot"])
        version = header["sctune"]
        sound = (
            schema == SCHEMA
            and all(isinstance(text, str) for text in (name, kernel, version))
            and isinstance(privileged, bool)
            and math.isfinite(now)
            and math.isfinite(boot)
        )
        if not sound:
            raise ValueError("a value of the wrong kind")
        source = Source(header["source"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise UserError(f"{path} is no capture of sctune, or a damaged one: {HEADER} cannot be understood", AGAIN) from error
    return Answers(
        identity=HostIdentity(name=name, kernel=kernel, privileged=privileged),
        clock=Clock(now=now, boot=boot),
        source=source,
        version=version,
    )


class _Reader:
    """Takes the index line by line. Raises MalformedIndex."""

    def __init__(self, answers: Answers, members: Mapping[str, bytes]) -> None:
        self._answers = answers
        self._members = members
        self._entries: list[FileEntry] = []
        self._folder: str | None = None
        self._missing = 0
        self.place = 0

    def line(self, row: str) -> None:
        self.place += 1
        if not row or row.startswith("#"):
            return
        kind, *rest = row.split("\t")
        if len(rest) < 2:
            raise MalformedIndex("a line has at least three fields")
        key, outcome, *encoded = rest
        details = tuple(map(unquote, encoded))
        if kind == "entry":
            self._entry(unquote(key), outcome, details)
            return
        self.close()
        answers, path = self._answers, unquote(key)
        match kind:
            case "read":
                answers.files[path] = self._answer(key, outcome, details, self._output)
            case "list":
                answers.lists[path] = self._answer(key, outcome, details, lambda names: names)
            case "readlink":
                answers.links[path] = self._answer(key, outcome, details, _only)
            case "stat":
                answers.stats[path] = self._answer(key, outcome, details, index.parse_stat)
            case "lstat_mtime":
                answers.mtimes[path] = self._answer(key, outcome, details, lambda fields: index.real(_only(fields)))
            case "stat_file":
                answers.store_stats[path] = self._answer(key, outcome, details, index.parse_stat)
            case "list_files":
                self._open(path, self._answer(key, outcome, details, lambda fields: index.number(_only(fields))))
            case "space":
                answers.spaces[path] = self._answer(key, outcome, details, index.parse_space)
            case "run":
                argv = unquote_words(key)
                answers.commands[argv] = self._answer(key, outcome, details, lambda fields: self._completed(argv, fields))
            case "dm":
                answers.dm[_dm_question(path)] = self._answer(key, outcome, details, self._output)
            case "tgt":
                answers.tgt[_tgt_question(path)] = self._answer(key, outcome, details, self._output)
            case "processes":
                answers.processes = self._answer(key, outcome, details, lambda f: index.parse_process_table(self._output(f)))
            case "kernel_log":
                answers.kernel_log = self._answer(key, outcome, details, self._output)
            case "log":
                answers.logs[path] = self._answer(key, outcome, details, self._log)
            case _:
                raise MalformedIndex(f"{kind[:40]!r} is no kind of answer")

    def close(self) -> None:
        """Ends the folder whose entries were read."""
        if self._missing:
            raise MalformedIndex(f"{self._missing} entries of {self._folder!r} are missing")
        if self._folder is not None:
            self._answers.folders[self._folder] = tuple(self._entries)
            self._folder = None

    def _open(self, folder: str, count: int | Unavailable) -> None:
        if not isinstance(count, int):
            self._answers.folders[folder] = count
            return
        if count < 0:
            raise MalformedIndex("a folder with less than nothing in it")
        self._folder, self._entries, self._missing = folder, [], count

    def _entry(self, folder: str, outcome: str, details: tuple[str, ...]) -> None:
        if folder != self._folder or self._missing == 0 or not details:
            raise MalformedIndex("an entry outside its folder")
        name, *fields = details
        stat = index.parse_stat(fields) if outcome == OK else index.parse_unavailable(outcome, fields, f"{folder}/{name}")
        self._entries.append(FileEntry(name=name, stat=stat))
        self._missing -= 1

    def _answer(self, key: str, outcome: str, details: tuple[str, ...], parse: Callable[[tuple[str, ...]], T]) -> T | Unavailable:
        return parse(details) if outcome == OK else index.parse_unavailable(outcome, details, unquote(key))

    def _output(self, fields: tuple[str, ...]) -> str:
        name = f"output/{_only(fields)}.out"
        if name not in self._members:
            raise MalformedIndex(f"{name[:80]} is missing")
        return index.to_text(self._members[name])

    def _log(self, fields: tuple[str, ...]) -> LogLines:
        if len(fields) != 5:
            raise MalformedIndex(f"a log has 5 details, not {len(fields)}")
        return LogLines(
            lines=index.parse_log_table(self._output(fields[4:])),
            begins=None if fields[0] == "-" else index.real(fields[0]),
            whole=fields[1] == "1",
            size=index.number(fields[2]),
            zone=fields[3],
        )

    def _completed(self, argv: tuple[str, ...], fields: tuple[str, ...]) -> Completed:
        if len(fields) != 3:
            raise MalformedIndex(f"a command has 3 details, not {len(fields)}")
        return Completed(
            argv=argv,
            status=index.number(fields[0]),
            stdout=self._output(fields[2:]),
            stderr=index.to_text(self._members.get(f"output/{fields[2]}.err", b"")),
            seconds=index.real(fields[1]),
        )


def _only(fields: tuple[str, ...]) -> str:
    if len(fields) != 1:
        raise MalformedIndex(f"one detail expected, not {len(fields)}")
    return fields[0]


def _dm_question(text: str) -> DmQuery:
    try:
        return DmQuery(text)
    except ValueError as error:
        raise MalformedIndex(f"{text[:40]!r} cannot be asked of device-mapper") from error


def _tgt_question(text: str) -> tuple[TgtMode, int, int | None]:
    parts = text.split(" ")
    try:
        mode, port, tid = parts
        return TgtMode(mode), int(port), None if tid == "-" else int(tid)
    except ValueError as error:
        raise MalformedIndex(f"{text[:40]!r} cannot be asked of tgtd") from error
