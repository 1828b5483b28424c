"""The journal, and a rollback, for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sctune.report.layout import Page, Style
from sctune.report.sanitize import clean
from sctune.report.table import Column, table
from sctune.report.words import count_words
from sctune.tuning.outcome import Outcome
from sctune.tuning.transaction import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.tuning.history import Change, Entry, History
    from sctune.tuning.journal import Undone
    from sctune.tuning.rollback import RolledBack

_COLUMNS = (
    Column(title="ID", right=True),
    Column(title="WHEN"),
    Column(title="PROFILE"),
    Column(title="BY"),
    Column(title="CHANGES", right=True),
    Column(title="STATE"),
)
_VERBS = {
    Outcome.RESTORE: "undo",
    Outcome.BACK: "undone",
    Outcome.ALREADY: "already back",
    Outcome.GONE: "gone",
    Outcome.REBOOTED: "rebooted",
    Outcome.LEFT: "leave",
    Outcome.FAILED: "fails",
}
_DONE = _VERBS | {Outcome.LEFT: "left", Outcome.FAILED: "failed"}


def when(seconds: float) -> str:
    """A time, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def render(history: History, *, style: Style, whole: bool) -> str:
    """A row a transaction; with `whole` what each changed."""
    lines: list[str] = []
    if history.entries:
        lines.extend(table(_COLUMNS, [_row(entry) for entry in history.entries], None))
    elif not history.unread:
        lines.append("Nothing was ever applied here.")
    if whole:
        for entry in history.entries:
            lines += ["", *_changes(entry, style)]
    for one in history.unread:
        lines.append(f"Not readable: {clean(one.reason)}. {clean(one.hint)}".rstrip())
    return "\n".join(lines) + "\n"


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        str(entry.number),
        when(entry.time),
        clean(entry.profile),
        clean(entry.user),
        str(len(entry.changes)),
        style_state(entry),
    )


def style_state(entry: Entry) -> str:
    """The state, with what is to be done about it."""
    if entry.status in OPEN and entry.status.value != "applied":
        return f"{entry.status}: sctune rollback {entry.number}"
    if entry.failed:
        return f"{entry.status}: {clean(entry.failed)}"
    left = sum(change.undone == Outcome.LEFT for change in entry.changes)
    return f"{entry.status}, {left} left" if left else entry.status.value


def _changes(entry: Entry, style: Style) -> Iterator[str]:
    page = Page(style=style)
    if entry.options:
        page.add("Options: " + " ".join(_option(key, value) for key, value in entry.options), hang=4)
    for change in entry.changes:
        undone = f" ({_DONE[Outcome(change.undone)]}{': ' if change.detail else ''}{clean(change.detail)})" if change.undone else ""
        page.add(_change_words(change) + undone, hang=4)
    yield from page.lines


def _option(key: str, value: str) -> str:
    """As it was given on the command line."""
    return f"--{clean(key)}" if value == "yes" else f"--{clean(key)} {clean(value)}"


def _change_words(change: Change) -> str:
    if change.before is not None:
        return f"{clean(change.setting)}: {clean(change.before) or 'empty'} -> {clean(change.after or '') or 'empty'}"
    return f"{clean(change.setting)}: {change.action} {clean(change.path)}"


def render_preview(
    number: int, profile: str, started: float, status: str, words: tuple[tuple[str, Undone], ...], *, style: Style
) -> str:
    """What a rollback would do."""
    page = Page(style=style)
    page.add(f"Transaction {number}: {clean(profile)}, {when(started)}, {status}. To roll it back:")
    _steps(page, words, _VERBS)
    return page.text()


def render_rolled_back(done: RolledBack, *, style: Style) -> str:
    """What a rollback did."""
    page = Page(style=style)
    if done.number is None:
        page.add("Nothing to roll back.")
        return page.text()
    _steps(page, done.undone, _DONE)
    left, failed = len(done.with_outcome(Outcome.LEFT)), len(done.with_outcome(Outcome.FAILED))
    if not left and not failed:
        page.add(f"Transaction {done.number} ({clean(done.profile)}) is rolled back.")
    if left:
        changes = count_words(left, "change")
        page.add(f"Left: {changes} of transaction {done.number} that somebody has changed again. To undo that too:")
        page.command(f"sctune rollback {done.number} --force", indent=2)
    if failed:
        page.add(f"{count_words(failed, 'change')} could not be undone. When the cause is gone: sctune rollback {done.number}")
    if done.unwritten:
        page.add(f"The journal could not be written ({clean(done.unwritten)}): roll back once more when it can be.")
    return page.text()


def _steps(page: Page, words: tuple[tuple[str, Undone], ...], verbs: dict[Outcome, str]) -> None:
    for setting, word in words:
        why = f": {clean(word.detail)}" if word.detail else ""
        page.add(f"{verbs[Outcome(word.outcome)]:<12}  {clean(setting)}{why}", indent=2, hang=16)
