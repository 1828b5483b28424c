"""Text for the page: harmless, without secrets, and of a length that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.redact import redact_text
from sctune.report.html.model import Fact
from sctune.report.sanitize import clean
from sctune.report.words import evidence_words, reason_words

if TYPE_CHECKING:
    from sctune.findings import Evidence
    from sctune.unavailable import Unavailable

_LONGEST = 400
_HEAD, _TAIL = 240, 60


def said(text: str) -> str:
    """Text of the host as it may be shown."""
    return cut(clean(redact_text(text)))


def cut(text: str) -> str:
    """`text` without its middle where nobody would read it to the end: a name may have thousands of characters."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_HEAD]} … {text[-_TAIL:]} ({len(text):,} characters)"


def plain(text: str) -> str:
    """Text that was made for lines of a terminal: spaces that were kept from being broken are spaces again."""
    return cut(text.replace("\x00", " "))


def facts_of(evidence: Evidence) -> tuple[Fact, ...]:
    """Facts in words, without their source."""
    words = (evidence_words(key, value) for key, value in evidence if key != "source" and value not in ("", ()))
    return tuple(Fact(name=said(name), value=said(value)) for name, value in words)


def source_of(evidence: Evidence) -> str:
    """Where facts were read."""
    return next((said(str(value)) for key, value in evidence if key == "source"), "")


def unavailable_words(item: Unavailable) -> str:
    """What could not be looked at, and why."""
    detail = f" ({said(item.detail)})" if item.detail else ""
    return f"{said(item.what)}: {reason_words(item.reason)}{detail}"
