"""What it means that nothing was answered: the other side is silent, or our own time was up.

The whole look has an end. A question that was asked shortly before it, or could not be asked any more, was not waited for: that a
host is slow, or that something else on it hangs, does not say that this hangs too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.children import Outcome

STALL = 2.0
"""Seconds without a word after which a job in a child is given up."""
_ENOUGH = 0.9
_TIME_UP = "this look at a slow or hanging host had no time left for it"
_Answer = TypeVar("_Answer")


def heard(answer: _Answer | Unavailable, patience: float, left: float) -> _Answer | Unavailable:
    """An answer to a question for which `patience` seconds are due and `left` were to be had."""
    if isinstance(answer, Unavailable) and answer.reason is Reason.TIMEOUT and left < _ENOUGH * patience:
        return Unavailable(reason=Reason.NOT_COLLECTED, what=answer.what, detail=_TIME_UP, pids=answer.pids)
    return answer


def gave_up(outcome: Outcome, what: str) -> Unavailable:
    """What a job that did not end says of `what`."""
    if outcome.error is not None:
        return Unavailable(reason=Reason.FAILED, what=what, detail=outcome.error)
    pids = (outcome.abandoned,) if outcome.abandoned else ()
    if 0.0 < outcome.seconds < _ENOUGH * STALL:
        return Unavailable(reason=Reason.NOT_COLLECTED, what=what, detail=_TIME_UP, pids=pids)
    return Unavailable(reason=Reason.TIMEOUT, what=what, detail=f"no answer in {outcome.seconds:.0f} s", pids=pids)
