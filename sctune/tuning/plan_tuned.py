"""The part of a plan that tuned makes and keeps: which settings, in which sections, and how it takes them up. Pure.

What tuned cannot say stays with sctune: kernel modules (its plug-in for them leaves /etc/modprobe.d/tuned.conf changed when it
gives up), loop devices, targets, open-iscsi, and disks that it does not look at. Sources: tuned.conf(5); tuned's plugin_disk.py,
plugin_sysctl.py, plugin_vm.py, plugin_cpu.py, plugin_sysfs.py, plugin_modules.py (2.20, 2.28).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.records import dataclass, replace
from sctune.sysctl import decide_knob, knob_of, numbers, same_value
from sctune.tuned import Wanted
from sctune.tuning.model import Activation, Decision
from sctune.tuning.operations import RunTool, WriteValue
from sctune.tuning.paths import tuned_name
from sctune.tuning.plan_sysctl import path_of
from sctune.tuning.schema import Attribute, Section
from sctune.tuning.tuned_disks import on_queue, units_of_disks
from sctune.tuning.tuned_units import SIGNS, Line, Unit
from sctune.tuning.tuned_view import ACTIVE, MODE
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.tuning.facts import Facts
    from sctune.tuning.model import Item
    from sctune.tuning.operations import Operation
    from sctune.tuning.schema import Profile, Setting
    from sctune.tuning.tuned_view import TunedView

_PLAIN = re.compile(r"[\w.,:/+@=-]+(?: [\w.,:/+@=-]+)*", re.ASCII)
"""Values that tuned takes as they stand: no variable, no comment, no quotes, no sign of comparison before them."""
_DONE = (Decision.CHANGE, Decision.ALREADY)
_NEVER = (Decision.UNKNOWN, Decision.READ_ONLY, Decision.PINNED)
_SECONDS = 180.0
_NO_LATENCY = str(2_000_000_000)
_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What tuned holds of a plan: the sections of its profile, the keys of the settings in them."""

    units: tuple[Unit, ...]
    keys: frozenset[str]


def hold(items: Iterable[Item], facts: Facts, present: Mapping[str, str]) -> Held:
    """Which settings tuned can hold on this host, and how it is told. `present`: what our files say now, by their keys."""
    by_key: dict[str, list[Item]] = {}
    for item in items:
        by_key.setdefault(item.setting.key, []).append(item)
    usable = {key: found for key, found in by_key.items() if not any(item.decision in _NEVER for item in found)}
    sysctls: list[Line] = []
    memory: list[Line] = []
    processors: list[Line] = []
    disks: list[Item] = []
    for found in usable.values():
        setting = found[0].setting
        match setting.section:
            case Section.SYSCTL:
                sysctls += _sysctl(found[0], present)
            case Section.SYSTEM if setting.name == "transparent_hugepage":
                memory += [_line(setting, "transparent_hugepages", item.wanted) for item in found if _made(item)]
            case Section.SYSTEM:
                processors += _governor(setting, found, facts)
            case Section.BLOCK:
                disks += found
    named = [
        Unit(name="sysctl", lines=tuple(sysctls)),
        Unit(name="vm", lines=tuple(memory)),
        Unit(name="cpu", lines=tuple(processors), note=_CPU_NOTE),
        *units_of_disks(disks, facts),
        Unit(name="sysfs", lines=tuple(on_queue(disks, present))),
    ]
    units = tuple(unit for unit in named if unit.lines)
    return Held(units=units, keys=frozenset(line.setting.key for unit in units for line in unit.lines))


_CPU_NOTE = (
    "force_latency: with none given tuned would hold the processors' wake-up latency below 1 ms, which nobody asked for; this "
    "number asks for nothing"
)


def _line(setting: Setting, key: str, value: str | None) -> Line:
    return Line(setting=setting, key=key, value=value or "")


def _made(item: Item) -> bool:
    return item.decision in _DONE and item.wanted is not None and bool(_PLAIN.fullmatch(item.wanted))


def _sysctl(item: Item, present: Mapping[str, str]) -> Iterator[Line]:
    setting = item.setting
    if item.wanted is None or not _PLAIN.fullmatch(item.wanted):
        return
    single = setting.bound is not None and len(numbers(item.wanted) or ()) == 1
    if item.decision is Decision.BEYOND and not single:
        # Made by us once, and gone beyond it since: the line stays, or what it raised would be lost.
        if setting.name in present:
            yield Line(setting=setting, key=setting.name, value=present[setting.name])
    elif item.decision in (*_DONE, Decision.BEYOND) and all(isinstance(one, WriteValue) for one in item.operations):
        yield Line(setting=setting, key=setting.name, value=(SIGNS[setting.bound] if single else "") + item.wanted)


def _governor(setting: Setting, items: list[Item], facts: Facts) -> Iterator[Line]:
    """tuned takes the first of a list that a processor has, and only where the kernel lists what it has."""
    listed = all(one.offered for one in known(facts.governors) or ())
    if listed and any(_made(item) for item in items):
        yield Line(setting=setting, key="governor", value="|".join(setting.value.choices))
        yield Line(setting=setting, key="force_latency", value=_NO_LATENCY)


def later(item: Item, held: Held, facts: Facts) -> Item:
    """An item that tuned makes: its value is waited for, and given back in undoing, whatever tuned remembers by then."""
    if item.setting.key not in held.keys or overlooked(item, facts):
        return item
    values = tuple(replace(one, later=True) for one in item.operations if isinstance(one, WriteValue))
    return replace(item, operations=(*values, *_other_name(item, facts)))


def overlooked(item: Item, facts: Facts) -> bool:
    """Whether it is about a removable disk, which tuned leaves alone."""
    own = item.setting.attribute in (Attribute.SCHEDULER, Attribute.READ_AHEAD_KB)
    return own and any(one.name == item.subject and one.removable for one in known(facts.devices) or ())


def _other_name(item: Item, facts: Facts) -> Iterator[Operation]:
    """The other name of a limit of dirty pages. tuned gives each back by itself: bytes by writing 0, which the kernel refuses, a
    ratio by writing 0, which the kernel takes for the end of the bytes."""
    key = item.setting.name
    others = [name for name in knob_of(key) if name != key] if item.setting.section is Section.SYSCTL and item.operations else []
    for other in others:
        now = "" if isinstance(facts.sysctl, Unavailable) else facts.sysctl.live.get(other, "").strip()
        if now and now != "0":
            yield WriteValue(setting=other, path=path_of(other), value="0", before=now, later=True)


def activation(profile: Profile, view: TunedView, *, changes: bool) -> Activation | None:
    """How tuned takes the profile up; None where it has it, and nothing `changes`."""
    name = tuned_name(profile.name)
    argv = ("tuned-adm", "profile", name)
    if view.active == name:
        # Read anew, when the file or a value was changed or put back.
        tool = RunTool(setting=f"tuned: {name} anew", argv=argv, undo=(argv,), check={}, seconds=_SECONDS)
        return Activation(name=name, before=name, operation=tool) if changes else None
    checked = {ACTIVE: name}
    if view.active and view.mode in ("manual", "auto"):
        checked[MODE] = "manual"
    tool = RunTool(setting=f"tuned: {name}", argv=argv, undo=(_back(view),), check={}, whole=checked, seconds=_SECONDS)
    return Activation(name=name, before=view.active, operation=tool)


def _back(view: TunedView) -> tuple[str, ...]:
    if not view.active:
        return ("tuned-adm", "off")
    return ("tuned-adm", "auto_profile") if view.mode == "auto" else ("tuned-adm", "profile", *view.active.split())


def overruled(held: Held, view: TunedView, facts: Facts, own: str) -> Iterator[str]:
    """Lines of the administrator's sysctl files that would win, since tuned applies these after its own settings. `own` is our
    file, which is not there any more then."""
    if not view.reapplies or isinstance(facts.sysctl, Unavailable):
        return
    lines = [one for one in facts.sysctl.lines if one.file != own and one.file.startswith(("/etc/sysctl.", "/run/sysctl.d/"))]
    for line in (line for unit in held.units if unit.name == "sysctl" for line in unit.lines):
        decided = decide_knob(lines, knob_of(line.key))
        if decided is None:
            continue
        winner = decided.winner
        sign = line.value[0] if line.value[0] in "<>" else ""
        wanted = Wanted(key=line.key, value=line.value.removeprefix(sign), bound=sign, file=view.path)
        if winner.key != line.key or not (wanted.met_by(winner.value) or same_value(winner.value, wanted.value)):
            yield (
                f"{winner.line.place} sets {winner.key} to {winner.value}, and tuned applies that file after its own settings: "
                f"{line.key} would not be {wanted.words}. Take the line out"
            )


def given_up(held: Held, view: TunedView, facts: Facts, name: str) -> Iterator[str]:
    """What the profile that tuned has now sets besides, and no longer does when ours takes its place."""
    before = known(facts.tuned_profile)
    if before is None or not view.active or view.active == tuned_name(name):
        return
    mine = {line.key for unit in held.units for line in unit.lines}
    keys = (option.key for unit in before.units for option in unit.options)
    theirs = list(dict.fromkeys(key for key in keys if key != "dynamic" and not _names_of(key) & mine))
    if theirs:
        more = f" and {len(theirs) - _SHOWN} more" if len(theirs) > _SHOWN else ""
        yield f"tuned's profile {view.active} ends, and with it what it sets besides: {', '.join(theirs[:_SHOWN])}{more}"


def _names_of(key: str) -> set[str]:
    alone = key.replace("/", ".")
    return {*knob_of(alone), *knob_of(f"vm.{alone}"), "transparent_hugepages" if alone.startswith("transparent_hugepage") else key}
