"""Doing one step and reading back what it did."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sctune.tuning.steps import FileStep, ToolStep, ValueStep, file_state, line_now, reading, same
from sctune.tuning.writer import Refused
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.tuning.steps import Step
    from sctune.tuning.writer import Writer

PATIENCE = 15.0
"""Seconds for what a tool began and does not wait for itself."""
_PAUSE = 0.2


class StepFailed(Exception):
    """The machine did not do what it was told, in words without secrets."""


def do(step: Step, writer: Writer, temporary: str) -> str:
    """Does a step. Returns what a value then reads. Raises OSError, Refused or StepFailed."""
    if isinstance(step, ValueStep):
        if step.later:
            return reading(writer.read_value(step.path))
        with _told(f"{step.path} does not take {step.value}"):
            writer.write_value(step.path, step.value)
    elif isinstance(step, FileStep):
        with _told(f"{step.path} cannot be {'removed' if step.after is None else 'written'}"):
            for folder in step.folders:
                writer.make_folder(folder)
            writer.write_file(step.path, file_state(step.after), temporary=temporary)
    else:
        run(step.argv, step.seconds, writer)
    return read_back(step, writer)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Says of what the machine refuses what it was: an error number alone (EINVAL) tells nobody which value to change."""
    try:
        yield
    except OSError as error:
        raise StepFailed(f"{what}: {(os.strerror(error.errno) if error.errno else str(error)).lower()}") from error


def read_back(step: Step, writer: Writer) -> str:
    """Looks whether the machine is as the step left it. Raises StepFailed where it is not."""
    if isinstance(step, ValueStep):
        now = reading(writer.read_value(step.path))
        if now not in step.ours:
            how = f"and was to be {step.value}" if step.later else f"after {step.value} was written"
            raise StepFailed(f"{step.path} reads {now or 'empty'} {how}")
        return now
    if isinstance(step, FileStep):
        if not same(writer.read_file(step.path), step.after):
            raise StepFailed(f"{step.path} is not what was written")
        return ""
    for one in step.lines:
        if line_now(writer, one) != one.line:
            raise StepFailed(f"{step.argv[0]} ended well, and {one.path} does not say {one.line}")
    return ""


def settle(steps: Sequence[Step], writer: Writer, seconds: float = PATIENCE) -> None:
    """Waits until a tool has made the values that are its to make. At the deadline it is for `read_back` to say what is wrong."""
    waited = [step for step in steps if isinstance(step, ValueStep) and step.later]
    deadline = time.monotonic() + seconds
    while any(reading(writer.read_value(step.path)) not in step.ours for step in waited) and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def run(argv: Sequence[str], seconds: float, writer: Writer) -> None:
    """Runs a tool. Raises StepFailed where it cannot be run, does not end in time, or exits with anything but 0."""
    from sctune.host.redact import redact_text

    answer = writer.run(argv, seconds)
    if isinstance(answer, Unavailable):
        raise StepFailed(redact_text(f"{argv[0]}: {answer.detail or answer.reason}"))
    if answer.status:
        said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()[:1]
        raise StepFailed(redact_text(f"{argv[0]} exited with {answer.status}" + "".join(f": {line}" for line in said)))


def reason(error: BaseException) -> str:
    """Why something could not be done, in one line."""
    if isinstance(error, OSError):
        words = (os.strerror(error.errno) if error.errno else str(error)).lower()
        return f"{error.filename}: {words}" if error.filename else words
    if isinstance(error, Refused):
        return error.message
    if isinstance(error, StepFailed):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"{type(error).__name__}: {error}"


def followers(steps: Sequence[Step]) -> tuple[int, ...]:
    """Tools that only tell others, by index."""
    return tuple(index for index, step in enumerate(steps) if isinstance(step, ToolStep) and step.follows)
