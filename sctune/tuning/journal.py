"""The journal: what was done to this machine, and all that is needed to undo it, on stable storage before anything is done.

/var/lib/sctune/journal (0700) has a file a transaction, NUMBER.journal (0600), to which lines are only added:

    <checksum> <JSON>

The checksum is the first 16 hexadecimal digits of SHA-256 over the checksum of the line before and the JSON, so that a line that is
cut, changed, missing or out of place is told. A line that is not whole can only be the last, where the power went while it was
written; it says nothing, and the next writer cuts it off. Anything else that does not fit is a damaged journal, and is refused.

`before` of a file is all of it: of iscsid.conf with its CHAP secrets. Hence root alone may read a journal, and nothing prints that.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from sctune.tuning.steps import FileStep, Step, ToolStep, ValueStep  # noqa: TC001 - msgspec reads annotations when it runs
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.tuning.calls import Calls

FOLDER = "/var/lib/sctune/journal"
FORMAT = 1
"""Grows when an older sctune would misread what a newer one wrote."""
_NAME = re.compile(r"([0-9]{6,12})\.journal")
_DIGITS = 16
_LIMIT = 256 * 1024 * 1024


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin", tag_field="record"):
    """Who does what, and when (seconds since the epoch). `steps` is how many intents follow before anything is done."""

    format: int
    profile: str
    version: str
    boot_id: str
    time: float
    user: str
    options: tuple[tuple[str, str], ...]
    steps: int


class Intent(msgspec.Struct, frozen=True, kw_only=True, tag="intent", tag_field="record"):
    """One step that is going to be done."""

    index: int
    step: ValueStep | FileStep | ToolStep


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done", tag_field="record"):
    """It was done; `read` is what the kernel then said (values only)."""

    index: int
    read: str


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", tag_field="record"):
    """It was not, and why."""

    index: int
    reason: str


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="record"):
    """All was done and read back."""

    time: float


class UndoBegin(msgspec.Struct, frozen=True, kw_only=True, tag="undo-begin", tag_field="record"):
    """Steps are undone from here on: because one failed, or because somebody asked."""

    time: float
    boot_id: str
    user: str
    after_failure: bool
    force: bool


class Undoing(msgspec.Struct, frozen=True, kw_only=True, tag="undoing", tag_field="record"):
    """A step that takes more than one change to undo is begun."""

    index: int


class Undone(msgspec.Struct, frozen=True, kw_only=True, tag="undone", tag_field="record"):
    """A step, and how it came out (a word of `undo.Outcome`)."""

    index: int
    outcome: str
    detail: str


class UndoEnd(msgspec.Struct, frozen=True, kw_only=True, tag="undo-end", tag_field="record"):
    """Every step has been gone through; `complete`: none failed."""

    time: float
    complete: bool


Record: TypeAlias = Begin | Intent | Done | Failed | End | UndoBegin | Undoing | Undone | UndoEnd
_DECODER = msgspec.json.Decoder(Record)
_ENCODER = msgspec.json.Encoder()


class _Head(msgspec.Struct, frozen=True):
    record: str
    format: int = 0


class JournalError(Refused):
    """A journal that cannot be used: damaged, of a newer version, or one that others may have written."""


class Pages:
    """One transaction's file, open to add records."""

    def __init__(self, number: int, descriptor: int, calls: Calls, *, size: int, last: str) -> None:
        self.number = number
        self._descriptor = descriptor
        self._calls = calls
        self._size = size
        self._last = last
        self._whole = True

    def add(self, *records: Record, sync: bool = True) -> None:
        """Adds records; with `sync` they, and all before them, are on stable storage when it returns. Raises OSError, and then none
        of them counts."""
        if not self._whole:
            self._calls.truncate(self._descriptor, self._size)
            self._whole = True
        data, last = encode(records, self._last)
        try:
            self._calls.write(self._descriptor, data)
            if sync:
                self._calls.sync(self._descriptor)
        except BaseException:
            self._whole = False
            with suppress(OSError):
                self._calls.truncate(self._descriptor, self._size)
                self._whole = True
            raise
        self._size += len(data)
        self._last = last

    def close(self) -> None:
        """Lets go of it."""
        os.close(self._descriptor)


class Journal:
    """The folder of transactions. `folder` is its real path."""

    def __init__(self, folder: str, calls: Calls) -> None:
        self.folder = folder
        self.calls = calls

    def numbers(self) -> tuple[int, ...]:
        """The transactions there are, the oldest first. Raises JournalError where it cannot be looked at."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise JournalError(f"cannot read the journal: {self.folder}: {_words(error)}", "Run it as root.") from None
        return tuple(sorted(int(form[1]) for form in map(_NAME.fullmatch, names) if form))

    def begin(self, begin: Begin, steps: Sequence[Step]) -> Pages:
        """A new transaction with all its intents, on stable storage when this returns. Raises OSError where that cannot be, and
        then leaves nothing."""
        self._make_folder()
        number = max(self.numbers(), default=0) + 1
        path = self._path(number)
        descriptor = self.calls.create(path, 0o600)
        pages = Pages(number, descriptor, self.calls, size=0, last="")
        try:
            self.calls.set_mode(descriptor, 0o600)
            pages.add(begin, *(Intent(index=index, step=step) for index, step in enumerate(steps)))
            self.calls.sync_folder(self.folder)
        except BaseException:
            pages.close()
            with suppress(OSError):
                self.calls.unlink(path)
            raise
        return pages

    def read(self, number: int) -> tuple[Record, ...]:
        """The records of one transaction. Raises JournalError for one that is not there, damaged or of a newer version."""
        return self._decoded(number)[0]

    def open(self, number: int) -> Pages:
        """One transaction, to add to it; a line that was cut is removed. Raises JournalError and OSError."""
        _, size, last, torn = self._decoded(number)
        pages = Pages(number, self.calls.append(self._path(number)), self.calls, size=size, last=last)
        if torn:
            pages._whole = False
        return pages

    def discard(self, number: int) -> None:
        """Removes a transaction that never began."""
        self.calls.unlink(self._path(number))
        self.calls.sync_folder(self.folder)

    def _decoded(self, number: int) -> tuple[tuple[Record, ...], int, str, bool]:
        path = self._path(number)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise JournalError(f"there is no transaction {number}", "sctune history lists them.") from None
        except OSError as error:
            raise JournalError(f"cannot read {path}: {_words(error)}", "Run it as root.") from None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
                raise JournalError(f"others may have written {path}: it is not used", "Look at it, and who made it.")
            try:
                data = file.read(_LIMIT)
            except OSError as error:
                raise JournalError(f"cannot read {path}: {_words(error)}") from None
        return decode(data, path)

    def _path(self, number: int) -> str:
        return f"{self.folder}/{number:06d}.journal"

    def _make_folder(self) -> None:
        missing = []
        folder = self.folder
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for one in reversed(missing):
            self.calls.make_folder(one, 0o700 if one == self.folder else 0o755)
            self.calls.sync_folder(os.path.dirname(one))
        found = os.stat(self.folder)
        if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
            raise JournalError(f"others may write in {self.folder}: nothing is journalled there", "chmod 0700 and chown root it.")


def encode(records: Sequence[Record], last: str) -> tuple[bytes, str]:
    """The lines of records that follow a line with the checksum `last` ("" at the beginning), and the checksum of the last."""
    lines = bytearray()
    for record in records:
        body = _ENCODER.encode(record)
        last = _checksum(last, body)
        lines += last.encode() + b" " + body + b"\n"
    return bytes(lines), last


def decode(data: bytes, path: str) -> tuple[tuple[Record, ...], int, str, bool]:
    """Records, the bytes they take, the last checksum, and whether a cut line follows. Raises JournalError."""
    records: list[Record] = []
    size = 0
    last = ""
    while size < len(data):
        end = data.find(b"\n", size)
        line = data[size : end if end >= 0 else len(data)]
        told, body = line[:_DIGITS], line[_DIGITS + 1 :]
        if end < 0 or told != _checksum(last, body).encode() or line[_DIGITS : _DIGITS + 1] != b" ":
            if 0 <= end < len(data) - 1:
                raise JournalError(
                    f"{path} is damaged at line {len(records) + 1}", "Undo by hand what it names, then move it away."
                )
            return tuple(records), size, last, True
        records.append(_record(body, path, first=not records))
        last = told.decode()
        size = end + 1
    return tuple(records), size, last, False


def _record(body: bytes, path: str, *, first: bool) -> Record:
    try:
        if first:
            head = msgspec.json.decode(body, type=_Head)
            if head.record != "begin" or head.format > FORMAT:
                raise JournalError(
                    f"{path} was written by a newer sctune (format {head.format}, this one reads up to {FORMAT})",
                    "Use that version.",
                )
        record: Record = _DECODER.decode(body)
    except msgspec.DecodeError:
        raise JournalError(f"{path} holds a record that this version does not know", "Use the version that wrote it.") from None
    return record


def _checksum(last: str, body: bytes) -> str:
    return hashlib.sha256(last.encode() + body).hexdigest()[:_DIGITS]


def _words(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
