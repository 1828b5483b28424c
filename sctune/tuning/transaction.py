"""What a journal's records say of one transaction. Pure."""

from __future__ import annotations

from enum import StrEnum
from posixpath import dirname
from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.journal import Begin, Done, End, Failed, Intent, UndoBegin, UndoEnd, Undoing, Undone
from sctune.tuning.outcome import Outcome
from sctune.tuning.steps import ValueStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.tuning.journal import Journal, Record
    from sctune.tuning.steps import Step


class Status(StrEnum):
    """How far a transaction got."""

    NEVER = "never begun"
    """The power went before all intents were written: nothing was changed."""
    APPLIED = "applied"
    INTERRUPTED = "interrupted"
    """It did not come to its end, and nobody undid it."""
    UNDOING = "partly rolled back"
    """Undoing was interrupted, or a step could not be undone."""
    FAILED = "failed and undone"
    ROLLED_BACK = "rolled back"


OPEN = frozenset({Status.APPLIED, Status.INTERRUPTED, Status.UNDOING})
"""There is something to roll back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One run of apply and what became of it. `begin` is None where not even that was written; `undone` has the latest word on a
    step, `undone_at` is when undoing came to its end, seconds since the epoch."""

    number: int
    begin: Begin | None
    steps: tuple[Step, ...]
    status: Status
    done: frozenset[int]
    failed: tuple[Failed, ...]
    undoing: frozenset[int]
    undone: tuple[Undone, ...]
    undone_at: float | None

    @property
    def uncertain(self) -> frozenset[int]:
        """Steps that may have left anything, see `uncertain_steps`."""
        if self.status is Status.APPLIED:
            return frozenset()
        told = {one.index for one in self.undone if one.outcome == Outcome.LEFT}
        failed = frozenset(one.index for one in self.failed)
        settled = self.done if self.status is Status.INTERRUPTED else frozenset()
        return uncertain_steps(self.steps, done=self.done, failed=failed, settled=settled) - told

    def word_on(self, index: int) -> Undone | None:
        """The latest word on undoing a step."""
        return next((one for one in self.undone if one.index == index), None)


def uncertain_steps(
    steps: tuple[Step, ...], *, done: frozenset[int], failed: frozenset[int], settled: frozenset[int]
) -> frozenset[int]:
    """Steps of a broken-off run that may have left anything: that which was being done or failed, and values of a device (/sys)
    beside another of it, unless they are `settled`, since a value may take others along: a new scheduler has its own queue depth.
    """
    first = next((index for index in range(len(steps)) if index not in done), None)
    folders: dict[str, list[int]] = {}
    for index, step in enumerate(steps):
        if isinstance(step, ValueStep) and step.path.startswith("/sys/"):
            folders.setdefault(dirname(step.path), []).append(index)
    beside = {index for group in folders.values() if len(group) > 1 for index in group if index not in settled}
    return frozenset({*failed, *beside, *(() if first is None else (first,))})


def transaction(number: int, records: Iterable[Record]) -> Transaction:
    """Reads one transaction's records."""
    begin: Begin | None = None
    steps: dict[int, Step] = {}
    done: set[int] = set()
    failed: list[Failed] = []
    undoing: set[int] = set()
    undone: dict[int, Undone] = {}
    ended = False
    undo: UndoBegin | None = None
    after_failure = False
    undo_end: UndoEnd | None = None
    for record in records:
        match record:
            case Begin():
                begin = record
            case Intent():
                steps[record.index] = record.step
            case Done():
                done.add(record.index)
            case Failed():
                failed.append(record)
            case End():
                ended = True
            case UndoBegin():
                undo, undo_end = record, None
                after_failure = after_failure or record.after_failure
            case Undoing():
                undoing.add(record.index)
            case Undone():
                undone[record.index] = record
            case UndoEnd():
                undo_end = record
    if begin is None or len(steps) < begin.steps:
        status = Status.NEVER
    elif undo is None:
        status = Status.APPLIED if ended else Status.INTERRUPTED
    elif undo_end is None or not undo_end.complete:
        status = Status.UNDOING
    else:
        status = Status.FAILED if after_failure else Status.ROLLED_BACK
    return Transaction(
        number=number,
        begin=begin,
        steps=tuple(steps[index] for index in sorted(steps)),
        status=status,
        done=frozenset(done),
        failed=tuple(failed),
        undoing=frozenset(undoing),
        undone=tuple(undone[index] for index in sorted(undone)),
        undone_at=undo_end.time if undo_end else None,
    )


def read_transaction(journal: Journal, number: int) -> Transaction:
    """One transaction. Raises JournalError."""
    return transaction(number, journal.read(number))


def open_transactions(journal: Journal) -> Iterator[Transaction]:
    """Those that can be rolled back, the newest first. Raises JournalError at one that cannot be read: what it holds may be in
    force."""
    for number in reversed(journal.numbers()):
        found = read_transaction(journal, number)
        if found.status in OPEN:
            yield found
