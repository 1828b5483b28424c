"""Rolling back a transaction: in any later process, after a crash, and once more after a crash of its own."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.records import dataclass
from sctune.tuning import record
from sctune.tuning.doing import reason
from sctune.tuning.journal import UndoBegin, UndoEnd, Undone
from sctune.tuning.lock import locked
from sctune.tuning.outcome import Outcome
from sctune.tuning.transaction import OPEN, Status, open_transactions, read_transaction
from sctune.tuning.undo import circumstances, judge, undo
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from sctune.tuning.journal import Journal, Record
    from sctune.tuning.transaction import Transaction
    from sctune.tuning.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What a rollback did. `number` is None where there was nothing to undo. `unwritten` says why the journal did not take it all:
    the machine is as told here, and the transaction still counts as open."""

    number: int | None = None
    profile: str = ""
    undone: tuple[tuple[str, Undone], ...] = ()
    unwritten: str = ""

    def with_outcome(self, *outcomes: Outcome) -> tuple[tuple[str, Undone], ...]:
        """The steps that came out so."""
        return tuple(one for one in self.undone if one[1].outcome in outcomes)

    @property
    def exit_code(self) -> ExitCode:
        """0 everything is back or nothing was to do; 1 something is not: it was left, or failed."""
        if self.unwritten or self.with_outcome(Outcome.LEFT, Outcome.FAILED):
            return ExitCode.FAILED
        return ExitCode.OK


def choose(journal: Journal, number: int | None, *, force: bool = False) -> Transaction | None:
    """The transaction to roll back: that of the number, else the newest that is not rolled back. None where nothing is to be
    undone; with `force` one that left something is to be. Raises JournalError for one that is not there or cannot be read."""
    if number is None:
        return next(open_transactions(journal), None)
    found = read_transaction(journal, number)
    left = any(one.outcome == Outcome.LEFT for one in found.undone)
    return found if found.status in OPEN or (force and left and found.status is not Status.NEVER) else None


def preview(found: Transaction, writer: Writer, *, force: bool = False) -> tuple[tuple[str, Undone], ...]:
    """What rolling it back would do now, for each step, the last first. Changes nothing."""
    around = circumstances(found, writer, force=force)
    words: list[tuple[str, Undone]] = []
    for index, step in reversed(list(enumerate(found.steps))):
        try:
            verdict, why = judge(index, step, writer, around)
        except (OSError, Refused) as error:
            verdict, why = Outcome.FAILED, reason(error)
        words.append((step.setting, Undone(index=index, outcome=verdict.value, detail=why)))
    return tuple(words)


def rollback(number: int | None, *, writer: Writer, journal: Journal, lock: str, user: str = "", force: bool = False) -> RolledBack:
    """Undoes a transaction (None: the newest that is not rolled back), the last step first. What somebody has changed since is left
    unless `force`. Raises Refused where another sctune is at work or the journal cannot be read.

    A journal that takes no more records (a full or read-only disk) keeps nothing from being undone.
    """
    if choose(journal, number, force=force) is None:
        return RolledBack()
    with locked(lock):
        found = choose(journal, number, force=force)
        if found is None or found.begin is None:
            return RolledBack()
        notes = _Notes(journal, found.number)
        try:
            around = circumstances(found, writer, force=force)
            begin = UndoBegin(time=time.time(), boot_id=writer.boot_id(), user=user, after_failure=False, force=force)
            notes.add(begin)
            notes.publish(Status.UNDOING)
            undone = undo(found.steps, writer, around, notes.add)
            complete = all(one.outcome != Outcome.FAILED for one in undone)
            notes.publish(Status.ROLLED_BACK if complete else Status.UNDOING)
            notes.add(UndoEnd(time=time.time(), complete=complete), sync=True)
        finally:
            notes.close()
        settings = (step.setting for step in found.steps)
        return RolledBack(
            number=found.number,
            profile=found.begin.profile,
            undone=tuple(zip(settings, undone, strict=True)),
            unwritten=notes.unwritten,
        )


class _Notes:
    """Takes records as long as the journal does."""

    def __init__(self, journal: Journal, number: int) -> None:
        self.unwritten = ""
        self._journal = journal
        self._number = number
        self._pages = None
        try:
            self._pages = journal.open(number)
        except OSError as error:
            self.unwritten = reason(error)

    def add(self, record: Record, *, sync: bool = False) -> None:
        """One record. UndoEnd says that all is known, so it counts only where all before it was taken."""
        if self._pages is None or (self.unwritten and isinstance(record, UndoEnd)):
            return
        try:
            self._pages.add(record, sync=sync)
        except OSError as error:
            self.unwritten = reason(error)

    def publish(self, status: Status) -> None:
        """What all may read of it, as far as it is written: what the journal does not take is not said elsewhere."""
        if self._pages is None or self.unwritten:
            return
        try:
            record.write(self._journal, self._journal.calls, as_if={self._number: status})
        except OSError as error:
            self.unwritten = reason(error)

    def close(self) -> None:
        """Lets go of the journal."""
        if self._pages is not None:
            with suppress(OSError):
                self._pages.close()
