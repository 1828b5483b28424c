"""One run of the doctor: look once, judge, look again at what seems missing, and say it.

Everything a check may need is fetched side by side first, so that the run takes as long as its slowest answer and every
tool's deadline runs at the same time.
"""

from __future__ import annotations

import contextlib
import gc
import time
from typing import TYPE_CHECKING

from sctune.backends.choose import label
from sctune.check import Check, Look, Result, Unexamined
from sctune.components import Component, processes_of
from sctune.findings import Finding, Subject
from sctune.host.base import Source
from sctune.inventory import FIRST, Inventory
from sctune.model.loop import LoopState
from sctune.model.report import CheckResult, Report, Role, Status
from sctune.records import dataclass, replace
from sctune.unavailable import CannotLook, Reason, Unavailable, known
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sctune.config.model import Config
    from sctune.findings import Code, Severity
    from sctune.host.base import Host

SECOND_LOOK_AFTER = 0.5
"""Seconds between a missing link and the second look: longer than udev takes to make a link or a cloud to finish a step."""
LONGEST_PATIENCE = 10.0
"""The doctor ends within 15 s, and the second look takes its time too."""
NO_SECOND_LOOK_AFTER = 3.5
"""A first look that took this long and met something that does not answer: a second would pass the doctor's own deadline."""
SLOW_BUT_SOUND = 6.5
"""The same where everything answered: a slow host, whose second look takes as long as its first."""

CLOUD = ("cloud_log", "cloud_faults", "node_log", "spool", "buckets")
TARGETS = ("backings", "tgt_load", "tgt_defaults")
GUESTS = ("guests", "guest_disks", "multipath")
WAITING = (*FIRST, "stores", "kernel_log", "disk_health", *TARGETS, *GUESTS, *CLOUD)
"""Parts that wait on something outside. They get threads; all others only keep us busy, and would get in each other's way: a
thread gives up the interpreter at each of thousands of short reads and gets it back when the others are done with it."""
JOINED = frozenset({"lvm", "loops", "stores", "dm", "block", "tgt", "sessions", "processes", "cloud"})
"""What the chains are made of."""
ALWAYS = frozenset({"chains", "processes"})
"""What a report is headed with (roles, backends) is read from these, whichever checks are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A check's outcome before it is put into words: `result` None where `unavailable` says why."""

    check: Check
    result: Result | None
    unavailable: Unavailable | None
    seconds: float


def diagnose(
    host: Host,
    config: Config,
    checks: Sequence[Check] | None = None,
    *,
    inventory: Inventory | None = None,
    again: Callable[[], Host | None] | None = None,
    strict: bool = False,
) -> Report:
    """Runs `checks` (all there are, unless named) on one look at `host`: the one that was begun, or a new one.
    `again` makes the host of the second look, None where it cannot be had; a live one is asked once more itself.
    `strict` lets a defect's exception through (tests)."""
    if checks is None:
        from sctune.registry import load_checks

        checks = load_checks()
    with _uncollected():
        if again is None and host.source is Source.LIVE:
            again = _itself(host)
        return _diagnose(inventory or Inventory(host, config, strict=strict), checks, again, strict=strict)


def _itself(host: Host) -> Callable[[], Host]:
    return lambda: host


def _diagnose(inventory: Inventory, checks: Sequence[Check], again: Callable[[], Host | None] | None, *, strict: bool) -> Report:
    host, config, began = inventory.host, inventory.config, inventory.began
    looks = [inventory]
    fetch(inventory, checks, also=ALWAYS)
    judged = [_judge(check, Look(inventory=inventory, config=config), strict=strict) for check in checks]
    seconds = time.monotonic() - began
    if again is not None and seconds < (NO_SECOND_LOOK_AFTER if _met_silence(judged) else SLOW_BUT_SOUND):
        inventory.fetching.add("a_second_look")
        judged = _confirm(judged, looks, again, strict=strict)
        inventory.fetching.discard("a_second_look")
    findings = _muted(_settle(judged), config)
    worst = _worst(findings)
    return Report(
        version=VERSION,
        identity=host.identity(),
        source=host.source,
        roles=roles(inventory),
        backends=backends(inventory),
        started=host.clock().now,
        seconds=time.monotonic() - began,
        checks=tuple(_outcome(item, worst.get(item.check.name)) for item in judged),
        findings=findings,
        abandoned=tuple(sorted({pid for look in looks for pid in abandoned(look)})),
    )


def judge(inventory: Inventory, checks: Sequence[Check], *, strict: bool = False) -> tuple[Finding, ...]:
    """What `checks` find on a look, without a second one: for who looks again in a moment anyway."""
    look = Look(inventory=inventory, config=inventory.config)
    return _muted(_settle([_judge(check, look, strict=strict) for check in checks]), inventory.config)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cyclic garbage collector: records hold no cycles, and walking all of them again and again costs a third of
    the time on a host with thousands of volumes."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def fetch(inventory: Inventory, checks: Iterable[Check], *, also: Iterable[str] = ()) -> None:
    """Fetches what these checks read and what is named beside it, what waits on others first."""
    names = {name for check in checks for name in check.needs}.union(also)
    if "chains" in names:
        names |= JOINED
    waiting = inventory.start(name for name in FIRST if name in names)
    for name in sorted(names - {*WAITING, "chains"}):
        getattr(inventory, name, None)  # a site's check may name what there is not
    waiting += inventory.start(name for name in WAITING if name in names and name not in FIRST)
    for thread in waiting:
        thread.join()
    if "chains" in names:
        inventory.fetch(["chains"])


def _judge(check: Check, look: Look, *, strict: bool) -> _Judged:
    began = time.monotonic()
    result: Result | None = None
    unavailable: Unavailable | None = None
    try:
        result = _checked(check.run(look))
    except CannotLook as error:
        unavailable = error.unavailable
    except (Exception, SystemExit) as error:
        if strict:
            raise
        detail = f"defect in sctune, please report: {type(error).__name__}: {error}"
        unavailable = Unavailable(reason=Reason.FAILED, what=f"check {check.name}", detail=detail)
    return _Judged(check=check, result=result, unavailable=unavailable, seconds=time.monotonic() - began)


def _checked(result: object) -> Result:
    """What a check returned, if it is what checks return: a site's own check may return anything."""
    if not isinstance(result, Result):
        raise TypeError(f"the check returned {type(result).__name__}, not a Result")
    for finding in result.findings:
        if not (isinstance(finding, Finding) and isinstance(finding.subject, Subject)):
            raise TypeError("the check returned something else than findings")
    return result


def _met_silence(judged: Iterable[_Judged]) -> bool:
    """Whether anything that was asked did not answer in time."""
    return any(
        (item.unavailable is not None and item.unavailable.reason is Reason.TIMEOUT)
        or (item.result is not None and any(part.reason is Reason.TIMEOUT for part in item.result.unexamined))
        for item in judged
    )


def _confirm(
    judged: list[_Judged], looks: list[Inventory], host_again: Callable[[], Host | None], *, strict: bool
) -> list[_Judged]:
    """Looks once more at what seems missing and keeps what is still so: hosts change while we look. Most checks want a moment
    between the looks; one that judges how long a state lasts says how long. Adds what it looked at to `looks`."""
    inventory = looks[0]
    waits: dict[float, list[_Judged]] = {}
    for item in judged:
        if item.result and any(_wants_confirmation(item.check, finding) for finding in item.result.findings):
            patience = item.check.patience(inventory.config) if item.check.patience else SECOND_LOOK_AFTER
            waits.setdefault(min(patience, LONGEST_PATIENCE), []).append(item)
    second: dict[str, _Judged] = {}
    for patience in sorted(waits):
        time.sleep(max(0.0, inventory.began + patience - time.monotonic()) if patience > SECOND_LOOK_AFTER else patience)
        host = host_again()
        if host is None:
            break
        again = Inventory(host, inventory.config, strict=strict)
        looks.append(again)
        fetch(again, [item.check for item in waits[patience]])
        look = Look(inventory=again, config=again.config)
        second |= {item.check.name: _judge(item.check, look, strict=strict) for item in waits[patience]}
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
    """All findings, each with its check's name and each identity once: worst first, and among the worst those first that explain
    others. A code that is only for want of a better one yields to any other."""
    findings: list[Finding] = []
    said: set[tuple[str, Subject]] = set()
    last_resort: set[tuple[str, Subject]] = set()
    for item in judged:
        codes: dict[str, Code] = {code.code: code for code in item.check.codes}
        for finding in item.result.findings if item.result else ():
            if finding.identity in said:
                continue
            said.add(finding.identity)
            findings.append(replace(finding, check=item.check.name))
            if finding.code in codes and codes[finding.code].last_resort:
                last_resort.add(finding.identity)
    explained = {f.subject for f in findings if f.identity not in last_resort and f.severity.rank > 0}
    kept = [f for f in findings if f.identity not in last_resort or f.subject not in explained]
    explains = {(f.caused_by.code, f.caused_by.subject) for f in kept if f.caused_by is not None}
    kept.sort(key=lambda f: (-f.severity.rank, f.identity not in explains, f.code, f.subject.kind, f.subject.id))
    return tuple(kept)


def _muted(findings: tuple[Finding, ...], config: Config) -> tuple[Finding, ...]:
    """Marked as the configuration says, by the calendar of the machine that this runs on: the mutes are that machine's too."""
    if not config.mutes:
        return findings
    import datetime

    from sctune.mutes import mute

    return mute(findings, config.mutes, datetime.date.today().isoformat())


def _worst(findings: Iterable[Finding]) -> dict[str, Severity]:
    """The worst severity each check found. `findings` are sorted, worst first."""
    worst: dict[str, Severity] = {}
    for finding in findings:
        worst.setdefault(finding.check, finding.severity)
    return worst


def _outcome(item: _Judged, worst: Severity | None) -> CheckResult:
    """The check's status: its worst finding; else unknown where anything could not be examined; else ok."""
    reason: str | None = None
    unexamined: tuple[Unexamined, ...] = ()
    examined = 0
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
    """What the host is for: as configured, or by what runs and what is stored on it."""
    if inventory.config.role is not None:
        return (Role(inventory.config.role),)
    found: list[Role] = []
    chains = known(inventory.chains)
    if (chains and any(chain.ours for chain in chains.chains)) or processes_of(inventory, Component.CLOUD):
        found.append(Role.STORAGE_CONTROLLER)
    if processes_of(inventory, Component.NODE):
        found.append(Role.NODE_CONTROLLER)
    return tuple(found) or (Role.GENERIC,)


def backends(inventory: Inventory) -> tuple[str, ...]:
    """The backends seen, by name and era; generic only where there is no other."""
    chains = known(inventory.chains)
    names = [label(backend) for backend in chains.backends if backend.name != "generic"] if chains else []
    return tuple(names) or ("generic",)


def abandoned(inventory: Inventory) -> tuple[int, ...]:
    """The children that could not be killed during the look."""
    return tuple(sorted({pid for answer in _of_children(inventory) if isinstance(answer, Unavailable) for pid in answer.pids}))


def _of_children(inventory: Inventory) -> Iterator[object]:
    """Every answer that a child gave or owed: parts as a whole, and in them what is asked for a path or device at a time."""
    parts = inventory.parts
    yield from parts.values()
    loops, stores, backings, dm = (parts.get(name) for name in ("loops", "stores", "backings", "dm"))
    for name in CLOUD:
        yield from getattr(parts.get(name), "unread", ())
    if isinstance(loops, LoopState):
        yield from (loop.backing for loop in loops.devices)
    if isinstance(stores, tuple):
        yield from (answer for store in stores for answer in (store.files, store.space))
    if isinstance(backings, tuple):
        yield from (backing.stat for backing in backings)
    if isinstance(dm, tuple):
        yield from (device.targets for device in dm)
