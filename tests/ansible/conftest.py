"""What the tests of this folder share."""

from __future__ import annotations

from .called import collection

__all__ = ["collection"]
