"""The journal for programs: the structure in history.schema.json. Times by RFC 3339; null: not so, or not told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sctune.report.json import Json, rfc3339
from sctune.report.sanitize import clean
from sctune.version import VERSION

if TYPE_CHECKING:
    from sctune.tuning.history import Change, Entry, History

SCHEMA = 1
"""Grows when a reader of the old structure would misread the new; a new key alone does not."""


def render(history: History) -> str:
    """One JSON document with a line break at its end."""
    return json.dumps(document(history), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def document(history: History) -> dict[str, Json]:
    """The journal as JSON values."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "transactions": [_entry(entry) for entry in history.entries],
        "unread": [{"id": one.number, "reason": clean(one.reason), "hint": clean(one.hint)} for one in history.unread],
    }


def _entry(entry: Entry) -> Json:
    return {
        "id": entry.number,
        "profile": clean(entry.profile),
        "version": clean(entry.version),
        "user": clean(entry.user),
        "time": rfc3339(entry.time),
        "options": {clean(key): clean(value) for key, value in entry.options},
        "state": entry.status.value,
        "failed": clean(entry.failed) or None,
        "undone": None if entry.undone_at is None else rfc3339(entry.undone_at),
        "changes": [_change(change) for change in entry.changes],
    }


def _change(change: Change) -> Json:
    return {
        "setting": clean(change.setting),
        "action": change.action,
        "path": clean(change.path),
        "before": None if change.before is None else clean(change.before),
        "after": None if change.after is None else clean(change.after),
        "undone": change.undone,
        "detail": clean(change.detail) or None,
    }
