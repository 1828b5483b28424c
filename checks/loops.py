"""How many loop devices are attached against how many there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.loop_limit import loop_limits
from sctune.unavailable import Unavailable, known, need

if TYPE_CHECKING:
    from sctune.model.loop import LoopState

_SUBJECT = Subject(kind=SubjectKind.SETTING, id="loop.limit")

LIMIT_NEAR = Code(
    code="LOOP_LIMIT_NEAR",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="Nearly all loop devices that may be attached are attached",
    meaning="The number of attached loop devices comes near the most that this host or its cloud will attach. Each attached "
    "volume takes one, and each snapshot takes one more for its COW store while it runs.",
    why='At the limit no further volume can be attached and no snapshot made. Eucalyptus then fails with "Could not create '
    'loopback device for … Please check the max loop value and permissions".',
    thresholds="Attached loop devices / effective limit: warning from thresholds.loop_limit.warning (80 %), critical from "
    "thresholds.loop_limit.critical (95 %). The effective limit is the smallest of: the cloud's policy (Eucalyptus overlay: "
    "256, whatever the kernel allows), loop_limit of the configuration, and the module's max_loop where it is hard, that is "
    "without /dev/loop-control (before Linux 3.1). With it the kernel adds devices on demand, max_loop bounds nothing, and "
    "where no policy and no configuration names a limit there is none to come near.",
    see=(
        "losetup --list --noheadings | wc -l    # attached",
        "cat /sys/module/loop/parameters/max_loop; ls -l /dev/loop-control    # the kernel's bound, hard only without loop-control",
    ),
    remedy="Find loop devices that nothing uses any more (LOOP_LEAKED names those of cloud volumes) and detach them one by "
    "one, by name. If all are in use, detach volumes nobody needs or move some to another storage controller: 256 is built "
    "into the storage controller. A hard limit of the kernel is raised with `options loop max_loop=N` in /etc/modprobe.d and a "
    "reload of the module, for which all loop devices must be detached.",
    risk=Risk.SAFE,
    source="loop(4), losetup(8); Linux drivers/block/loop.c; eucalyptus/eucalyptus OverlayManager.java, DASManager.java "
    "(MAX_LOOP_DEVICES = 256), tools/create-loop-devices",
)


def _kernel_words(loops: LoopState) -> str:
    if loops.control:
        bound = f"; max_loop={loops.max_loop} bounds nothing" if loops.max_loop else ""
        return f"adds devices on demand (loop-control){bound}"
    if loops.max_loop is None:
        return "has no loop-control and does not tell max_loop"
    return f"has no loop-control; max_loop={loops.max_loop}" + (" is a hard limit" if loops.max_loop else " sets no limit")


def _limit_near(look: Look) -> Result:
    loops = need(look.inventory.loops)
    chains = look.inventory.chains
    doubts = (Unexamined.of(chains),) if isinstance(chains, Unavailable) else ()
    limits = loop_limits(loops, known(chains), look.config.loop_limit)
    used = len(loops.devices)
    if not limits and not doubts:
        if not used:
            return not_applicable("no loop device is attached, and nothing limits how many may be")
        return Result(examined=1)
    if not limits:
        return Result(examined=0, unexamined=doubts)
    limit, whose = min(limits)
    ratio = used / limit if limit > 0 else float(used > 0)
    level = look.config.thresholds.loop_limit
    if ratio < level.warning:
        return Result(examined=1, unexamined=doubts)
    severity = Severity.CRITICAL if ratio >= level.critical else Severity.WARNING
    left = max(limit - used, 0)
    finding = LIMIT_NEAR.found(
        _SUBJECT,
        f"{used} of {limit} loop devices are attached: " + (f"{left} more can be" if left else "no further one can be"),
        evidence(
            used=used,
            limit=limit,
            ratio=round(ratio, 4),
            limited_by=whose,
            kernel=_kernel_words(loops),
            source="/sys/block/loop*/loop/backing_file, /sys/module/loop/parameters/max_loop",
        ),
        severity=severity,
        commands=("losetup --list --output NAME,AUTOCLEAR,RO,BACK-FILE", "sctune doctor --check loop-leaked"),
    )
    return Result(examined=1, findings=(finding,), unexamined=doubts)


CHECKS = (
    Check(
        name="loop-limit",
        title="Loop devices against their limit",
        codes=(LIMIT_NEAR,),
        needs=("loops", "chains"),
        run=_limit_near,
    ),
)
