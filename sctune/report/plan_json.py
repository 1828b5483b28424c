"""A plan for programs. Names and values are those of the kernel; the shape is in docs/tuning.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.report.document import head, written
from sctune.report.sanitize import clean
from sctune.tuning.model import Decision
from sctune.tuning.operations import FileState
from sctune.tuning.plan import operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import HostIdentity, Source
    from sctune.tuning.execute import Applied
    from sctune.tuning.iscsi.plan import IscsiPlan
    from sctune.tuning.model import Item, Plan, PlannedFile


SCHEMA = 1


def render(
    plan: Plan, *, identity: HostIdentity, source: Source, done: Applied | None = None, remaining: Sequence[str] = ()
) -> str:
    """The whole plan as one document, and what was done of it (`applied`: null for a dry run)."""
    document: dict[str, object] = {
        **head(SCHEMA, identity, source),
        "profile": {
            "name": plan.profile.name,
            "file": plan.profile.file,
            "summary": plan.profile.summary,
            "set": list(plan.options.given),
        },
        "live": plan.options.live,
        "persist": plan.options.persist,
        "via": plan.options.via,
        "pending": len(operations(plan)),
        "settings": [_item(item) for item in plan.items],
        "files": [_file(file) for file in plan.files],
        "tuned": None if plan.activation is None else {"before": plan.activation.before or None, "after": plan.activation.name},
        "iscsi": None if plan.iscsi is None else _iscsi(plan.iscsi),
        "conflicts": [clean(text) for text in plan.conflicts],
        "warnings": [clean(text) for text in plan.warnings],
        "unread": [clean(text) for text in plan.unread],
        "applied": None if done is None else _applied(done, remaining),
    }
    return written(document)


def _applied(done: Applied, remaining: Sequence[str]) -> dict[str, object]:
    return {
        "ending": done.ending,
        "transaction": done.number,
        "changed": [clean(text) for text in done.settings],
        "failed": clean(done.failed) or None,
        "reason": clean(done.reason) or None,
        "remaining": [clean(text) for text in remaining],
    }


def _iscsi(plan: IscsiPlan) -> dict[str, object]:
    return {
        "settings": [
            {
                "key": item.key,
                "place": item.place,
                "where": clean(item.where),
                "current": item.current,
                "wanted": item.wanted,
                "decision": item.decision,
                "reason": clean(item.why) or None,
            }
            for item in plan.items
        ],
        "difference": [clean(line) for line in plan.difference()],
        "outages": [clean(one.words) for one in plan.survivals],
        "notes": [clean(text) for text in plan.notes],
    }


def _item(item: Item) -> dict[str, object]:
    setting = item.setting
    return {
        "key": setting.key,
        "subject": clean(item.subject),
        "path": item.path or None,
        "current": None if item.current is None else clean(item.current),
        "wanted": item.wanted,
        "decision": item.decision,
        "reason": clean(item.reason) or None,
        "kept_by": item.kept_by or None,
        "risk": setting.risk,
        "why": setting.why,
        "source": setting.source,
        "profile": setting.profile,
    }


def _file(file: PlannedFile) -> dict[str, object]:
    return {
        "path": file.path,
        "decision": file.decision,
        "reason": clean(file.reason) or None,
        "before": file.before.content.decode("utf-8", "replace") if isinstance(file.before, FileState) else None,
        "after": None if file.after is None else file.after.decode(),
        "known": file.decision is not Decision.UNKNOWN,
    }
