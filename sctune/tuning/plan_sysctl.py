"""Kernel settings by sysctl: what is in force, what would be written, what would undo it. Pure.

vm.dirty_bytes and vm.dirty_ratio are one setting, and so are the background pair: writing one that differs zeroes the other, bytes
cannot be set to 0, and a ratio that is 0 already is not taken as a change (Linux mm/page-writeback.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.sysctl import SysctlLine
from sctune.sysctl import Assignment, decide_knob, knob_of, numbers, same_value
from sctune.tuning.model import Decision, Item
from sctune.tuning.operations import RunTool, WriteValue
from sctune.tuning.schema import Bound
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.model.sysctl import SysctlState
    from sctune.tuning.operations import Operation
    from sctune.tuning.pinned import Pins
    from sctune.tuning.schema import Setting

_LAST = "/etc/sysctl.conf"  # procps reads it after all others


def plan_setting(setting: Setting, wanted: str, how: str, state: SysctlState | Unavailable, pins: Pins) -> Item:
    """One kernel setting."""
    key, path = setting.name, path_of(setting.name)

    def item(decision: Decision, reason: str = "", current: str | None = None, value: str | None = wanted) -> Item:
        return Item(setting=setting, subject=key, path=path, current=current, wanted=value, decision=decision, reason=reason or how)

    if isinstance(state, Unavailable):
        return item(Decision.UNKNOWN, str(state))
    if key not in state.live:
        unread = next((one for one in state.unreadable if one.what == path), None)
        return item(Decision.UNKNOWN, str(unread)) if unread else item(Decision.ABSENT, f"there is no {path}")
    now = " ".join(state.live[key].split())
    if len(setting.knob) == 2:
        return _pair(setting, wanted, how, state, pins)
    value = _bounded(setting.bound, now, wanted)
    if value is None:
        word = "raised" if setting.bound is Bound.RAISE else "lowered"
        return item(Decision.BEYOND, f"it is only ever {word} to {wanted}", now)
    if same_value(now, value):
        return item(Decision.ALREADY, "", now, value)
    pinned = pins.blind or pins.sysctl(setting.knob, key, value)
    if pinned:
        return item(Decision.PINNED, pinned, now, value)
    operation = WriteValue(setting=key, path=path, value=value, before=now)
    return Item(
        setting=setting,
        subject=key,
        path=path,
        current=now,
        wanted=value,
        decision=Decision.CHANGE,
        reason=how,
        operations=(operation,),
    )


def path_of(key: str) -> str:
    """Where the kernel has a setting."""
    return "/proc/sys/" + key.replace(".", "/")


def _bounded(bound: Bound | None, now: str, wanted: str) -> str | None:
    """What is to be written where a value may only be raised or lowered, each number of it by itself; None where it is beyond."""
    have, want = numbers(now), numbers(wanted)
    if bound is None or have is None or want is None or len(have) != len(want):
        return wanted
    if all(mine >= theirs if bound is Bound.RAISE else mine <= theirs for mine, theirs in zip(have, want, strict=True)):
        return wanted if have == want else None
    choose = max if bound is Bound.RAISE else min
    return " ".join(str(choose(pair)) for pair in zip(have, want, strict=True))


def _pair(setting: Setting, wanted: str, how: str, state: SysctlState, pins: Pins) -> Item:
    """One of the two names of a limit of dirty pages."""
    key = setting.name
    (other,) = (name for name in setting.knob if name != key)
    by_bytes = key.endswith("_bytes")
    # Kernels before 2.6.29 have no bytes.
    now, its = state.live[key].strip(), state.live.get(other, "0").strip()
    in_force = now if by_bytes and now != "0" else now if not by_bytes and its == "0" else None
    current = now if in_force is not None else f"{its} ({other})"
    done = in_force == wanted
    pinned = "" if done else pins.blind or pins.sysctl(setting.knob, key, wanted)
    change = not done and not pinned
    return Item(
        setting=setting,
        subject=key,
        path=path_of(key),
        current=current,
        wanted=wanted,
        decision=Decision.ALREADY if done else Decision.PINNED if pinned else Decision.CHANGE,
        reason=pinned or how,
        operations=_writes(key, other, wanted, now, its) if change else (),
    )


def _writes(key: str, other: str, wanted: str, now: str, its: str) -> tuple[Operation, ...]:
    path, its_path = path_of(key), path_of(other)
    if its == "0" and not (key.endswith("_bytes") and now == "0"):
        return (WriteValue(setting=key, path=path, value=wanted, before=now),)
    if key.endswith("_bytes"):
        # The kernel takes a ratio only where it differs from the 0 that is there while bytes rule.
        back = ((its_path, its),) if its != "0" else ((its_path, "1"), (its_path, "0"))
        return (WriteValue(setting=key, path=path, value=wanted, before=now, restore=back),)
    if wanted != "0":
        return (WriteValue(setting=key, path=path, value=wanted, before=now, restore=((its_path, its),)),)
    # Likewise: two writes, which is one run of sysctl(8).
    argv = ("sysctl", "-w", f"{key}=1", f"{key}=0")
    return (RunTool(setting=key, argv=argv, undo=(("sysctl", "-w", f"{other}={its}"),), check={its_path: "0"}),)


def overruled(path: str, kept: Mapping[str, str], state: SysctlState) -> tuple[str, ...]:
    """Which lines of other files would win over those of ours when the host starts, a sentence each."""
    name = path.rpartition("/")[2]
    others = [line for line in state.lines if line.file != path]
    at = next((number for number, line in enumerate(others) if _order(line) > name), len(others))
    ours = [SysctlLine(key=key, value=value, file=path, line=number) for number, (key, value) in enumerate(kept.items(), 1)]
    lines = [*others[:at], *ours, *others[at:]]
    found = []
    for key, value in kept.items():
        decided = decide_knob(lines, knob_of(key))
        if decided is not None and not _same(decided.winner, key, value):
            winner = decided.winner
            found.append(
                f"{winner.line.place} sets {winner.key} to {winner.value} and is read after {name}: after a restart {key} would "
                f"not be {value}. Take the line out, or give the file a name that comes before"
            )
    return tuple(found)


def _order(line: SysctlLine) -> str:
    """What decides when a file is read: its name, whatever folder it lies in."""
    return "~" if line.file == _LAST else line.file.rpartition("/")[2]


def _same(winner: Assignment, key: str, value: str) -> bool:
    return winner.key == key and same_value(winner.value, value)
