"""Operations as the journal keeps them: with what was found on the machine before, which a plan need not know.

msgspec structs, since they are what is written: bytes become base64. They hold whole files, secrets included, and are printed
nowhere.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from sctune.tuning.operations import FileState, RunTool, WriteFile, WriteValue
from sctune.tuning.writer import Refused
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.tuning.operations import Operation
    from sctune.tuning.writer import Writer

_PATIENCE = 10.0
_CHOICE = re.compile(r"(?:[^\s\[\]]+ )*\[([^\s\[\]]+)\](?: [^\s\[\]]+)*")


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A `FileState`."""

    content: bytes
    mode: int
    uid: int
    gid: int
    label: str


class ValueStep(msgspec.Struct, frozen=True, kw_only=True, tag="value"):
    """A `WriteValue`; `before` is what was read when it was planned to be written, `place` where the path led to.
    `later`: a tool that comes after it makes the value."""

    setting: str
    path: str
    value: str
    accepts: tuple[str, ...]
    before: str
    restore: tuple[tuple[str, str], ...]
    place: str
    later: bool = False

    @property
    def ours(self) -> frozenset[str]:
        """Readings that mean: as we left it."""
        return frozenset(map(reading, (self.value, *self.accepts)))


class FileStep(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """A `WriteFile`; `folders` have to be made for it."""

    setting: str
    path: str
    after: State | None
    before: State | None
    folders: tuple[str, ...]


class CheckedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that stands in a file after a tool has run, and what stood there before (None: nothing of that key). `argv` is the
    tool that tells it where no file does; `path` is then its name. `whole`: the file holds nothing else, so that anything in it
    counts."""

    path: str
    line: str
    before: str | None
    argv: tuple[str, ...] = ()
    whole: bool = False


class ToolStep(msgspec.Struct, frozen=True, kw_only=True, tag="tool"):
    """A `RunTool`."""

    setting: str
    argv: tuple[str, ...]
    undo: tuple[tuple[str, ...], ...]
    lines: tuple[CheckedLine, ...]
    seconds: float
    holder: tuple[str, str] | None = None

    @property
    def follows(self) -> bool:
        """Whether it only tells others that something has changed: then its turn is after that, in undoing too."""
        return not self.lines


Step: TypeAlias = ValueStep | FileStep | ToolStep


def reading(text: str) -> str:
    """The value in what the kernel prints: white space made one space; of a choice, `none [mq-deadline]`, what is chosen."""
    words = " ".join(text.split())
    choice = _CHOICE.fullmatch(words)
    return choice[1] if choice else words


def prepare(operations: tuple[Operation, ...], writer: Writer) -> tuple[Step, ...]:
    """What is left to do of them. Raises Refused where the machine is neither as it was when they were planned nor as it is to be,
    and where two of them write the same place; OSError where it cannot be read."""
    steps: list[Step] = []
    places: dict[str, str] = {}
    written: set[str] = set()
    for operation in operations:
        if not isinstance(operation, RunTool):
            place = writer.place(operation.path)
            if place in places:
                raise Refused(f"{operation.setting} and {places[place]} both write {place}")
            places[place] = operation.setting
        step = _prepared(operation, writer, written)
        if step is not None:
            steps.append(step)
            if isinstance(step, ValueStep):
                written.add(step.path)
    # A tool that only tells others has nothing to tell where nothing changes.
    return tuple(steps) if any(not (isinstance(step, ToolStep) and step.follows) for step in steps) else ()


def _prepared(operation: Operation, writer: Writer, written: set[str]) -> Step | None:
    if isinstance(operation, WriteValue):
        return _value(operation, writer, reset=operation.reset_by in written)
    if isinstance(operation, WriteFile):
        return _file(operation, writer)
    return _tool(operation, writer)


def _value(operation: WriteValue, writer: Writer, *, reset: bool) -> ValueStep | None:
    """`reset`: a step before this one resets the value."""
    now = reading(writer.read_value(operation.path))
    step = ValueStep(
        setting=operation.setting,
        path=operation.path,
        value=operation.value,
        accepts=operation.accepts,
        before=now,
        restore=operation.restore or ((operation.path, now),),
        place=writer.place(operation.path),
        later=operation.later,
    )
    if now in step.ours:
        return step if reset else None
    if now != reading(operation.before):
        raise _moved(operation.setting, f"it is {now or 'empty'} and was {operation.before or 'empty'}")
    return step


def _file(operation: WriteFile, writer: Writer) -> FileStep | None:
    now = writer.read_file(operation.path)
    if same(now, operation.after):
        return None
    if not same(now, operation.before):
        raise _moved(operation.setting, f"{operation.path} is another than it was")
    after = state_of(operation.after)
    if after is not None and now is not None and not after.label:
        after = msgspec.structs.replace(after, label=now.label)
    return FileStep(
        setting=operation.setting,
        path=operation.path,
        after=after,
        before=state_of(now),
        folders=writer.missing_folders(operation.path) if after is not None else (),
    )


def _tool(operation: RunTool, writer: Writer) -> ToolStep | None:
    asked = [CheckedLine(path=path, line=line.strip(), before=None) for path, line in operation.check.items()]
    asked += [CheckedLine(path=path, line=text, before=None, whole=True) for path, text in operation.whole.items()]
    asked += [CheckedLine(path=one.argv[0], line=one.line, before=None, argv=one.argv) for one in operation.ask]
    lines = tuple(msgspec.structs.replace(one, before=line_now(writer, one)) for one in asked)
    if lines and all(one.before == one.line for one in lines):
        return None
    return ToolStep(
        setting=operation.setting,
        argv=operation.argv,
        undo=operation.undo,
        lines=lines,
        seconds=operation.seconds,
        holder=operation.holder,
    )


def _moved(setting: str, how: str) -> Refused:
    return Refused(f"{setting} has changed since the plan was made: {how}", "Make the plan again.")


def line_now(writer: Writer, one: CheckedLine) -> str | None:
    """What stands in its place now, None for nothing. Raises OSError where the tool that tells it does not answer."""
    if one.whole:
        found = writer.read_file(one.path)
        return None if found is None else found.content.decode("utf-8", "replace").strip()
    if not one.argv:
        return line_of_key(writer, one.path, one.line)
    answer = writer.run(one.argv, _PATIENCE)
    if isinstance(answer, Unavailable):
        raise OSError(errno.ENOENT if answer.reason is Reason.ABSENT else errno.ETIMEDOUT, "", one.argv[0])
    # A tool that refuses tells that what it was asked about is not there.
    return None if answer.status else last_of_key(answer.stdout, one.line)


def line_of_key(writer: Writer, path: str, line: str) -> str | None:
    """The line of a file that sets what `line` sets (the same text before the =), the last of several; None where there is none,
    or no file."""
    found = writer.read_file(path)
    return None if found is None else last_of_key(found.content.decode("utf-8", "replace"), line)


def last_of_key(text: str, line: str) -> str | None:
    """The same in a text."""
    key = _key(line)
    last = None
    for candidate in text.splitlines():
        if _key(candidate) == key:
            last = candidate.strip()
    return last


def _key(line: str) -> str:
    return line.partition("=")[0].strip()


def state_of(state: FileState | None) -> State | None:
    """For the journal."""
    if state is None:
        return None
    return State(content=state.content, mode=state.mode, uid=state.uid, gid=state.gid, label=state.label)


def file_state(state: State | None) -> FileState | None:
    """From the journal."""
    if state is None:
        return None
    return FileState(content=state.content, mode=state.mode, uid=state.uid, gid=state.gid, label=state.label)


def same(now: FileState | State | None, wanted: FileState | State | None) -> bool:
    """Whether a file is as wanted. A label that is not told is whatever the policy gave."""
    if now is None or wanted is None:
        return now is wanted
    return (now.content, now.mode, now.uid, now.gid) == (wanted.content, wanted.mode, wanted.uid, wanted.gid) and (
        wanted.label in ("", now.label)
    )
