"""What was examined, and what could not be and why: each reason said once, whatever number of checks it stopped."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sctune.model.report import Status
from sctune.records import dataclass
from sctune.report.exit import is_incomplete
from sctune.unavailable import Reason

if TYPE_CHECKING:
    from sctune.model.report import CheckResult, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Things that could not be looked at for one reason, and the checks that are incomplete for it. `items` are without repetition,
    in the order met; `detail` is what was answered."""

    reason: Reason | None
    detail: str
    items: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The checks of a report by what became of them. `clean` found nothing wrong in at least one thing, `empty` had nothing to
    judge, `absent` are reasons with the checks that do not apply for them."""

    gaps: tuple[Gap, ...]
    needs_root: Gap | None
    clean: tuple[CheckResult, ...]
    empty: tuple[CheckResult, ...]
    absent: tuple[tuple[str, tuple[str, ...]], ...]
    incomplete: int
    examined: int


def coverage(report: Report) -> Coverage:
    """Sorts the outcome of every check."""
    gaps = _gaps(report.checks)
    refused = [gap for gap in gaps if gap.reason is Reason.DENIED] if report.root_would_help else []
    needs_root = None
    if refused:
        needs_root = Gap(
            reason=Reason.DENIED,
            detail="",
            items=_unique(item for gap in refused for item in gap.items),
            checks=_unique(name for gap in refused for name in gap.checks),
        )
        gaps = [gap for gap in gaps if gap not in refused]
    absent: dict[str, list[str]] = {}
    for check in report.checks:
        if check.status is Status.NOT_APPLICABLE:
            absent.setdefault(_why_not(check), []).append(check.check)
    passed = [check for check in report.checks if check.status is Status.OK and not check.unexamined]
    return Coverage(
        gaps=tuple(gaps),
        needs_root=needs_root,
        clean=tuple(check for check in passed if check.examined > 0),
        empty=tuple(check for check in passed if check.examined == 0),
        absent=tuple((why, tuple(names)) for why, names in absent.items()),
        incomplete=sum(map(is_incomplete, report.checks)),
        examined=sum(check.examined for check in report.checks),
    )


def _gaps(checks: tuple[CheckResult, ...]) -> list[Gap]:
    found: dict[tuple[Reason | None, str, tuple[str, ...]], list[str]] = {}
    # One thing that stops several checks first: then what is stopped alike is told together.
    stopped: dict[tuple[Reason | None, str, str], list[str]] = {}
    for check in checks:
        for item in check.unexamined:
            stopped.setdefault((item.reason, item.detail, item.what), []).append(check.check)
        if check.status is Status.UNKNOWN and not check.unexamined:
            stopped.setdefault((None, "", check.reason or "no reason given"), []).append(check.check)
    for (reason, detail, what), names in stopped.items():
        found.setdefault((reason, detail, _unique(names)), []).append(what)
    return [
        Gap(reason=reason, detail=detail, items=_unique(items), checks=names) for (reason, detail, names), items in found.items()
    ]


def _why_not(check: CheckResult) -> str:
    """Why a check does not apply. What a probe found absent is said as "no WHAT"; that there is no such file is then no news."""
    reason = check.reason or "nothing there"
    what, absent, detail = reason.partition(f": {Reason.ABSENT}")
    if not absent or (detail and not detail.startswith(" (")):
        return reason
    return f"no {what}" + ("" if detail == f" ({os.strerror(errno.ENOENT)})" else detail)


def _unique(items: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))  # type: ignore[call-overload]
