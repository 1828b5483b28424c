"""The doctor on this very machine, as the tests read it: what it says of the things a test made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.host.live import LiveHost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.findings import Finding
    from sctune.model.report import Report


def look(config: Config | None = None) -> Report:
    """One run on the live machine; a defect in sctune fails the test."""
    with LiveHost() as host:
        return diagnose(host, config or Config(), strict=True)


def faults(report: Report, *marks: object) -> set[tuple[str, str, str]]:
    """(code, kind, id) of every warning and critical finding that any of `marks` (a folder, an IQN …) occurs in.

    Other things on the machine are not the test's; everything about its own things is, whatever the finding's subject.
    """
    return {
        (finding.code, str(finding.subject.kind), finding.subject.id)
        for finding in report.findings
        if finding.severity is not Severity.INFO and mentions(finding, marks)
    }


def advice(report: Report, *marks: object) -> set[tuple[str, str, str]]:
    """The same of the findings that are only information."""
    return {
        (finding.code, str(finding.subject.kind), finding.subject.id)
        for finding in report.findings
        if finding.severity is Severity.INFO and mentions(finding, marks)
    }


def mentions(finding: Finding, marks: Iterable[object]) -> bool:
    words = f"{finding.subject.id} {finding.summary} {finding.evidence} {finding.remedy.commands}"
    return any(str(mark) in words for mark in marks)
