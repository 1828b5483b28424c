"""What applying a profile did, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.report.layout import Page
from sctune.report.sanitize import clean
from sctune.report.words import count_words
from sctune.tuning.execute import Ending
from sctune.tuning.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.report.layout import Style
    from sctune.tuning.execute import Applied


def render(done: Applied, remaining: Sequence[str], *, style: Style) -> str:
    """What was done and how to undo it. `remaining` are settings that a look afterwards did not find as they should be."""
    page = Page(style=style)
    match done.ending:
        case Ending.NOTHING:
            page.add("Nothing was to do, and nothing was written.")
        case Ending.APPLIED:
            for setting in done.settings:
                page.add(f"changed  {clean(setting)}", indent=2, hang=11)
            page.add(f"Applied: {count_words(len(done.settings), 'change')}, as transaction {done.number}. To undo it:")
            page.command(f"sctune rollback {done.number}", indent=2)
        case Ending.UNDONE:
            page.add(f"{clean(done.failed)} could not be changed: {clean(done.reason)}", hang=2)
            page.add("Everything is as it was before.")
        case Ending.STUCK:
            page.add(f"{clean(done.failed)} could not be changed: {clean(done.reason)}", hang=2)
            for setting, word in done.undone:
                if word.outcome == Outcome.FAILED:
                    page.add(f"not undone  {clean(setting)}: {clean(word.detail)}", indent=2, hang=14)
            page.add("The rest is as it was before. When the cause is gone:")
            page.command(f"sctune rollback {done.number}", indent=2)
    if remaining:
        page.add("A look afterwards finds otherwise:")
        for sentence in remaining:
            page.add(f"- {clean(sentence)}", indent=2, hang=4)
    return page.text()
