"""What was read, from where, and how long it took: --verbose, on standard error, a line a question when it has been answered."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.report.sanitize import clean
from sctune.report.words import count_words

if TYPE_CHECKING:
    from sctune.config.model import Config
    from sctune.host.tracing import Asked
    from sctune.registry import Registry


_SHORT = 60


class Trace:
    """Writes the lines and counts them."""

    def __init__(self) -> None:
        self._asked = 0
        self._slowest: Asked | None = None
        self._last = 0.0

    def begin(self, place: str, config: Config) -> None:
        """From where it is read: the machine, or the name of a capture or folder."""
        _say(f"configuration: {', '.join(map(clean, config.files)) or 'defaults, there is no file'}")
        _say(f"questions to {clean(place)}: seconds since the start, seconds it took, how it was asked, what, and what came of it")

    def tell(self, asked: Asked) -> None:
        """One question."""
        self._asked += 1
        self._last = max(self._last, asked.at + asked.seconds)
        if self._slowest is None or asked.seconds > self._slowest.seconds:
            self._slowest = asked
        _say(f"{asked.at:8.3f} {asked.seconds:7.3f}  {asked.how:<16} {clean(asked.what)}: {clean(asked.outcome)}")

    def end(self, registry: Registry) -> None:
        """How much it was, what took longest, and whose checks judged it."""
        slowest = ""
        if self._slowest is not None:
            what = clean(self._slowest.what)
            what = what if len(what) <= _SHORT else what[:_SHORT] + "..."
            slowest = f"; the slowest was {what} ({self._slowest.seconds:.3f} s)"
        _say(f"{count_words(self._asked, 'question')} in {self._last:.3f} s{slowest}")
        broken = "".join(f"; not loaded: {clean(module.origin)}" for module in registry.broken)
        _say(f"{count_words(len(registry.checks), 'check')} loaded{broken}")


def _say(line: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # nobody reads it: no reason to end the look
        sys.stderr.write(line + "\n")
