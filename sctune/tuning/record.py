"""What is applied, for all to read: /var/lib/sctune/applied.json (0644), made from the journal, which holds secrets and is root's.

It is written anew, as a whole, when a transaction begins and before one is said to have ended; always under the lock. So a
transaction that stands in it as whole has all its settings in force, and one that was broken off stands in it as such. A file of
sctune's own is in it as a checksum, of somebody else's the lines that were changed: iscsid.conf has CHAP secrets, and from a
checksum of it a password could be guessed.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from sctune.model.applied import Kind
from sctune.probes.applied import PATH
from sctune.tuning.journal import JournalError
from sctune.tuning.steps import FileStep, ValueStep
from sctune.tuning.transaction import OPEN, Status, read_transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.tuning.calls import Calls
    from sctune.tuning.journal import Journal
    from sctune.tuning.steps import Step
    from sctune.tuning.transaction import Transaction

FORMAT = 1
OURS = b"# Written by sctune "
"""How a file begins that is sctune's own (templates/_head.j2)."""


class RecordedSetting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `model.applied.Setting`."""

    setting: str
    kind: Kind
    path: str
    wanted: str = ""
    accepts: tuple[str, ...] = ()
    line: str = ""
    mode: int | None = None
    uid: int | None = None


class RecordedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A `model.applied.Transaction`."""

    number: int
    profile: str
    version: str
    state: str
    time: float
    options: tuple[tuple[str, str], ...]
    settings: tuple[RecordedSetting, ...]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    format: int
    transactions: tuple[RecordedTransaction, ...]


def write(journal: Journal, calls: Calls, *, as_if: Mapping[int, Status] | None = None) -> None:
    """Writes it, with transactions in `as_if` in another state than the journal says yet. Raises OSError, and then leaves the old
    one. A transaction that cannot be read is left out: apply and rollback refuse it by themselves."""
    data = encode(journal, as_if or {})
    folder = os.path.dirname(journal.folder)
    path = os.path.join(folder, os.path.basename(PATH))
    beside = f"{path}.new"
    if os.path.lexists(beside):
        calls.unlink(beside)
    try:
        descriptor = calls.create(beside, 0o600)
        try:
            calls.write(descriptor, data)
            calls.set_mode(descriptor, 0o644)
            calls.sync(descriptor)
        finally:
            os.close(descriptor)
        calls.rename(beside, path)
    except OSError:
        with suppress(OSError):
            calls.unlink(beside)
        raise
    calls.sync_folder(folder)


def encode(journal: Journal, as_if: Mapping[int, Status]) -> bytes:
    """What is to stand in it."""
    transactions = tuple(_recorded(found, status) for found, status in _open(journal, as_if))
    return msgspec.json.format(msgspec.json.encode(Record(format=FORMAT, transactions=transactions)), indent=1) + b"\n"


def _open(journal: Journal, as_if: Mapping[int, Status]) -> Iterator[tuple[Transaction, Status]]:
    for number in journal.numbers():
        try:
            found = read_transaction(journal, number)
        except JournalError:
            continue
        status = as_if.get(number, found.status)
        if status in OPEN:
            yield found, status


def _recorded(found: Transaction, status: Status) -> RecordedTransaction:
    begin = found.begin
    assert begin is not None  # noqa: S101 - an open transaction has begun
    return RecordedTransaction(
        number=found.number,
        profile=begin.profile,
        version=begin.version,
        state=status.value,
        time=time.time(),
        options=begin.options,
        settings=tuple(setting for step in found.steps for setting in _settings(step)),
    )


def _settings(step: Step) -> Iterator[RecordedSetting]:
    if isinstance(step, ValueStep):
        accepts = tuple(sorted(step.ours - {step.value}))
        yield RecordedSetting(setting=step.setting, kind=Kind.VALUE, path=step.path, wanted=step.value, accepts=accepts)
    elif isinstance(step, FileStep):
        yield from _file(step)
    else:
        for one in step.lines:
            kind = Kind.TARGET if one.argv else Kind.WHOLE if one.whole else Kind.KEPT
            yield RecordedSetting(setting=step.setting, kind=kind, path=one.path, line=one.line)


def _file(step: FileStep) -> Iterator[RecordedSetting]:
    after = step.after
    if after is None:
        yield RecordedSetting(setting=step.setting, kind=Kind.REMOVED, path=step.path)
    elif after.content.startswith(OURS) or step.before is None:
        digest = hashlib.sha256(after.content).hexdigest()
        yield RecordedSetting(setting=step.setting, kind=Kind.FILE, path=step.path, wanted=digest, mode=after.mode, uid=after.uid)
    else:
        for line in changed_lines(step.before.content, after.content):
            yield RecordedSetting(setting=step.setting, kind=Kind.LINE, path=step.path, line=line)


def changed_lines(before: bytes, after: bytes) -> tuple[str, ...]:
    """Settings (`key = value`) in `after` that are not in `before`, in their order."""
    old, new = (_assignments(text.decode("utf-8", "replace")) for text in (before, after))
    return tuple(line for line in new if line not in old)


def _assignments(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if "=" in line and not line.startswith("#")]
