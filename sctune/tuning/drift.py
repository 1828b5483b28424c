"""What of that which was applied is not in force any more: the journal's word against the host's. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.steps import FileStep, State, ValueStep, last_of_key, reading
from sctune.tuning.transaction import Status, read_transaction
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import Host
    from sctune.tuning.journal import Journal
    from sctune.tuning.steps import Step, ToolStep
    from sctune.tuning.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One setting that is not as it was left: by which profile and transaction, what it was set to and what is found, in words
    without a file's contents."""

    setting: str
    path: str
    profile: str
    number: int
    wanted: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifts:
    """`examined` settings were looked at; `unknown` could not be; `gone` were set on devices or sessions that are not there."""

    examined: int
    drifted: tuple[Drift, ...]
    gone: tuple[str, ...]
    unknown: tuple[Unavailable, ...]


def drift(journal: Journal, host: Host) -> Drifts:
    """Compares all that is applied and not rolled back. Raises JournalError where the journal cannot be read."""
    return compare((read_transaction(journal, number) for number in journal.numbers()), host)


def compare(transactions: Iterable[Transaction], host: Host) -> Drifts:
    """The same of transactions, the oldest first: of several that set one thing the last has the word."""
    in_force: dict[tuple[str, ...], tuple[Transaction, Step]] = {}
    for found in transactions:
        if found.status is Status.APPLIED:
            in_force |= {_place(step): (found, step) for step in found.steps}
    drifted: list[Drift] = []
    gone: list[str] = []
    unknown: list[Unavailable] = []
    examined = 0
    for found, step in in_force.values():
        answer = _look(step, host)
        if answer is None:
            continue  # a tool that only tells others leaves nothing to look at
        if isinstance(answer, Unavailable):
            # A value goes with its device; a file that is gone has been removed by somebody, and that is told as a difference.
            if answer.reason is Reason.ABSENT:
                gone.append(step.setting)
            else:
                unknown.append(answer)
            continue
        examined += 1
        path, wanted, now = answer
        if wanted != now:
            profile = found.begin.profile if found.begin is not None else ""
            drifted.append(Drift(setting=step.setting, path=path, profile=profile, number=found.number, wanted=wanted, now=now))
    return Drifts(examined=examined, drifted=tuple(drifted), gone=tuple(gone), unknown=tuple(unknown))


def _place(step: Step) -> tuple[str, ...]:
    if isinstance(step, ValueStep):
        return (step.place,)
    return (step.path,) if isinstance(step, FileStep) else (step.setting, *(one.path for one in step.lines))


def _look(step: Step, host: Host) -> tuple[str, str, str] | Unavailable | None:
    """(path, wanted, found), equal where nothing has changed."""
    if isinstance(step, ValueStep):
        text = host.read(step.path)
        if isinstance(text, Unavailable):
            return text
        now = reading(text)
        return step.path, step.value, step.value if now in step.ours else now
    if isinstance(step, FileStep):
        return _look_at_file(step, host)
    return _look_at_lines(step, host)


def _look_at_file(step: FileStep, host: Host) -> tuple[str, str, str] | Unavailable:
    text = host.read(step.path)
    if isinstance(text, Unavailable):
        if text.reason is not Reason.ABSENT:
            return text
        return step.path, "removed" if step.after is None else "a file", "removed"
    if step.after is None:
        return step.path, "removed", "there again"
    if text.encode("utf-8", "surrogateescape") != step.after.content:
        return step.path, "as written", "other contents"
    found = host.stat(step.path)
    if isinstance(found, Unavailable):
        return found
    return step.path, _rights(step.after), f"mode {found.mode:04o}, owner {found.uid}"


def _rights(state: State) -> str:
    return f"mode {state.mode:04o}, owner {state.uid}"


def _look_at_lines(step: ToolStep, host: Host) -> tuple[str, str, str] | Unavailable | None:
    for one in step.lines:
        text = host.read(one.path)
        if isinstance(text, Unavailable):
            return text
        now = text.strip() if one.whole else last_of_key(text, one.line)
        if now != one.line:
            return one.path, one.line, now or ("nothing" if one.whole else "no such line")
    return (step.lines[0].path, step.lines[0].line, step.lines[0].line) if step.lines else None
