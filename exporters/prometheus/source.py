"""Where a scrape's text comes from, for whoever serves it: the collectors in this process, or those behind the collector's socket.

The web side knows no collector and no host; it passes on finished bytes.
"""

from __future__ import annotations

from typing import Protocol

from sctune.records import dataclass

NURSERY_ENDED = "the process that starts the children which look at this host has ended (killed?), so this ends too"
"""The line for the log where nothing can be looked at any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one scrape asks for. `collect` and `exclude` are collectors' names, as collect[] and exclude[] of the query (not both);
    () asks for all that are on. `timeout` is how long the asker waits, in seconds. `openmetrics`: that format, else text."""

    collect: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    timeout: float = 10.0
    openmetrics: bool = False


class Unanswered(Exception):
    """No samples, and why, in one line. `asked_wrongly`: by the asker's fault (an unknown collector), else nobody answered."""

    def __init__(self, message: str, *, asked_wrongly: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.asked_wrongly = asked_wrongly


class Source(Protocol):
    """Answers scrapes, several at the same time."""

    def scrape(self, wanted: Wanted) -> bytes:
        """The samples in the format that is wanted, uncompressed. Raises Unanswered."""
        ...
