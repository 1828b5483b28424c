"""The format of a capture, schema 1. A folder, or a tar of it (plain, gzip or xz), to be read by people too:

    capture.json   schema, sctune's version, host (name, kernel, privileged), clock (now, boot), source
    files/PATH     the text of every system file that was read
    output/NNNN.out, NNNN.err   what commands, device-mapper and tgtd said, and the process table
    index.tsv      every other answer, a line each: kind, key, outcome, details (see `index`); the last line is "end"

The outcome is "ok" or one of the six reasons of not knowing, followed by what was asked, the detail, and pids. Details of "ok":
list: the names. readlink: the target. stat, stat_file: nine numbers. lstat_mtime: seconds. list_files: how many `entry`
lines follow, each of folder, outcome, name and stat. space: five numbers. run: status, seconds, NNNN. dm, tgt, processes,
kernel_log, and read where a path cannot be the name of a file under files/: NNNN. log: begins (or -), whole (0 or 1), size, zone,
NNNN of its lines.

What sctune-capture.sh writes is no archive but one text, which `read_bundle` reads as well: see `script_text`.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, TypeVar

from sctune.host import index
from sctune.host.index import OK, line, quote, quote_words
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sctune.host.answers import Answers
    from sctune.host.base import LogLines

T = TypeVar("T")
SCHEMA = 1
HEADER = "capture.json"
INDEX = "index.tsv"
_TITLES = "# kind\tkey\toutcome\tdetails (%XX: a control character or a byte that is not UTF-8)\n"
_LONGEST_PATH = 1024


def write_bundle(answers: Answers, path: str) -> None:
    """Writes a capture, whole or not at all, readable by its owner only. The form follows the name (see `pack.form_of`).

    Raises UserError where it cannot be written.
    """
    from sctune.host.pack import pack

    pack(path, encode(answers), mtime=int(answers.clock.now))


def read_bundle(path: str) -> Answers:
    """Reads a capture into memory. Raises UserError where it is none, or a damaged one."""
    from sctune.host.unpack import SCRIPT, unpack

    members = unpack(path)
    if SCRIPT in members:
        from sctune.host.script_text import decode_text

        return decode_text(members[SCRIPT], path)
    from sctune.host.bundle_decode import decode

    return decode(members, path)


def encode(answers: Answers) -> Iterator[tuple[str, bytes]]:
    """The members of a capture, the index last: what is cut off has none, and is known by that."""
    yield HEADER, _header(answers)
    outputs = _Outputs()
    lines = [_TITLES]
    folders = _folders(answers.files)
    for path in sorted(answers.files):
        text = answers.files[path]
        if isinstance(text, Unavailable):
            lines.append(_no("read", quote(path), text))
        elif path not in folders and is_plain(path):
            yield "files" + path, index.to_bytes(text)
        else:
            lines.append(line("read", quote(path), OK, (outputs.add(text),)))
    lines += _lines("list", answers.lists, lambda names: names)
    lines += _lines("readlink", answers.links, lambda target: (target,))
    lines += _lines("stat", answers.stats, index.stat_fields)
    lines += _lines("lstat_mtime", answers.mtimes, lambda seconds: (repr(seconds),))
    lines += _lines("stat_file", answers.store_stats, index.stat_fields)
    lines += _folder_lines(answers)
    lines += _lines("space", answers.spaces, index.space_fields)
    lines += _output_lines(answers, outputs)
    yield from outputs.members()
    lines.append("end\n")
    yield INDEX, index.to_bytes("".join(lines))


def is_plain(path: str) -> bool:
    """Whether a path can be the name of a file under files/ and come back the same."""
    return (
        len(path) <= _LONGEST_PATH
        and path.startswith("/")
        and not path.startswith("//")
        and len(path) > 1
        and posixpath.normpath(path) == path
        and path.isprintable()
        and all(len(part.encode("utf-8")) <= 255 for part in path.split("/"))
    )


class _Outputs:
    """The numbered texts under output/."""

    def __init__(self) -> None:
        self._texts: list[tuple[str, bytes]] = []
        self._last = 0

    def add(self, out: str, err: str = "") -> str:
        self._last += 1
        name = f"{self._last:04d}"
        self._texts.append((f"output/{name}.out", index.to_bytes(out)))
        if err:
            self._texts.append((f"output/{name}.err", index.to_bytes(err)))
        return name

    def members(self) -> Iterable[tuple[str, bytes]]:
        return self._texts


def _header(answers: Answers) -> bytes:
    import json

    identity, clock = answers.identity, answers.clock
    header = {
        "schema": SCHEMA,
        "sctune": answers.version,
        "host": {"name": identity.name, "kernel": identity.kernel, "privileged": identity.privileged},
        "clock": {"now": clock.now, "boot": clock.boot},
        "source": answers.source.value,
    }
    return (json.dumps(header, indent=2) + "\n").encode("ascii")


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder above one of the paths: such a name cannot be a file's as well (it was one when the other was asked)."""
    found: set[str] = set()
    for path in paths:
        above = posixpath.dirname(path)
        while above not in found and above not in ("", "/"):
            found.add(above)
            above = posixpath.dirname(above)
    return found


def _no(kind: str, key: str, answer: Unavailable) -> str:
    return line(kind, key, answer.reason.value, index.unavailable_fields(answer))


def _lines(kind: str, answers: Mapping[str, T | Unavailable], fields: Callable[[T], tuple[str, ...]]) -> Iterator[str]:
    for path in sorted(answers):
        answer = answers[path]
        yield _no(kind, quote(path), answer) if isinstance(answer, Unavailable) else line(kind, quote(path), OK, fields(answer))


def _folder_lines(answers: Answers) -> Iterator[str]:
    for path in sorted(answers.folders):
        entries = answers.folders[path]
        if isinstance(entries, Unavailable):
            yield _no("list_files", quote(path), entries)
            continue
        yield line("list_files", quote(path), OK, (str(len(entries)),))
        for entry in entries:
            outcome, fields = (
                (entry.stat.reason.value, index.unavailable_fields(entry.stat))
                if isinstance(entry.stat, Unavailable)
                else (OK, index.stat_fields(entry.stat))
            )
            yield line("entry", quote(path), outcome, (entry.name, *fields))


def _log_fields(found: LogLines, outputs: _Outputs) -> tuple[str, ...]:
    name = outputs.add(index.log_table(found.lines))
    begins = "-" if found.begins is None else repr(found.begins)
    return begins, "1" if found.whole else "0", str(found.size), found.zone, name


def _output_lines(answers: Answers, outputs: _Outputs) -> Iterator[str]:
    for argv, completed in sorted(answers.commands.items(), key=lambda item: item[0]):
        if isinstance(completed, Unavailable):
            yield _no("run", quote_words(argv), completed)
        else:
            name = outputs.add(completed.stdout, completed.stderr)
            yield line("run", quote_words(argv), OK, (str(completed.status), repr(completed.seconds), name))
    texts: list[tuple[str, str, str | Unavailable]] = [("dm", query.value, text) for query, text in answers.dm.items()]
    for (mode, port, tid), text in answers.tgt.items():
        texts.append(("tgt", f"{mode.value} {port} {'-' if tid is None else tid}", text))
    processes = answers.processes
    if processes is not None:
        table = processes if isinstance(processes, Unavailable) else index.process_table(processes)
        texts.append(("processes", "-", table))
    if answers.kernel_log is not None:
        texts.append(("kernel_log", "-", answers.kernel_log))
    for path, found in answers.logs.items():
        key = quote(path)
        yield _no("log", key, found) if isinstance(found, Unavailable) else line("log", key, OK, _log_fields(found, outputs))
    for kind, key, text in texts:
        yield _no(kind, key, text) if isinstance(text, Unavailable) else line(kind, key, OK, (outputs.add(text),))
