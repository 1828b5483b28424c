"""What a look at several hosts says."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.model.report import Report
    from sctune.unavailable import Unavailable


class Verdict(StrEnum):
    """What is to be said of a host in one word, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    UNREACHABLE = "unreachable"
    INCOMPLETE = "incomplete"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLook:
    """One host: as it was named, and its report, or why there is none."""

    address: str
    outcome: Report | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All that were named, in that order. `started` in seconds since the epoch by our own clock, `seconds` of wall time."""

    version: str
    started: float
    seconds: float
    hosts: tuple[HostLook, ...]
