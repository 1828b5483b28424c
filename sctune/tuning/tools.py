"""The tools that a plan needs: one that is missing is told before anything is changed, and not met in the middle. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.report.words import count_words
from sctune.tuning.operations import RunTool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.tuning.operations import Operation

_WAYS_ROUND = {"iscsiadm": "install open-iscsi, or leave files and node records as they are with --live-only"}


def missing(operations: Sequence[Operation], found: Callable[[str], bool]) -> tuple[str, ...]:
    """A sentence for each tool that `found` does not find: how many changes are its to make, and what to do."""
    needed: dict[str, int] = {}
    for one in operations:
        if isinstance(one, RunTool):
            for tool in dict.fromkeys(argv[0] for argv in (one.argv, *one.undo, *(asked.argv for asked in one.ask))):
                needed[tool] = needed.get(tool, 0) + 1
    return tuple(
        f"{tool} is not installed, and {count_words(changes, 'change')} would be made with it: "
        + _WAYS_ROUND.get(tool, "install it")
        for tool, changes in needed.items()
        if not found(tool)
    )
