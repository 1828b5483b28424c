"""What only a tool can set: direct I/O of loop devices, NOP-Ins of tgt's targets. Nothing keeps either over a restart. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.model import Decision, Item
from sctune.tuning.operations import Asked, RunTool
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.model.loop import LoopDevice
    from sctune.model.tgt_tuning import TargetParameters
    from sctune.tuning.facts import Facts
    from sctune.tuning.schema import Setting

_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)
_DIRECT_IO_SINCE = (4, 4)
_NOP_SOUND_SINCE = (1, 0, 67)
_LOST = "tgtd forgets it when it ends; for targets to come give it --iscsi nop_interval=N,nop_count=N"


def plan_loops(setting: Setting, wanted: str, facts: Facts) -> Iterator[Item]:
    """Direct I/O of each attached loop device that is written to."""
    loops = facts.loops
    if isinstance(loops, Unavailable):
        gone = loops.reason is Reason.ABSENT
        yield _Knob(setting=setting, subject="loop", wanted=wanted).item(
            Decision.ABSENT if gone else Decision.UNKNOWN, reason=str(loops)
        )
        return
    release = _RELEASE.match(facts.traits.kernel)
    if release is not None and (int(release[1]), int(release[2])) < _DIRECT_IO_SINCE:
        yield _Knob(setting=setting, subject="loop", wanted=wanted).item(
            Decision.ABSENT, reason="loop devices have no direct I/O before Linux 4.4"
        )
        return
    for loop in loops.devices:
        if not loop.read_only:
            yield _loop(setting, wanted, loop)


def _loop(setting: Setting, wanted: str, loop: LoopDevice) -> Item:
    now = "on" if loop.direct_io else "off"
    path = f"/sys/block/{loop.name}/loop/dio"
    knob = _Knob(setting=setting, subject=loop.name, wanted=wanted, path=path)
    if now == wanted:
        return knob.item(Decision.ALREADY, now)
    tool = RunTool(
        setting=f"{loop.name}/direct_io",
        argv=_losetup(loop.name, wanted),
        undo=(_losetup(loop.name, now),),
        check={path: "1" if wanted == "on" else "0"},
        holder=(f"/sys/block/{loop.name}/loop/backing_file", loop.backing_file),
    )
    return knob.item(Decision.CHANGE, now, "it lasts until the device is detached", tool)


def _losetup(name: str, wanted: str) -> tuple[str, ...]:
    return ("losetup", f"--direct-io={wanted}", f"/dev/{name}")


def plan_targets(settings: tuple[Setting, ...], wanted: Mapping[str, str], facts: Facts) -> Iterator[Item]:
    """nop_interval and nop_count of each target, in the order in which no connection is cut: an interval without a count ends
    every connection at its first NOP-In."""
    problem = _cannot(facts)
    if problem is not None:
        decision, reason = problem
        for setting in settings:
            yield _Knob(setting=setting, subject="tgtd", wanted=wanted[setting.name]).item(decision, reason=reason)
        return
    assert not isinstance(facts.targets, Unavailable)  # noqa: S101 (told above)
    assert not isinstance(facts.tgt, Unavailable)  # noqa: S101
    tids = {(target.control_port, target.iqn): target.tid for target in facts.tgt.targets}
    # Off: the interval first. On: the count first.
    order = sorted(settings, key=lambda one: (one.name == "nop_interval") is (wanted.get("nop_interval") != "0"))
    for target in facts.targets:
        tid = tids.get((target.control_port, target.iqn))
        for setting in order:
            yield _target(setting, wanted, target, tid, facts)


def _cannot(facts: Facts) -> tuple[Decision, str] | None:
    """Why no target can be set, None where they can."""
    for answer in (facts.tgt, facts.targets):
        if isinstance(answer, Unavailable):
            if answer.reason is Reason.ABSENT:
                return Decision.NOT_SELECTED, "no tgtd runs here"
            return Decision.UNKNOWN, str(answer)
    if not facts.targets:
        return Decision.NOT_SELECTED, "tgtd serves no target"
    version = facts.tgt_version
    release = None if isinstance(version, Unavailable) else _RELEASE.match(version.version)
    if release is None:
        return Decision.UNKNOWN, "which tgt this is could not be told, and before 1.0.67 NOP-Ins are harmful"
    if (int(release[1]), int(release[2]), int(release[3] or 0)) < _NOP_SOUND_SINCE:
        return Decision.UNSAFE, "before tgt 1.0.67 each NOP-In leaks a task, and a connection may be closed twice"
    return None


def _target(setting: Setting, wanted: Mapping[str, str], target: TargetParameters, tid: int | None, facts: Facts) -> Item:
    name, value = setting.name, wanted[setting.name]
    interval, count = target.nop_interval, target.nop_count
    now = interval if name == "nop_interval" else count
    knob = _Knob(setting=setting, subject=target.iqn, wanted=value)
    if now is None:
        return knob.item(Decision.ABSENT, reason="this tgt has no NOP-Ins")
    if str(now) == value:
        return knob.item(Decision.ALREADY, value)
    if tid is None:
        return knob.item(Decision.UNKNOWN, str(now), f"the target {target.iqn} went away")
    if name == "nop_interval" and value != "0" and wanted.get("nop_count", str(count)) == "0":
        return knob.item(Decision.UNSAFE, str(now), "with nop_count 0 every connection is cut at its first NOP-In")
    update = _tgtadm(target.control_port, tid, name)
    tool = RunTool(
        setting=f"{target.iqn}/{name}",
        argv=(*update, "--value", value),
        undo=((*update, "--value", str(now)),),
        check={},
        # tgtadm alone tells: no file of tgtd's does.
        ask=(Asked(argv=_show(target.control_port, tid), line=f"{name}={value}"),),
        holder=facts.tgtds.get(target.control_port),
    )
    return knob.item(Decision.CHANGE, str(now), _LOST, tool)


def _tgtadm(control_port: int, tid: int, name: str) -> tuple[str, ...]:
    return (*_of_daemon(control_port), "--mode", "target", "--op", "update", "--tid", str(tid), "--name", name)


def _show(control_port: int, tid: int) -> tuple[str, ...]:
    return (*_of_daemon(control_port), "--mode", "target", "--op", "show", "--tid", str(tid))


def _of_daemon(control_port: int) -> tuple[str, ...]:
    return ("tgtadm", *(("-C", str(control_port)) if control_port else ()), "--lld", "iscsi")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knob:
    """A setting on one thing, before it is decided about."""

    setting: Setting
    subject: str
    wanted: str
    path: str = ""

    def item(self, decision: Decision, current: str | None = None, reason: str = "", tool: RunTool | None = None) -> Item:
        return Item(
            setting=self.setting,
            subject=self.subject,
            path=self.path,
            current=current,
            wanted=self.wanted,
            decision=decision,
            reason=reason,
            operations=() if tool is None else (tool,),
        )
