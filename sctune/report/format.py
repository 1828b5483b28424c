"""The forms a report can have."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """--format of the doctor."""

    TEXT = "text"
    JSON = "json"
