"""What a profile would change on a host: `plan` decides, `operations` says what is to be done. Both change nothing.

`plan` asks the inventory's host what the profile's settings depend on; from there on everything is pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import replace
from sctune.sysctl import numbers
from sctune.tuning import plan_iscsi
from sctune.tuning.clashes import clashes
from sctune.tuning.facts import gather
from sctune.tuning.files import PLACES, Kept, assignments, render
from sctune.tuning.model import Decision, Item, Options, Plan, PlannedFile
from sctune.tuning.operations import FileState, WriteFile, WriteValue
from sctune.tuning.paths import sysctl_path, tuned_name
from sctune.tuning.pinned import Pins
from sctune.tuning.plan_block import plan_devices
from sctune.tuning.plan_sysctl import overruled, plan_setting
from sctune.tuning.plan_system import plan_governors, plan_huge_pages, plan_module
from sctune.tuning.plan_targets import plan_loops, plan_targets
from sctune.tuning.plan_tuned import activation, given_up, hold, later, overlooked
from sctune.tuning.plan_tuned import overruled as overruled_by
from sctune.tuning.schema import Attribute, Section
from sctune.tuning.select import refuses
from sctune.tuning.tuned_render import present as present_in_tuned
from sctune.tuning.tuned_render import render as render_tuned
from sctune.tuning.value import resolve
from sctune.tuning.warnings import warn
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.inventory import Inventory
    from sctune.model.store import Mount
    from sctune.tuning.facts import Facts
    from sctune.tuning.model import Activation
    from sctune.tuning.operations import Operation
    from sctune.tuning.plan_tuned import Held
    from sctune.tuning.schema import Profile, Setting

_IN_FORCE = (Decision.CHANGE, Decision.ALREADY, Decision.NEXT_LOAD)
_FILE_MODE = 0o644


def plan(inventory: Inventory, profile: Profile, options: Options) -> Plan:
    """The plan of a profile (joined, --set taken) for a host."""
    return decide(gather(inventory, profile, options), profile, options)


def operations(plan: Plan) -> tuple[Operation, ...]:
    """What is to be done, in this order; () where nothing is. The file that keeps a value comes after the value."""
    live = (operation for item in plan.items for operation in item.operations) if plan.options.live else ()
    files = (
        WriteFile(
            setting=file.path,
            path=file.path,
            after=None if file.after is None else FileState(content=file.after, mode=_FILE_MODE, uid=0, gid=0),
            before=file.before,
        )
        for file in (plan.files if plan.options.persist else ())
        if file.decision is Decision.CHANGE and not isinstance(file.before, Unavailable)
    )
    # tuned is told when its file is there; in undoing it gives up first, and then what it left different is put back.
    told = () if plan.activation is None else (plan.activation.operation,)
    return (*live, *files, *told, *(plan_iscsi.operations(plan.iscsi) if plan.iscsi is not None else ()))


def decide(facts: Facts, profile: Profile, options: Options) -> Plan:
    """The plan from what is known of a host."""
    pins = Pins(facts)
    planned = [_writable(item, facts.mounts) for item in _once(_items(facts, profile, pins))]
    held = None if facts.via is None else hold(planned, facts, _present(profile, facts))
    if held is not None:
        planned = [later(item, held, facts) for item in planned]
    kept = [one for one in _kept(profile, planned, facts) if held is None or one.setting.key not in held.keys]
    files = (*_files(render(profile, kept), facts), *_of_tuned(profile, held, facts))
    conflicts: list[str] = list(clashes(planned, facts, pins, profile.name)) if held is None else []
    iscsi = plan_iscsi.decide(facts, profile, options, lambda path: _read_only(path, facts.mounts))
    if iscsi is not None:
        conflicts += [str(one) for one in iscsi.refusals] + list(plan_iscsi.unwritable(iscsi))
    content = next((file.after for file in files if file.path == sysctl_path(profile.name)), None)
    if held is not None and facts.via is not None:
        conflicts += overruled_by(held, facts.via, facts, sysctl_path(profile.name))
    if content is not None and not isinstance(facts.sysctl, Unavailable) and options.persist:
        conflicts += overruled(sysctl_path(profile.name), assignments(content), facts.sysctl)
    if options.persist:
        conflicts += [
            f"{file.path} cannot be written: {file.reason}" + ("" if held is not None else ". --live-only leaves the files out")
            for file in files
            if file.decision is Decision.READ_ONLY
        ]
    others = (*facts.others, *(one for one in facts.tuned_files if one.split("/")[-2] != tuned_name(profile.name)))
    if others:
        conflicts.append(f"another profile is applied: {', '.join(others)}. Take it back first (sctune rollback)")
    written = {file.path for file in files if file.decision in (Decision.CHANGE, Decision.ALREADY)}
    keepers = {one.setting.key: path for one in kept if (path := PLACES[one.setting.section](profile.name)) in written}
    if held is not None and facts.via is not None and held.keys:
        keepers |= dict.fromkeys(held.keys, facts.via.path)
    items = tuple(
        replace(item, kept_by="" if held is not None and overlooked(item, facts) else keepers.get(item.setting.key, ""))
        for item in planned
    )
    return Plan(
        profile=profile,
        options=options,
        items=items,
        files=files,
        iscsi=iscsi,
        conflicts=tuple(conflicts),
        warnings=(*warn(facts, items), *_beside_tuned(profile, held, facts)),
        unread=(*_unread(items, files, facts, pins), *plan_iscsi.unread(iscsi)),
        refusal="" if facts.via is None else facts.via.problem,
        activation=_activation(profile, held, facts, items, files),
    )


def _of_tuned(profile: Profile, held: Held | None, facts: Facts) -> Iterator[PlannedFile]:
    """The file of tuned's profile, where it has anything to hold."""
    if held is not None and facts.via is not None:
        yield from _files({facts.via.path: render_tuned(profile, held.units) if held.units else None}, facts)


def _activation(
    profile: Profile, held: Held | None, facts: Facts, items: tuple[Item, ...], files: tuple[PlannedFile, ...]
) -> Activation | None:
    if held is None or facts.via is None or not held.units:
        return None
    values = any(isinstance(one, WriteValue) and one.later for item in items for one in item.operations)
    anew = any(file.path == facts.via.path and file.decision is Decision.CHANGE for file in files)
    return activation(profile, facts.via, changes=values or anew)


def _beside_tuned(profile: Profile, held: Held | None, facts: Facts) -> Iterator[str]:
    """What is to be told of a profile that goes through tuned."""
    if held is None or facts.via is None:
        return
    if not held.units:
        yield "nothing of this profile is tuned's to hold: sctune makes and keeps it, and tuned keeps the profile that it has"
        return
    yield from given_up(held, facts.via, facts, profile.name)


def _items(facts: Facts, profile: Profile, pins: Pins) -> Iterator[Item]:
    targets: list[Setting] = []
    wanted: dict[str, str] = {}
    schedulers: dict[str, str] = {}
    for setting in in_order(profile):
        refused = refuses(setting, facts)
        if setting.section is Section.ISCSI and not refused:
            continue  # sctune.tuning.iscsi plans these
        choices, how = ((), "") if refused else resolve(setting.value, facts.amounts)
        if not choices:
            yield Item(
                setting=setting,
                subject=setting.name,
                path="",
                current=None,
                wanted=setting.value.choices[0] if setting.value.choices else None,
                decision=Decision.NOT_SELECTED,
                reason=refused or how,
            )
            continue
        match setting.section:
            case Section.SYSCTL:
                yield plan_setting(setting, choices[0], how, facts.sysctl, pins)
            case Section.BLOCK:
                for item in _devices(setting, choices, facts, pins, schedulers):
                    if setting.attribute is Attribute.SCHEDULER and item.decision is not Decision.ABSENT:
                        schedulers.pop(item.subject, None)
                        if item.operations and item.wanted is not None:
                            schedulers[item.subject] = item.wanted
                    yield item
            case Section.SYSTEM if setting.name == "transparent_hugepage":
                yield plan_huge_pages(setting, choices, facts, pins)
            case Section.SYSTEM:
                yield from plan_governors(setting, choices, facts, pins)
            case Section.MODULE:
                yield plan_module(setting, choices, facts)
            case Section.LOOP:
                yield from plan_loops(setting, choices[0], facts)
            case Section.TGT:
                targets.append(setting)
                wanted[setting.name] = choices[0]
    if targets:
        yield from plan_targets(tuple(targets), wanted, facts)


def in_order(profile: Profile) -> list[Setting]:
    """The settings in the order in which they are made: a scheduler brings a number of requests of its own, so that comes after."""
    return sorted(profile.settings, key=lambda setting: setting.attribute is Attribute.NR_REQUESTS)


def _devices(setting: Setting, choices: tuple[str, ...], facts: Facts, pins: Pins, schedulers: Mapping[str, str]) -> Iterator[Item]:
    found = list(plan_devices(setting, choices, facts, pins, schedulers))
    yield from found
    if not found:
        unread = isinstance(facts.devices, Unavailable)
        yield Item(
            setting=setting,
            subject=setting.name,
            path="",
            current=None,
            wanted=choices[0],
            decision=Decision.UNKNOWN if unread else Decision.NOT_SELECTED,
            reason=str(facts.devices) if unread else "no such device is here now",
        )


def _once(items: Iterable[Item]) -> list[Item]:
    """Of two settings for one attribute of one device the later counts, as its rule does in udev's file."""
    ordered = list(items)
    last = {
        item.path: item
        for item in ordered
        if item.path and item.setting.section is Section.BLOCK and item.decision is not Decision.ABSENT
    }
    return [
        item
        if last.get(item.path, item) is item
        else replace(
            item,
            decision=Decision.NOT_SELECTED,
            operations=(),
            reason=f"{last[item.path].setting.key} says {last[item.path].wanted} for it",
        )
        for item in ordered
    ]


def _writable(item: Item, mounts: tuple[Mount, ...] | Unavailable) -> Item:
    """The item, without its operations where the file system of its path takes no writes."""
    if item.decision is not Decision.CHANGE or not item.operations or not isinstance(item.operations[0], WriteValue):
        return item
    point = _read_only(item.path, mounts)
    if not point:
        return item
    reason = f"{point} is mounted read-only, as in a container: this is for the host it runs on"
    return replace(item, decision=Decision.READ_ONLY, operations=(), reason=reason)


def _read_only(path: str, mounts: tuple[Mount, ...] | Unavailable) -> str:
    """The mount point that a path lies under, where it takes no writes; "" where it does, or nobody tells."""
    over = [mount for mount in known(mounts) or () if path == mount.point or path.startswith(mount.point.rstrip("/") + "/")]
    if not over:
        return ""
    deepest = max(len(mount.point) for mount in over)
    last = [mount for mount in over if len(mount.point) == deepest][-1]
    return last.point if "ro" in last.options else ""


def _kept(profile: Profile, items: list[Item], facts: Facts) -> Iterator[Kept]:
    """What files keep: settings that are made or are so already, and rules for devices that may come later."""
    by_key: dict[str, list[Item]] = {}
    for item in items:
        by_key.setdefault(item.setting.key, []).append(item)
    ours = _present(profile, facts)
    for setting in in_order(profile):
        found = by_key.get(setting.key, [])
        if setting.section not in PLACES or not found:
            continue
        refused = bool(refuses(setting, facts))
        choices, _ = ((), "") if refused else resolve(setting.value, facts.amounts)
        if not choices or any(item.decision in (Decision.PINNED, Decision.READ_ONLY, Decision.UNKNOWN) for item in found):
            continue
        first = next((item for item in found if item.decision in _IN_FORCE), None)
        if setting.section is Section.BLOCK:
            yield Kept(setting=setting, values=choices)
        elif first is not None and first.wanted is not None:
            yield Kept(setting=setting, values=(first.wanted,), path=_pattern(first.path))
        elif setting.name in ours and found[0].decision is Decision.BEYOND:
            # Made by us once, and gone beyond it since: the line stays, or what it raised would be lost.
            yield Kept(setting=setting, values=(ours[setting.name],))


def _present(profile: Profile, facts: Facts) -> Mapping[str, str]:
    """key -> value in our sysctl.d file as it is, and in our profile of tuned."""
    state = facts.files.get(sysctl_path(profile.name))
    found = assignments(state.content) if isinstance(state, FileState) else {}
    through = facts.files.get(facts.via.path) if facts.via is not None else None
    if isinstance(through, FileState):
        found |= present_in_tuned(through.content)
    return {key: value for key, value in found.items() if numbers(value) is not None}


def _pattern(path: str) -> str:
    """A path for tmpfiles.d: that of a processor's governor stands for those of all."""
    parts = path.split("/")
    return "/".join(
        f"{part.rstrip('0123456789')}*" if part.startswith(("policy", "cpu")) and part[-1:].isdigit() else part for part in parts
    )


def _files(wanted: Mapping[str, bytes | None], facts: Facts) -> Iterator[PlannedFile]:
    for path, after in wanted.items():
        before = facts.files.get(path)
        if isinstance(before, Unavailable):
            if after is not None:
                yield PlannedFile(path=path, before=before, after=after, decision=Decision.UNKNOWN, reason=str(before))
            continue
        if before is None and after is None:
            continue
        same = before is not None and before.content == after
        point = "" if same else _read_only(path, facts.mounts)
        yield PlannedFile(
            path=path,
            before=before,
            after=after,
            decision=Decision.ALREADY if same else Decision.READ_ONLY if point else Decision.CHANGE,
            reason=f"{point} is mounted read-only" if point else "",
        )


def _unread(items: tuple[Item, ...], files: tuple[PlannedFile, ...], facts: Facts, pins: Pins) -> tuple[str, ...]:
    """What could not be looked at, each once."""
    found = [item.reason for item in items if item.decision is Decision.UNKNOWN]
    found += [file.reason for file in files if file.decision is Decision.UNKNOWN]
    if not isinstance(facts.sysctl, Unavailable):
        found += [str(one) for one in facts.sysctl.unreadable]
    found += [one for one in (pins.blind, pins.unsure) if one]
    return tuple(dict.fromkeys(found))
