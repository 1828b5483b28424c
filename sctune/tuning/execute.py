"""Applying operations: journal first, then the change, then reading it back; a failure in the middle undoes what was done."""

from __future__ import annotations

import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.probes.applied import PATH
from sctune.records import dataclass
from sctune.tuning import record
from sctune.tuning.doing import do, read_back, reason, settle
from sctune.tuning.journal import FORMAT, Begin, Done, End, Failed, UndoBegin, UndoEnd
from sctune.tuning.lock import locked
from sctune.tuning.outcome import Outcome
from sctune.tuning.signals import interrupts
from sctune.tuning.steps import ValueStep, prepare
from sctune.tuning.transaction import Status, open_transactions, read_transaction, uncertain_steps
from sctune.tuning.undo import Circumstances, temporary, undo
from sctune.tuning.writer import Refused
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.tuning.journal import Journal, Pages, Record, Undone
    from sctune.tuning.operations import Operation
    from sctune.tuning.steps import Step
    from sctune.tuning.writer import Writer


class Ending(StrEnum):
    """How an apply ended."""

    NOTHING = "nothing to do"
    APPLIED = "applied"
    UNDONE = "undone"
    """A step failed; everything is as it was before."""
    STUCK = "partly undone"
    """A step failed, and another could not be undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the journal says of who asked for what. `options` are those of the command line, without secrets."""

    profile: str
    user: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What apply did. `number` is the transaction's, None where nothing was to do; `settings` were changed, in order. After a
    failure: the setting that failed, why, and what became of each step that was undone."""

    ending: Ending
    number: int | None = None
    settings: tuple[str, ...] = ()
    failed: str = ""
    reason: str = ""
    undone: tuple[tuple[str, Undone], ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0 done or nothing to do, 1 undone after a failure."""
        return ExitCode.OK if self.ending in (Ending.NOTHING, Ending.APPLIED) else ExitCode.FAILED


class _Failure(Exception):
    """A step that failed, with the error it failed by."""

    def __init__(self, index: int, error: BaseException) -> None:
        super().__init__(index)
        self.index = index
        self.error = error


def apply(operations: Sequence[Operation], *, writer: Writer, journal: Journal, request: Request, lock: str) -> Applied:
    """Does what is left to do of the operations, all or nothing. Where nothing is left, nothing is written, not even a lock.

    Raises Refused before anything is changed: another sctune is at work, an earlier apply was interrupted, the machine is not as it
    was when the plan was made, or the journal cannot be written. An interrupt (Ctrl-C, SIGTERM, SIGHUP) undoes and is raised
    as KeyboardInterrupt.
    """
    wanted = tuple(operations)
    if not _prepared(wanted, writer):
        return Applied(ending=Ending.NOTHING)
    with locked(lock):
        _refuse_unfinished(journal)
        steps = _prepared(wanted, writer)
        if not steps:
            return Applied(ending=Ending.NOTHING)
        pages = _begin(steps, writer, journal, request)
        try:
            with interrupts():
                return _execute(steps, writer, journal, pages, request)
        finally:
            pages.close()


def _prepared(operations: tuple[Operation, ...], writer: Writer) -> tuple[Step, ...]:
    try:
        return prepare(operations, writer)
    except OSError as error:
        raise Refused(f"nothing was changed: {reason(error)}") from None


def _refuse_unfinished(journal: Journal) -> None:
    """What a machine was like before is known of an earlier state only, until what was interrupted is undone."""
    for found in open_transactions(journal):
        if found.status is not Status.APPLIED:
            raise Refused(
                f"transaction {found.number} is {found.status}: the machine is neither as it was nor as it was to be",
                f"First undo it: sctune rollback {found.number}",
            )
    for number in reversed(journal.numbers()):
        if read_transaction(journal, number).status is not Status.NEVER:
            return
        with suppress(OSError):
            journal.discard(number)


def _begin(steps: tuple[Step, ...], writer: Writer, journal: Journal, request: Request) -> Pages:
    begin = Begin(
        format=FORMAT,
        profile=request.profile,
        version=VERSION,
        boot_id=writer.boot_id(),
        time=time.time(),
        user=request.user,
        options=request.options,
        steps=len(steps),
    )
    try:
        pages = journal.begin(begin, steps)
    except (OSError, UnicodeEncodeError) as error:
        raise Refused(f"nothing was changed: the journal cannot be written: {reason(error)}") from None
    try:
        record.write(journal, journal.calls)
    except BaseException as error:
        pages.close()
        with suppress(OSError):
            journal.discard(pages.number)
        if not isinstance(error, OSError):
            raise
        raise Refused(f"nothing was changed: {PATH} cannot be written: {reason(error)}") from None
    return pages


def _execute(steps: tuple[Step, ...], writer: Writer, journal: Journal, pages: Pages, request: Request) -> Applied:
    settings = tuple(step.setting for step in steps)
    try:
        _do_all(steps, writer, journal, pages)
    except _Failure as failure:
        undone, complete = _undo(steps, writer, pages, failure, request)
        with suppress(OSError):
            record.write(journal, journal.calls)
        if not isinstance(failure.error, Exception):
            raise failure.error from None
        return Applied(
            ending=Ending.UNDONE if complete else Ending.STUCK,
            number=pages.number,
            failed=settings[failure.index] if failure.index < len(steps) else "the journal",
            reason=reason(failure.error),
            undone=tuple(zip(settings, undone, strict=True)),
        )
    return Applied(ending=Ending.APPLIED, number=pages.number, settings=settings)


def _do_all(steps: tuple[Step, ...], writer: Writer, journal: Journal, pages: Pages) -> None:
    index = 0
    try:
        for index, step in enumerate(steps):
            read = do(step, writer, temporary(pages.number, index))
            # Not synced: what is lost of these with the power is found out by looking.
            pages.add(Done(index=index, read=read), sync=False)
        settle(steps, writer)
        for index, step in enumerate(steps):  # noqa: B007 - the step that fails
            if isinstance(step, ValueStep):
                read_back(step, writer)  # a later step may have changed it
        index = len(steps)
        # All is in force, and says so before the journal does: otherwise a power cut in between would leave a false alarm.
        record.write(journal, journal.calls, as_if={pages.number: Status.APPLIED})
        pages.add(End(time=time.time()))
    except BaseException as error:
        raise _Failure(index, error) from error


def _undo(
    steps: tuple[Step, ...], writer: Writer, pages: Pages, failure: _Failure, request: Request
) -> tuple[tuple[Undone, ...], bool]:
    """Undoes after a failure, whether the journal still takes records or not. (what became of each step, all is as before)"""

    def note(record: Record) -> None:
        with suppress(OSError):
            pages.add(record, sync=False)

    note(Failed(index=failure.index, reason=reason(failure.error)))
    note(UndoBegin(time=time.time(), boot_id="", user=request.user, after_failure=True, force=False))
    done = frozenset(range(failure.index))
    around = Circumstances(
        number=pages.number,
        rebooted=False,
        force=False,
        uncertain=uncertain_steps(steps, done=done, failed=frozenset({failure.index}), settled=done),
        undoing=frozenset(),
    )
    undone = undo(steps, writer, around, note)
    complete = all(one.outcome != Outcome.FAILED for one in undone)
    with suppress(OSError):
        pages.add(UndoEnd(time=time.time(), complete=complete))
    return undone, complete
