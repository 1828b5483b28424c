"""A rollback for programs: the structure in rollback.schema.json. null: not so, or not told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sctune.report.sanitize import clean
from sctune.version import VERSION

if TYPE_CHECKING:
    from sctune.report.json import Json
    from sctune.tuning.history import Change, Entry
    from sctune.tuning.journal import Undone

SCHEMA = 1
"""Grows when a reader of the old structure would misread the new; a new key alone does not."""


def render(entry: Entry | None, words: tuple[tuple[str, Undone], ...], *, unwritten: str, dry_run: bool) -> str:
    """One JSON document with a line break at its end. Without an entry nothing was to be rolled back."""
    last_first = sorted((word for _, word in words), key=lambda word: -word.index)
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "version": VERSION,
        "dry_run": dry_run,
        "transaction": entry.number if entry is not None else None,
        "profile": clean(entry.profile) if entry is not None else None,
        "steps": [] if entry is None else [_step(entry.changes[word.index], word) for word in last_first],
        "unwritten": clean(unwritten) or None,
    }
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _step(change: Change, word: Undone) -> Json:
    return {
        "setting": clean(change.setting),
        "action": change.action,
        "path": clean(change.path),
        "before": None if change.before is None else clean(change.before),
        "after": None if change.after is None else clean(change.after),
        "outcome": word.outcome,
        "detail": clean(word.detail) or None,
    }
