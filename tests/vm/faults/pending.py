"""Codes of faults that are made here and that no check knows yet.

The table only ever shrinks: a code that some check declares is refused here (tests/vm/test_tables.py)."""

from __future__ import annotations

PENDING: dict[str, str] = {}
"""Code: the fault that waits for it."""
