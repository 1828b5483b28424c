"""How many copies the storage controller has running: when they are as many as it allows itself, everything else waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, not_applicable
from sctune.cloud_files import backends_of
from sctune.cloud_service import COPIES_PROPERTY, copies_limit, own_copies, services
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import duration_words
from sctune.unavailable import need

if TYPE_CHECKING:
    from sctune.model.process import Copy

_SHOWN = 4

SATURATED = Code(
    code="CLOUD_COPIES_SATURATED",
    severities=(Severity.WARNING,),
    title="The storage controller runs as many copies as it allows itself",
    meaning="Every dd, gunzip and tar that the storage controller starts takes one of a few tickets, two unless it was told "
    "otherwise. "
    "All of them have been taken for a while.",
    why="Making a volume takes a ticket too, for a dd of one block: until a copy ends, no volume is created in this zone and "
    "no other "
    "snapshot goes on. Users see volumes that stay in creating. The volume whose snapshot is being copied can be neither attached "
    "nor detached meanwhile; a node gives up after 45 s.",
    thresholds="As many children of eucalyptus-cloud are dd, gunzip or tar as system.exec.max_restricted_concurrent_ops allows (2 "
    "where no properties were recorded), and were for thresholds.copies_busy_seconds (1 min). Eucalyptus 3.3 and later; before, "
    "copies were not bounded.",
    see=("pgrep -ax 'dd|gunzip|gzip|tar'", f"euctl {COPIES_PROPERTY}"),
    remedy="Wait for them, or find out why they are slow: disks that are too busy (IO_PRESSURE_HIGH), a device that does not "
    "answer. Where "
    f"disks have room for more copies at a time, raise {COPIES_PROPERTY}.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus SystemUtil.java (MAX_RESTRICTED_CONCURRENT_OPS, RESTRICTED_CONCURRENT_OPS)",
    confirm=True,
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    backends = backends_of(inventory)
    if not backends:
        return not_applicable("no Eucalyptus is on this host")
    processes = need(inventory.processes)
    if not services(processes):
        return not_applicable("no eucalyptus-cloud runs here")
    limit = copies_limit(backends[0], inventory)
    if limit is None:
        return not_applicable("this version does not bound its copies")
    copies = own_copies(processes)
    if len(copies) < limit:
        return Result(examined=1)
    # Since the last of the first ones began, all tickets have been taken.
    busy = inventory.clock.boot - copies[limit - 1].process.started
    if busy < look.config.thresholds.copies_busy_seconds:
        return Result(examined=1)
    finding = SATURATED.found(
        Subject(kind=SubjectKind.PROCESS, id="eucalyptus-cloud"),
        f"{len(copies)} copies run, {limit} are allowed, for {duration_words(busy)}: no volume is created until one ends",
        evidence(
            copies=tuple(_words(copy, inventory.clock.boot) for copy in copies[:_SHOWN]),
            running=len(copies),
            limit=limit,
            busy_seconds=round(busy),
            source=f"the process table, {COPIES_PROPERTY}",
        ),
    )
    return Result(examined=1, findings=(finding,))


def _words(copy: Copy, boot: float) -> str:
    return f"{copy.tool.value} {copy.source or '?'} to {copy.destination or '?'}, {duration_words(boot - copy.process.started)}"


CHECKS = (
    Check(
        name="cloud-copies",
        title="Copies that the storage controller runs",
        codes=(SATURATED,),
        needs=("processes", "cloud", "chains", "lvm"),
        run=_run,
    ),
)
