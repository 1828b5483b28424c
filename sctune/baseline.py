"""What has changed since an earlier run of the doctor.

A finding is the same one where code and subject are. It has changed where its severity has: thresholds say from where on a number
matters, and a number that moved below the next threshold (one loop device more, a pid, a time) would make every finding
"changed" in every run. One whose mute has ended counts as well: its owner wanted to hear of it again from then on.

What is not found this time is gone only where its check had something to judge, and looked at all of it. Otherwise it is "not
seen", since what could not be looked at may be as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.baseline import Change, Comparison, NotSeen, identity_of
from sctune.report.exit import is_incomplete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.findings import Finding
    from sctune.model.baseline import Baseline, Earlier
    from sctune.model.report import CheckResult, Report


def compare(report: Report, baseline: Baseline, *, finds: Mapping[str, str]) -> Comparison:
    """`report` (made printable, see `clean_report`) against an earlier run. `finds` names the check that finds a code today: it may
    have been another's before."""
    earlier = {finding.identity: finding for finding in baseline.findings}
    checks = {check.check: check for check in report.checks}
    changes = {identity_of(finding): _change(finding, earlier.get(identity_of(finding))) for finding in report.findings}
    gone: list[Earlier] = []
    not_seen: list[NotSeen] = []
    for finding in baseline.findings:
        if finding.identity in changes:
            continue
        why = _not_looked_for(finding, checks, finds)
        if why:
            not_seen.append(NotSeen(finding=finding, why=why))
        else:
            gone.append(finding)
    return Comparison(
        baseline=baseline,
        changes=changes,
        before={identity: finding.severity for identity, finding in earlier.items() if identity in changes},
        gone=tuple(gone),
        not_seen=tuple(not_seen),
    )


def _change(finding: Finding, before: Earlier | None) -> Change:
    if before is None:
        return Change.NEW
    if finding.severity.rank > before.severity.rank:
        return Change.WORSE
    if before.muted and finding.muted is None:
        return Change.UNMUTED
    return Change.BETTER if finding.severity.rank < before.severity.rank else Change.SAME


def _not_looked_for(finding: Earlier, checks: Mapping[str, CheckResult], finds: Mapping[str, str]) -> str:
    """Why nothing follows from its not being found; "" where it was looked for everywhere."""
    if finding.code not in finds:
        return "no check of this sctune finds it"
    check = checks.get(finds[finding.code])
    if check is None:
        return f"the check {finds[finding.code]} was not run"
    if check.status == "not_applicable":
        # Where no tgtd runs, no export is judged: that mends none.
        return f"the check {check.check} does not apply: {check.reason}"
    if is_incomplete(check):
        first = next((f" ({item.what}: {item.reason.value})" for item in check.unexamined), "")
        return f"the check {check.check} could not look at everything{first}"
    return ""
