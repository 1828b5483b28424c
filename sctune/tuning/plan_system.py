"""Huge pages, processors' governors, parameters of kernel modules. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.tuning.model import Decision, Item
from sctune.tuning.operations import WriteValue
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.tuning.facts import Choice, Facts
    from sctune.tuning.pinned import Pins
    from sctune.tuning.schema import Setting

_THP = "/sys/kernel/mm/transparent_hugepage/enabled"
_GOVERNOR = "/sys/devices/system/cpu/cpufreq"


def plan_huge_pages(setting: Setting, choices: tuple[str, ...], facts: Facts, pins: Pins) -> Item:
    """The mode of transparent huge pages; what the kernel's command line says of it is left as it is, as tuned does too."""
    pages = facts.huge_pages
    if isinstance(pages, Unavailable):
        return _unavailable(setting, _THP, choices[0], pages, absent="this kernel was built without huge pages")

    def pinned_by(value: str) -> str:
        if facts.at_boot not in (None, value):
            return f"the kernel was started with transparent_hugepage={facts.at_boot}"
        return pins.blind or pins.huge_pages(value)

    return _choice(setting, "transparent_hugepage", choices, pages, pinned_by)


def plan_governors(setting: Setting, choices: tuple[str, ...], facts: Facts, pins: Pins) -> Iterator[Item]:
    """The governor of each policy."""
    governors = facts.governors
    absent = "no cpufreq here, as in most virtual machines"
    if isinstance(governors, Unavailable) or not governors:
        answer = governors if isinstance(governors, Unavailable) else Unavailable(reason=Reason.ABSENT, what=_GOVERNOR)
        yield _unavailable(setting, _GOVERNOR, choices[0], answer, absent=absent)
        return
    for one in governors:
        parts = one.path.split("/")
        subject = next((part for part in reversed(parts[:-1]) if part != "cpufreq"), "cpu")
        yield _choice(setting, subject, choices, one, lambda value: pins.blind or pins.governor(value))


def plan_module(setting: Setting, choices: tuple[str, ...], facts: Facts) -> Item:
    """A parameter that a module takes when it is loaded: only a file can set it."""
    module, _, parameter = setting.name.partition(".")
    path = f"/sys/module/{module}/parameters/{parameter}"
    answer = facts.modules.get(setting.name)
    now = answer if isinstance(answer, str) else None
    if isinstance(answer, Unavailable) and answer.reason is not Reason.ABSENT:
        return _unavailable(setting, path, choices[0], answer)
    done = now == choices[0]
    return Item(
        setting=setting,
        subject=setting.name,
        path=path,
        current=now,
        wanted=choices[0],
        decision=Decision.ALREADY if done else Decision.NEXT_LOAD,
        reason="" if done else f"the module {module} takes it when it is loaded",
    )


def _choice(setting: Setting, subject: str, choices: tuple[str, ...], knob: Choice, pinned_by: Callable[[str], str]) -> Item:
    # A kernel that lists nothing is believed to have the first.
    wanted = next((choice for choice in choices if choice in knob.offered), None) if knob.offered else choices[0]
    decision, reason = Decision.CHANGE, ""
    operations: tuple[WriteValue, ...] = ()
    if wanted is None:
        decision, reason = Decision.ABSENT, f"this kernel offers {', '.join(knob.offered)}"
    elif wanted == knob.current:
        decision = Decision.ALREADY
    elif pinned := pinned_by(wanted):
        decision, reason = Decision.PINNED, pinned
    else:
        operations = (WriteValue(setting=f"{subject}/{setting.name}", path=knob.path, value=wanted, before=knob.current),)
    return Item(
        setting=setting,
        subject=subject,
        path=knob.path,
        current=knob.current,
        wanted=wanted or choices[0],
        decision=decision,
        reason=reason,
        operations=operations,
    )


def _unavailable(setting: Setting, path: str, wanted: str, answer: Unavailable, *, absent: str = "") -> Item:
    gone = answer.reason is Reason.ABSENT
    return Item(
        setting=setting,
        subject=setting.name,
        path=path,
        current=None,
        wanted=wanted,
        decision=Decision.ABSENT if gone else Decision.UNKNOWN,
        reason=absent if gone else str(answer),
    )
