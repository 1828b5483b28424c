"""What the command line says of a report: its form, and what makes it fail. Nothing else is imported here."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """--format of the doctor."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    NAGIOS = "nagios"
    HTML = "html"


class FailOn(StrEnum):
    """The least severity that makes the doctor fail."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    NEVER = "never"


class Plain(StrEnum):
    """--format of the commands that list."""

    TEXT = "text"
    JSON = "json"


class VolumeSort(StrEnum):
    """--sort of the list of volumes."""

    ID = "id"
    STATE = "state"
    SIZE = "size"
    ALLOCATED = "allocated"
    SESSIONS = "sessions"
    SNAPSHOTS = "snapshots"
