"""One run of the doctor: look once, judge, look again at what seems missing, and say it.

Everything a check may need is fetched side by side first, so that the run takes as long as its slowest answer and every
tool's deadline runs at the same time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sctune.backends.choose import label
from sctune.check import Check, Look, Result, Unexamined
from sctune.host.base import Source
from sctune.inventory import Inventory
from sctune.model.report import CheckResult, Report, Role, Status
from sctune.unavailable import CannotLook, Reason, Unavailable, known
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sctune.config.model import Config
    from sctune.findings import Code, Finding, Subject
    from sctune.host.base import Host

SECOND_LOOK_AFTER = 0.5
"""Seconds between a missing link and the second look: longer than udev takes to make a link or a cloud to finish a step."""
NO_SECOND_LOOK_AFTER = 5.0
"""A first look that took this long met something that hangs; a second would pass the doctor's own deadline."""

FIRST = ("lvm", "processes", "units", "tgt", "lvm_settings", "stores")
"""Parts that wait on something outside: they are started before those that only keep us busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A check's outcome before it is put into words: `result` None where `unavailable` says why."""

    check: Check
    result: Result | None
    unavailable: Unavailable | None
    seconds: float


def begin(host: Host, config: Config) -> Inventory:
    """Starts the look: the answers that take longest are on their way while the checks are still being loaded."""
    inventory = Inventory(host, config)
    inventory.start(FIRST)
    return inventory


def diagnose(
    host: Host,
    config: Config,
    checks: Sequence[Check] | None = None,
    *,
    inventory: Inventory | None = None,
    strict: bool = False,
) -> Report:
    """Runs `checks` (all there are, unless named) on one look at `host`: the one that was begun, or a new one.
    `strict` lets a defect's exception through (tests)."""
    if checks is None:
        from sctune.registry import load_checks

        checks = load_checks()
    inventory = inventory or Inventory(host, config, strict=strict)
    began = inventory.began
    fetch(inventory, checks)
    judged = [_judge(check, Look(inventory=inventory, config=config), strict=strict) for check in checks]
    seconds = time.monotonic() - began
    if host.source is Source.LIVE and seconds < NO_SECOND_LOOK_AFTER:
        judged = _confirm(judged, host, config, strict=strict)
    findings = _settle(judged)
    return Report(
        version=VERSION,
        identity=host.identity(),
        source=host.source,
        roles=roles(inventory),
        backends=backends(inventory),
        started=host.clock().now,
        seconds=time.monotonic() - began,
        checks=tuple(_outcome(item, findings) for item in judged),
        findings=findings,
        abandoned=abandoned(inventory),
    )


def fetch(inventory: Inventory, checks: Iterable[Check]) -> None:
    """Fetches what these checks read, what waits on others first."""
    names = {name for check in checks for name in check.needs}
    if "chains" in names:
        names |= {"lvm", "loops", "stores", "dm", "block", "tgt", "sessions", "processes", "cloud"}
    inventory.fetch([*(name for name in FIRST if name in names), *sorted(names - set(FIRST) - {"chains"})])
    if "chains" in names:
        inventory.fetch(["chains"])


def _judge(check: Check, look: Look, *, strict: bool) -> _Judged:
    began = time.monotonic()
    result: Result | None = None
    unavailable: Unavailable | None = None
    try:
        result = check.run(look)
    except CannotLook as error:
        unavailable = error.unavailable
    except Exception as error:
        if strict:
            raise
        detail = f"defect in sctune, please report: {type(error).__name__}: {error}"
        unavailable = Unavailable(reason=Reason.FAILED, what=f"check {check.name}", detail=detail)
    return _Judged(check=check, result=result, unavailable=unavailable, seconds=time.monotonic() - began)


def _confirm(judged: list[_Judged], host: Host, config: Config, *, strict: bool) -> list[_Judged]:
    """Looks once more at what seems missing and keeps what is still missing: hosts change while we look."""
    doubtful = [item for item in judged if item.result and any(_wants_confirmation(item.check, f) for f in item.result.findings)]
    if not doubtful:
        return judged
    time.sleep(SECOND_LOOK_AFTER)
    again = Inventory(host, config, strict=strict)
    fetch(again, [item.check for item in doubtful])
    look = Look(inventory=again, config=config)
    second = {item.check.name: _judge(item.check, look, strict=strict) for item in doubtful}
    return [_merged(item, second[item.check.name]) if item.check.name in second else item for item in judged]


def _merged(first: _Judged, second: _Judged) -> _Judged:
    """The first look's outcome without what the second no longer saw. A second look that failed proves nothing."""
    if first.result is None or second.result is None:
        return first
    still = {finding.identity for finding in second.result.findings}
    kept = tuple(f for f in first.result.findings if f.identity in still or not _wants_confirmation(first.check, f))
    return replace(first, result=replace(first.result, findings=kept), seconds=first.seconds + second.seconds)


def _wants_confirmation(check: Check, finding: Finding) -> bool:
    return any(code.confirm for code in check.codes if code.code == finding.code)


def _settle(judged: Iterable[_Judged]) -> tuple[Finding, ...]:
    """All findings, each with its check's name, worst first; a code that is only for want of a better one yields to any other."""
    findings: list[Finding] = []
    last_resort: set[tuple[str, Subject]] = set()
    for item in judged:
        codes: dict[str, Code] = {code.code: code for code in item.check.codes}
        for finding in item.result.findings if item.result else ():
            findings.append(replace(finding, check=item.check.name))
            if finding.code in codes and codes[finding.code].last_resort:
                last_resort.add(finding.identity)
    explained = {f.subject for f in findings if f.identity not in last_resort and f.severity.rank > 0}
    kept = [f for f in findings if f.identity not in last_resort or f.subject not in explained]
    kept.sort(key=lambda f: (-f.severity.rank, f.code, f.subject.kind, f.subject.id))
    return tuple(kept)


def _outcome(item: _Judged, findings: Iterable[Finding]) -> CheckResult:
    """The check's status: its worst finding; else unknown where anything could not be examined; else ok."""
    reason: str | None = None
    unexamined: tuple[Unexamined, ...] = ()
    examined = 0
    worst = max((f.severity for f in findings if f.check == item.check.name), key=lambda s: s.rank, default=None)
    if item.unavailable is not None:
        reason = str(item.unavailable)
        if item.unavailable.reason is Reason.ABSENT:
            status = Status.NOT_APPLICABLE
        else:
            status = Status.UNKNOWN
            unexamined = (Unexamined.of(item.unavailable),)
    elif item.result is not None and item.result.not_applicable is not None:
        status, reason = Status.NOT_APPLICABLE, item.result.not_applicable
    else:
        assert item.result is not None  # noqa: S101
        examined, unexamined = item.result.examined, item.result.unexamined
        if worst is not None:
            status = Status(worst.value)
        elif unexamined:
            status, reason = Status.UNKNOWN, f"{unexamined[0].what}: {unexamined[0].reason}"
        else:
            status = Status.OK
    return CheckResult(
        check=item.check.name,
        title=item.check.title,
        status=status,
        examined=examined,
        unexamined=unexamined,
        reason=reason,
        seconds=item.seconds,
    )


def roles(inventory: Inventory) -> tuple[Role, ...]:
    """What the host is for, by what runs and what is stored on it."""
    found: list[Role] = []
    chains = known(inventory.chains)
    processes = known(inventory.processes)
    names = {process.name for process in processes.eucalyptus} if processes else set()
    if (chains and any(chain.ours for chain in chains.chains)) or "eucalyptus-cloud" in names:
        found.append(Role.STORAGE_CONTROLLER)
    if "eucalyptus-nc" in names:
        found.append(Role.NODE_CONTROLLER)
    return tuple(found) or (Role.GENERIC,)


def backends(inventory: Inventory) -> tuple[str, ...]:
    """The backends seen, by name and era; generic only where there is no other."""
    chains = known(inventory.chains)
    names = [label(backend) for backend in chains.backends if backend.name != "generic"] if chains else []
    return tuple(names) or ("generic",)


def abandoned(inventory: Inventory) -> tuple[int, ...]:
    """The children that could not be killed during the look."""
    answers = (part for part in inventory.parts.values() if isinstance(part, Unavailable))
    return tuple(sorted({pid for answer in answers for pid in answer.pids}))
