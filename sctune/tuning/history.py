"""What the journal tells people and programs: everything but the contents of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.journal import JournalError
from sctune.tuning.steps import FileStep, ValueStep
from sctune.tuning.transaction import Status, read_transaction

if TYPE_CHECKING:
    from sctune.tuning.journal import Journal
    from sctune.tuning.steps import Step
    from sctune.tuning.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step. `action`: set, make, replace, remove or run. `before` and `after` are values, and None for files and tools;
    `undone` is an outcome's word and `detail` why, where it was undone."""

    setting: str
    action: str
    path: str
    before: str | None
    after: str | None
    undone: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One transaction. Times in seconds since the epoch; `failed` is why a step failed, "" where none did."""

    number: int
    profile: str
    version: str
    user: str
    time: float
    options: tuple[tuple[str, str], ...]
    status: Status
    failed: str
    undone_at: float | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A transaction that cannot be read, and why."""

    number: int
    reason: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All transactions, the oldest first."""

    entries: tuple[Entry, ...]
    unread: tuple[Unread, ...]


def history(journal: Journal, number: int | None = None) -> History:
    """All, or one. What never began is left out: it changed nothing. Raises JournalError where the journal cannot be looked at, or
    the one that is asked for is not there."""
    numbers = journal.numbers()
    if number is not None:
        if number not in numbers:
            raise JournalError(f"there is no transaction {number}", "sctune history lists them.")
        numbers = (number,)
    entries: list[Entry] = []
    unread: list[Unread] = []
    for one in numbers:
        try:
            found = read_transaction(journal, one)
        except JournalError as error:
            unread.append(Unread(number=one, reason=error.message, hint=error.hint))
            continue
        if found.begin is not None and found.status is not Status.NEVER:
            entries.append(entry(found))
    return History(entries=tuple(entries), unread=tuple(unread))


def entry(found: Transaction) -> Entry:
    """One that has begun."""
    begin = found.begin
    assert begin is not None  # noqa: S101 - the caller looked
    return Entry(
        number=found.number,
        profile=begin.profile,
        version=begin.version,
        user=begin.user,
        time=begin.time,
        options=begin.options,
        status=found.status,
        failed=found.failed[0].reason if found.failed else "",
        undone_at=found.undone_at,
        changes=tuple(_change(found, index, step) for index, step in enumerate(found.steps)),
    )


def _change(found: Transaction, index: int, step: Step) -> Change:
    word = found.word_on(index)
    if isinstance(step, ValueStep):
        action, path, before, after = "set", step.path, step.before, step.value
    elif isinstance(step, FileStep):
        action = "remove" if step.after is None else "make" if step.before is None else "replace"
        path, before, after = step.path, None, None
    else:
        # Arguments of a tool may hold what nobody is to read.
        action, path, before, after = "run", step.lines[0].path if step.lines else step.argv[0], None, None
    return Change(
        setting=step.setting,
        action=action,
        path=path,
        before=before,
        after=after,
        undone=word.outcome if word is not None else None,
        detail=word.detail if word is not None else "",
    )
