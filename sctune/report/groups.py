"""Findings as an operator deals with them: one paragraph a code, and what follows from a cause told where the cause is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.findings import Cause, Evidence, Finding, Muted, Severity, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Findings of one code that have no cause in this report, worst first, and the findings that follow from them."""

    code: str
    findings: tuple[Finding, ...]
    effects: tuple[Finding, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst of its own."""
        return max((finding.severity for finding in self.findings), key=lambda severity: severity.rank)

    @property
    def rank(self) -> int:
        """The worst of its own and of what follows from it: mending it mends both."""
        return max(finding.severity.rank for finding in (*self.findings, *self.effects))

    def common_evidence(self) -> Evidence:
        """Facts that every finding of the group states alike."""
        first = self.findings[0].evidence
        others = [dict(finding.evidence) for finding in self.findings[1:]]
        return tuple((key, value) for key, value in first if all(key in other and _same(other[key], value) for other in others))

    def own_evidence(self, finding: Finding) -> Evidence:
        """Facts in which one finding differs from the others."""
        common = {key for key, _ in self.common_evidence()}
        return tuple((key, value) for key, value in finding.evidence if key not in common)


def group(findings: Sequence[Finding]) -> tuple[Group, ...]:
    """Worst first; in the order given where alike. Every finding is in exactly one group, once."""
    by_identity = {finding.identity: finding for finding in findings}
    own: dict[str, list[Finding]] = {}
    effects: dict[str, list[Finding]] = {}
    for finding in findings:
        root = _root(finding, by_identity)
        if root is finding:
            own.setdefault(finding.code, []).append(finding)
        else:
            effects.setdefault(root.code, []).append(finding)
    groups = (Group(code=code, findings=_sorted(found), effects=_sorted(effects.get(code, ()))) for code, found in own.items())
    return tuple(sorted(groups, key=lambda one: (-one.rank, -one.severity.rank)))


def by_mute(findings: Sequence[Finding]) -> dict[Muted, list[Finding]]:
    """The muted ones, those of one reason and end together."""
    found: dict[Muted, list[Finding]] = {}
    for finding in findings:
        if finding.muted is not None:
            found.setdefault(finding.muted, []).append(finding)
    return found


def unseen_cause(finding: Finding, findings: Sequence[Finding]) -> Cause | None:
    """The cause a finding names that is not itself in the report (another check's, which was not run)."""
    cause = finding.caused_by
    if cause is None or any(other.identity == (cause.code, cause.subject) for other in findings):
        return None
    return cause


def _root(finding: Finding, by_identity: dict[tuple[str, Subject], Finding]) -> Finding:
    """The first cause. Findings that name each other as their cause have none: each stands for itself."""
    seen = {finding.identity}
    found = finding
    while found.caused_by is not None:
        cause = by_identity.get((found.caused_by.code, found.caused_by.subject))
        if cause is None:
            return found
        if cause.identity in seen:
            return finding
        seen.add(cause.identity)
        found = cause
    return found


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: -finding.severity.rank))


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other
