"""What one run of the doctor says: the thing every output format prints."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.check import Unexamined
    from sctune.findings import Finding
    from sctune.host.base import HostIdentity, Source
    from sctune.model.baseline import Comparison
    from sctune.model.measure import Measure


class Status(StrEnum):
    """The outcome of a check: its worst finding, or why there is none."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Role(StrEnum):
    """What the host is for."""

    STORAGE_CONTROLLER = "storage-controller"
    NODE_CONTROLLER = "node-controller"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check's outcome. `reason` says why it is unknown or not applicable. `seconds` is its own time, without the look.

    A check with a finding has the finding's severity as its status even where it could not examine everything;
    `unexamined` then still says so.
    """

    check: str
    title: str
    status: Status
    examined: int
    unexamined: tuple[Unexamined, ...]
    reason: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run: `started` in seconds since the epoch (the host's clock), `seconds` of wall time.

    `findings` are sorted: worst first, those that explain others before the rest, then by code and subject. `backends` are
    names with their era ("eucalyptus-overlay 3.3+").
    `abandoned` are pids of children that could not be killed. `root_would_help` is whether something was denied for want of root.
    `comparison` is with an earlier run, None where none was named. `measures` are there where the format prints them.
    """

    version: str
    identity: HostIdentity
    source: Source
    roles: tuple[Role, ...]
    backends: tuple[str, ...]
    started: float
    seconds: float
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    abandoned: tuple[int, ...] = ()
    comparison: Comparison | None = None
    measures: tuple[Measure, ...] = ()

    @property
    def root_would_help(self) -> bool:
        """Whether anything was refused to an ordinary user."""
        return not self.identity.privileged and any(item.reason == "denied" for check in self.checks for item in check.unexamined)
