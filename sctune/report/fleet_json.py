"""Several hosts for programs: the structure in fleet.schema.json, each host with the document that a look at it alone gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.fleet import Verdict
from sctune.report.document import written
from sctune.report.fleet import row_of, why
from sctune.report.json import document, rfc3339
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.model.fleet import Fleet, HostLook
    from sctune.report.json import Json

SCHEMA = 1
"""Grows when a reader of the old structure would misread the new; a new key alone does not."""


def render_fleet_json(fleet: Fleet) -> str:
    """One JSON document. The hosts stand in the order in which they were named."""
    verdicts = [row_of(look).verdict for look in fleet.hosts]
    return written(
        {
            "schema": SCHEMA,
            "version": fleet.version,
            "started": rfc3339(fleet.started),
            "duration_seconds": round(fleet.seconds, 6),
            "summary": {verdict.value: verdicts.count(verdict) for verdict in Verdict},
            "hosts": [_host(look) for look in fleet.hosts],
        }
    )


def _host(look: HostLook) -> dict[str, Json]:
    row, outcome = row_of(look), look.outcome
    value: dict[str, Json] = {
        "host": row.address,
        "verdict": row.verdict.value,
        "critical": row.critical,
        "warning": row.warning,
        "unknown": row.unknown,
    }
    if isinstance(outcome, Unavailable):
        return {**value, "error": {"reason": outcome.reason.value, "detail": why(outcome)}, "report": None}
    return {**value, "error": None, "report": document(outcome)}
