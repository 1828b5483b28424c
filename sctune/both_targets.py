"""One check over tgt and LIO: each is judged by a function of its own, and where one of them is not there the other's word stands.

A host has one of them as a rule; then the check says what it would say without the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Result, Unexamined, not_applicable
from sctune.unavailable import CannotLook, Reason, need

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.check import Look
    from sctune.model.lio import LioState


def both(tgt: Callable[[Look], Result], lio: Callable[[Look], Result]) -> Callable[[Look], Result]:
    """A check's function that asks both."""

    def run(look: Look) -> Result:
        others = _guarded(lio, look)
        if others.not_applicable is not None:
            return tgt(look)
        own = _guarded(tgt, look)
        if own.not_applicable is not None:
            return others
        return Result(
            examined=own.examined + others.examined,
            findings=own.findings + others.findings,
            # What both need is missed once.
            unexamined=tuple(dict.fromkeys(own.unexamined + others.unexamined)),
        )

    return run


def lio_of(look: Look) -> LioState:
    """What LIO serves; raises `CannotLook`."""
    return need(look.inventory.lio_state)


def _guarded(judge: Callable[[Look], Result], look: Look) -> Result:
    try:
        return judge(look)
    except CannotLook as blind:
        if blind.unavailable.reason is Reason.ABSENT:
            return not_applicable(str(blind.unavailable))
        return Result(examined=0, unexamined=(Unexamined.of(blind.unavailable),))
