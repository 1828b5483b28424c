"""Which disks get what from tuned, and in which sections. Pure.

tuned gives a disk to the first section that its name fits, and to no other. What a profile says by kind alone is therefore a
section for all names of that kind, and before it stand the disks of this host that differ, by name: of a disk that comes later
tuned knows the name and not whether it rotates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.tuning.model import Decision
from sctune.tuning.schema import Attribute
from sctune.tuning.select import KERNEL_NAMES, refuses
from sctune.tuning.tuned_units import SIGNS, Line, Unit
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.model.block import BlockDevice
    from sctune.tuning.facts import Facts
    from sctune.tuning.model import Item
    from sctune.tuning.schema import Setting

_OPTIONS = {Attribute.SCHEDULER: "elevator", Attribute.READ_AHEAD_KB: "readahead"}
_DONE = (Decision.CHANGE, Decision.ALREADY)
_WITHOUT = (BlockKind.DM, BlockKind.MD)
"""Kinds without a scheduler of their own."""

_Lines = dict[str, Line]


def units_of_disks(items: Iterable[Item], facts: Facts) -> Iterator[Unit]:
    """The sections of the disk plug-in: those by name first."""
    found = list(items)
    devices = {one.name: one for one in known(facts.devices) or () if one.size > 0 and not one.removable}
    settings = _settings(found, facts)
    of_kind = {kind: _by_kind(kind, settings, devices.values()) for kind in KERNEL_NAMES}
    of_device: dict[str, _Lines] = {name: {} for name in devices}
    for item in found:
        line = _line(item)
        if line is not None and item.subject in of_device:
            of_device[item.subject][line.key] = line
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    left: dict[BlockKind, list[str]] = {}
    for name, lines in of_device.items():
        kind = devices[name].kind
        if kind not in of_kind or _same(lines, of_kind[kind]):
            continue
        if lines:
            groups.setdefault(_told(lines), []).append(name)
        else:
            left.setdefault(kind, []).append(name)
    for number, names in enumerate(groups.values(), 1):
        lines = of_device[names[0]]
        yield Unit(name=f"disk_{number}", type="disk", devices=",".join(names), lines=tuple(lines.values()))
    for kind, lines in of_kind.items():
        if lines:
            patterns = [*KERNEL_NAMES[kind].split("|"), *(f"!{name}" for name in left.get(kind, ()))]
            yield Unit(name=f"disk_{kind}", type="disk", devices=",".join(patterns), lines=tuple(lines.values()))


def on_queue(items: Iterable[Item], present: Mapping[str, str]) -> Iterator[Line]:
    """What the disk plug-in does not know, as files of /sys. It stands after the disks, since a scheduler has a number of requests
    of its own."""
    for item in items:
        if item.setting.attribute in _OPTIONS or not item.path or item.wanted is None:
            continue
        limited = item.setting.attribute is Attribute.MAX_SECTORS_KB and item.decision is Decision.HARDWARE
        if item.decision in _DONE or limited:
            yield Line(setting=item.setting, key=item.path, value=item.wanted)
        elif item.decision is Decision.BEYOND and item.path in present:
            yield Line(setting=item.setting, key=item.path, value=present[item.path])


def _settings(items: Iterable[Item], facts: Facts) -> list[Setting]:
    """The settings that are for this host, and for kinds of devices alone; once each, in order."""
    found = {item.setting.key: item.setting for item in items}
    return [
        one
        for one in found.values()
        if one.when.rotational is None and not one.when.transports and not one.when.drivers and not refuses(one, facts)
    ]


def _by_kind(kind: BlockKind, settings: list[Setting], devices: Iterable[BlockDevice]) -> _Lines:
    """What all devices of a kind get."""
    lines: _Lines = {}
    all_here = [one for one in devices if one.scheduler is not None]
    here = [one for one in all_here if one.kind is kind] or all_here
    for setting in settings:
        choices = setting.value.choices
        option = _OPTIONS.get(setting.attribute or Attribute.NR_REQUESTS)
        if option is None or not choices or (setting.when.kinds and kind not in setting.when.kinds):
            continue
        value = SIGNS[setting.bound] + choices[0]
        if option == "elevator":
            offered = {word for one in here for word in one.schedulers}
            value = next((choice for choice in choices if choice in offered), "") if offered else choices[0]
        if value and not (option == "elevator" and kind in _WITHOUT):
            lines[option] = Line(setting=setting, key=option, value=value)
    return lines


def _line(item: Item) -> Line | None:
    setting = item.setting
    option = _OPTIONS.get(setting.attribute or Attribute.NR_REQUESTS)
    if option is None or item.wanted is None or not item.path:
        return None
    if item.decision in _DONE or (item.decision is Decision.BEYOND and option == "readahead"):
        return Line(setting=setting, key=option, value=(SIGNS[setting.bound] if option == "readahead" else "") + item.wanted)
    return None


def _told(lines: _Lines) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((line.key, line.value) for line in lines.values()))


def _same(one: _Lines, other: _Lines) -> bool:
    return _told(one) == _told(other)
