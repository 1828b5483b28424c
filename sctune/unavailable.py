"""What stands in the place of an answer that could not be had.

A probe never raises for a bad host and never returns an empty result where it could not look: it returns an
`Unavailable`, and whoever needs the answer must say what follows from its absence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from sctune.records import dataclass

T = TypeVar("T")


class Reason(StrEnum):
    """Why something is not known. The six are told apart everywhere, also in captures."""

    ABSENT = "absent"  # the thing does not exist on this host: no file, no tool, no kernel module
    DENIED = "denied"  # it exists, and we may not read it
    TIMEOUT = "timeout"  # asked, and no answer before the deadline
    FAILED = "failed"  # asked, and the answer was an error
    MALFORMED = "malformed"  # answered, and the answer is not what it is documented to be
    NOT_COLLECTED = "not_collected"  # never asked: a capture that did not, a file tree that cannot be, a look whose time was up


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """One thing that is not known: why, what was asked, and what was answered.

    `what` is what an operator would recognise: a path, a command line, "device-mapper status".
    `detail` is one line, without secrets: an errno's text, the first line of stderr, where a parser stopped.
    `pids` names children that could not be killed (uninterruptible sleep) while looking.
    """

    reason: Reason
    what: str
    detail: str = ""
    pids: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


class CannotLook(Exception):
    """Raised by `need` inside a check; the runner turns it into "not applicable" or "unknown"."""

    def __init__(self, unavailable: Unavailable) -> None:
        super().__init__(str(unavailable))
        self.unavailable = unavailable


def need(answer: T | Unavailable) -> T:
    """The answer, or `CannotLook` where there is none."""
    if isinstance(answer, Unavailable):
        raise CannotLook(answer)
    return answer


def known(answer: T | Unavailable) -> T | None:
    """The answer, or None: only where its absence changes nothing that is claimed."""
    return None if isinstance(answer, Unavailable) else answer
