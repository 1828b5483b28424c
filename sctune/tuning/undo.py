"""Undoing steps in reverse: each by what is found now, never by what should have happened, so that it can be broken off anywhere
and done once more."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.doing import StepFailed, followers, reason, run
from sctune.tuning.journal import Undoing, Undone
from sctune.tuning.outcome import Outcome
from sctune.tuning.steps import FileStep, ToolStep, ValueStep, file_state, line_now, reading, same
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.tuning.journal import Record
    from sctune.tuning.steps import Step
    from sctune.tuning.transaction import Transaction
    from sctune.tuning.writer import Writer

_GONE = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What undoing depends on beside the steps. `uncertain`: steps that may have left anything; `undoing`: steps whose undoing was
    begun before."""

    number: int
    rebooted: bool
    force: bool
    uncertain: frozenset[int]
    undoing: frozenset[int]


def circumstances(found: Transaction, writer: Writer, *, force: bool) -> Circumstances:
    """Of undoing a transaction now."""
    now = writer.boot_id()
    then = found.begin.boot_id if found.begin is not None else ""
    return Circumstances(
        number=found.number,
        rebooted=bool(now and then and now != then),
        force=force,
        uncertain=found.uncertain,
        undoing=found.undoing,
    )


def temporary(number: int, index: int) -> str:
    """The name a file has until it is whole: known, so that what a killed process left is found. Neither udev, sysctl, tmpfiles nor
    modprobe reads a name that ends like this."""
    return f".sctune-{number}-{index}.tmp"


def judge(index: int, step: Step, writer: Writer, around: Circumstances) -> tuple[Outcome, str]:
    """What is to be done about a step, and why. Changes nothing. Raises OSError where it cannot be looked at."""
    if isinstance(step, ValueStep):
        return _judge_value(index, step, writer, around)
    if isinstance(step, FileStep):
        try:
            now = writer.read_file(step.path)
        except Refused as error:  # masked, or a folder now
            return Outcome.LEFT, error.message
        if same(now, step.before):
            return Outcome.ALREADY, ""
        if around.force or same(now, step.after):
            return Outcome.RESTORE, ""
        return Outcome.LEFT, f"{step.path} has been removed" if now is None else f"{step.path} has been changed"
    return _judge_tool(index, step, writer, around)


def _judge_value(index: int, step: ValueStep, writer: Writer, around: Circumstances) -> tuple[Outcome, str]:
    try:
        now = reading(writer.read_value(step.path))
    except OSError as error:
        if error.errno in _GONE:
            return Outcome.GONE, f"{step.path} is not there any more"
        raise
    except Refused as error:
        return Outcome.GONE, error.message
    if writer.place(step.path) != step.place:
        return Outcome.GONE, f"{step.path} is another device now"
    # What a tool changed back may lack what only several writes put back: a scheduler's number of requests.
    begun = (index in around.undoing or step.later) and len(step.restore) > 1
    moved = "" if begun or now != step.before else _moved_along(step, writer)
    if now == step.before and not begun and not moved:
        return Outcome.ALREADY, ""
    if around.force or begun or now in step.ours:
        return Outcome.RESTORE, ""
    if around.rebooted:
        return Outcome.REBOOTED, moved or f"it is {now}"
    if index in around.uncertain:
        return Outcome.RESTORE, ""
    return Outcome.LEFT, moved or f"it is {now or 'empty'}, and we had set {step.value}"


def _moved_along(step: ValueStep, writer: Writer) -> str:
    """What else belongs to a value that is back and is not as it was: somebody gave back vm.dirty_bytes by another ratio. "" for
    nothing."""
    for path, value in step.restore:
        if path != step.path:
            with suppress(OSError, Refused):  # a device may be gone by now
                now = reading(writer.read_value(path))
                if now != reading(value):
                    return f"{path} is {now or 'empty'} and was {value}"
    return ""


def _judge_tool(index: int, step: ToolStep, writer: Writer, around: Circumstances) -> tuple[Outcome, str]:
    if step.follows:
        return (Outcome.RESTORE if step.undo else Outcome.ALREADY), ""
    if step.holder is not None and not _held(step.holder, writer):
        return Outcome.GONE, f"{step.holder[0]} does not say {step.holder[1]} any more"
    now = [(one, line_now(writer, one)) for one in step.lines]
    if all(line == one.before for one, line in now):
        return Outcome.ALREADY, ""
    gone = next((one.path for one, line in now if line is None and (one.argv or writer.read_file(one.path) is None)), None)
    if gone is not None:
        return Outcome.GONE, f"{gone} knows it no more" if step.lines[0].argv else f"{gone} is not there any more"
    if around.force or index in around.uncertain | around.undoing or all(line in (one.before, one.line) for one, line in now):
        return Outcome.RESTORE, ""
    return Outcome.LEFT, next(f"{one.path} says {line or 'nothing'}" for one, line in now if line not in (one.before, one.line))


def _held(holder: tuple[str, str], writer: Writer) -> bool:
    """Whether what was changed is still there."""
    path, text = holder
    try:
        return writer.read_text(path).strip() == text
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise


def undo(steps: tuple[Step, ...], writer: Writer, around: Circumstances, note: Callable[[Record], None]) -> tuple[Undone, ...]:
    """Undoes all steps, the last first; tools that only tell others come after the rest, since only then there is something to
    tell. A step that fails does not keep the others from being undone. `note` takes what goes into the journal."""
    last = followers(steps)
    order = [*(index for index in reversed(range(len(steps))) if index not in last), *last]
    words: dict[int, Undone] = {}
    for index in order:
        words[index] = _undo_one(index, steps[index], writer, around, note)
        note(words[index])
    # Some values take others along (a new scheduler has its own queue depth): look at each once more.
    for index, step in enumerate(steps):
        if isinstance(step, ValueStep) and words[index].outcome in (Outcome.BACK, Outcome.ALREADY):
            again = _again(index, step, writer)
            if again is not None:
                words[index] = again
                note(again)
    return tuple(words[index] for index in sorted(words))


def _undo_one(index: int, step: Step, writer: Writer, around: Circumstances, note: Callable[[Record], None]) -> Undone:
    try:
        if isinstance(step, FileStep):
            with suppress(Refused):  # its path leads elsewhere now
                writer.remove_temporary(step.path, temporary(around.number, index))
        verdict, why = judge(index, step, writer, around)
        if verdict is Outcome.RESTORE:
            if _changes(step) > 1:
                note(Undoing(index=index))
            _restore(step, writer, temporary(around.number, index))
            verdict = Outcome.BACK
        if isinstance(step, FileStep) and verdict in (Outcome.BACK, Outcome.ALREADY):
            _remove_folders(step, writer)
    except Exception as error:
        verdict, why = Outcome.FAILED, reason(error)
    return Undone(index=index, outcome=verdict.value, detail=why)


def _remove_folders(step: FileStep, writer: Writer) -> None:
    """Those that were made for a file, unless somebody has put something there."""
    for folder in reversed(step.folders):
        try:
            writer.remove_folder(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return


def _changes(step: Step) -> int:
    if isinstance(step, ValueStep):
        return len(step.restore)
    return len(step.undo) if isinstance(step, ToolStep) and not step.follows else 1


def _restore(step: Step, writer: Writer, name: str) -> None:
    if isinstance(step, ValueStep):
        for path, value in step.restore:
            writer.write_value(path, value)
        now = reading(writer.read_value(step.path))
        if now != step.before:
            raise StepFailed(f"{step.path} reads {now or 'empty'} and was {step.before or 'empty'}")
    elif isinstance(step, FileStep):
        if step.before is not None:
            for folder in writer.missing_folders(step.path):
                writer.make_folder(folder)
        writer.write_file(step.path, file_state(step.before), temporary=name)
        if not same(writer.read_file(step.path), step.before):
            raise StepFailed(f"{step.path} is not what was written back")
    else:
        for argv in step.undo:
            run(argv, step.seconds, writer)
        for one in step.lines:
            if line_now(writer, one) != one.before:
                raise StepFailed(f"{one.path} does not say again what it said")


def _again(index: int, step: ValueStep, writer: Writer) -> Undone | None:
    """A word on a value that did not stay as it was put; None where it did."""
    try:
        if reading(writer.read_value(step.path)) == step.before:
            return None
        _restore(step, writer, "")
    except Exception as error:
        return Undone(index=index, outcome=Outcome.FAILED.value, detail=reason(error))
    return None
