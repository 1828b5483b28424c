"""What a check says: findings, and the catalogue entries they refer to."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.model.volume import VolumeState

Value: TypeAlias = "str | int | float | bool | tuple[str, ...] | None"
Evidence: TypeAlias = "tuple[tuple[str, Value], ...]"


class Severity(StrEnum):
    """How bad a finding is. Ordered by `rank`."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self.value]


_RANKS = {"info": 0, "warning": 1, "critical": 2}


class Risk(StrEnum):
    """Whether following a remedy disturbs service."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"


class SubjectKind(StrEnum):
    """What a finding is about."""

    HOST = "host"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    LOOP = "loop"
    DISK = "disk"
    VG = "vg"
    LV = "lv"
    TARGET = "target"
    LUN = "lun"
    SESSION = "session"
    SETTING = "setting"
    QUOTA = "quota"
    PROCESS = "process"
    FILESYSTEM = "filesystem"
    ACCOUNT = "account"
    INTERFACE = "interface"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The thing a finding is about, by its most lasting name: never a loop number, a pid or a target id."""

    kind: SubjectKind
    id: str


HOST = Subject(kind=SubjectKind.HOST, id="host")
"""The whole host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do: a sentence, the exact commands, and whether they disturb service."""

    text: str
    commands: tuple[str, ...]
    risk: Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The identity of the finding that explains another."""

    code: str
    subject: Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """Somebody knows: the finding is said and marked, and does not fail the run before the day `until` (YYYY-MM-DD) is over."""

    reason: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault or piece of advice. Its identity is (code, subject). `evidence` always names its source.
    `check` and `muted` are filled in by the runner."""

    code: str
    severity: Severity
    subject: Subject
    summary: str
    evidence: Evidence
    remedy: Remedy
    check: str = ""
    caused_by: Cause | None = None
    muted: Muted | None = None

    @property
    def identity(self) -> tuple[str, Subject]:
        """What makes it the same finding in another run."""
        return (self.code, self.subject)


def evidence(*, source: str, **facts: Value) -> Evidence:
    """Evidence in reading order: the facts as given, then where they were read."""
    return (*facts.items(), ("source", source))


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A catalogue entry: all that `sctune explain CODE` prints.

    `advice` marks tuning advice: info until the configuration says that this host wants it, then a warning.
    `confirm` marks faults that are a missing link: hosts change while we look, so the runner looks once more before it says so.
    `last_resort` marks a code that is only said of a subject where no more telling one is.
    `volume` is the state that a volume is in which has this finding (sctune volumes); None where it works as well as before.
    `see` are commands that show the same by hand. `remedy` is the default text of the remedy, `risk` its default risk.
    """

    code: str
    severities: tuple[Severity, ...]
    title: str
    meaning: str
    why: str
    thresholds: str
    see: tuple[str, ...]
    remedy: str
    risk: Risk
    source: str
    advice: bool = False
    confirm: bool = False
    last_resort: bool = False
    volume: VolumeState | None = None

    def found(
        self,
        subject: Subject,
        summary: str,
        facts: Evidence,
        *,
        severity: Severity | None = None,
        commands: tuple[str, ...] = (),
        remedy: str | None = None,
        risk: Risk | None = None,
        caused_by: Cause | None = None,
    ) -> Finding:
        """A finding of this code. `severity` defaults to the least of the code's severities."""
        chosen = self.severities[0] if severity is None else severity
        if chosen not in self.severities:
            raise ValueError(f"{self.code} is never {chosen}")
        return Finding(
            code=self.code,
            severity=chosen,
            subject=subject,
            summary=summary,
            evidence=facts,
            remedy=Remedy(text=remedy or self.remedy, commands=commands, risk=risk or self.risk),
            caused_by=caused_by,
        )
