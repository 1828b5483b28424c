"""Which findings are muted: known to somebody, with a reason and an end, as the configuration says.

A mute hides nothing. The finding is said and marked, and does not fail the run; it counts again the day after the mute's end, and
at once where it is worse than what was muted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Muted, Severity
from sctune.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sctune.config.model import Mute
    from sctune.findings import Finding


def mute(findings: Iterable[Finding], mutes: Sequence[Mute], today: str) -> tuple[Finding, ...]:
    """The findings, those marked that a mute holds for on the day `today` (YYYY-MM-DD). Of several mutes the one counts that lasts
    longest."""
    return tuple(_marked(finding, [one for one in mutes if holds(one, finding, today)]) for finding in findings)


def holds(one: Mute, finding: Finding, today: str) -> bool:
    """Whether a mute is for this finding, as bad as it is now."""
    from fnmatch import fnmatchcase

    return (
        one.code == finding.code
        and fnmatchcase(finding.subject.id, one.subject)
        and finding.severity.rank <= Severity(one.severity).rank
        and today <= one.until
    )


def _marked(finding: Finding, mutes: Sequence[Mute]) -> Finding:
    if not mutes:
        return finding
    last = max(mutes, key=lambda one: one.until)
    return replace(finding, muted=Muted(reason=last.reason, until=last.until))
