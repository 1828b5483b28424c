"""What a fault brings with it: findings above info that are true beside its own, about the same volume. Nothing else may be said.

A finding that names the expected one as its cause (`caused_by`) needs no line here.
"""

from __future__ import annotations

IMPLIED: dict[str, frozenset[str]] = {}
"""Code of the fault: codes that may stand beside it."""
