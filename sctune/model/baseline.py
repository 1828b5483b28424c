"""An earlier run of the doctor, and what has changed since."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.findings import Finding, Severity

Identity: TypeAlias = "tuple[str, str, str]"
"""Code, kind and id of the subject, in the words of the JSON."""


def identity_of(finding: Finding) -> Identity:
    """The identity in the words of the JSON. Of a finding that was made printable (`clean_report`), as those of a baseline are."""
    return (finding.code, finding.subject.kind.value, finding.subject.id)


class Change(StrEnum):
    """What became of a finding since the earlier run."""

    NEW = "new"
    WORSE = "worse"
    UNMUTED = "unmuted"
    BETTER = "better"
    SAME = "same"

    @property
    def counts(self) -> bool:
        """Whether it can fail a run that is compared: the known, and what got better, cannot."""
        return self in (Change.NEW, Change.WORSE, Change.UNMUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A finding of the earlier run, as far as it is compared or told."""

    code: str
    kind: str
    id: str
    severity: Severity
    check: str
    summary: str
    muted: bool

    @property
    def identity(self) -> Identity:
        """What makes it the same finding in another run."""
        return (self.code, self.kind, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The earlier run: its file, version, host, start (RFC 3339) and findings, each identity once."""

    file: str
    version: str
    host: str
    started: str
    findings: tuple[Earlier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSeen:
    """A finding of the earlier run that is neither there nor gone: `why` nobody can tell."""

    finding: Earlier
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is different from an earlier run. `changes` has every finding of this run, by its identity, `before` the earlier
    severity of those that were known. `gone` was looked for and is not there any more."""

    baseline: Baseline
    changes: Mapping[Identity, Change]
    before: Mapping[Identity, Severity]
    gone: tuple[Earlier, ...]
    not_seen: tuple[NotSeen, ...]
