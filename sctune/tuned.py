"""What a profile of tuned wants of a setting, and whether a value is that. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.sysctl import SETTINGS
from sctune.records import dataclass
from sctune.sysctl import knob_of, numbers, same_value

if TYPE_CHECKING:
    from sctune.model.tuned import TunedOption, TunedProfile

_DIRTY = {f"dirty_{name}": f"vm.dirty_{name}" for name in ("ratio", "bytes", "background_ratio", "background_bytes")}
_PERCENT = re.compile(r"([<>]?)\s*([0-9]{1,3})\s*%\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A setting that a profile makes: `bound` is ">" where it is only raised to the value, "<" where it is only lowered."""

    key: str
    value: str
    bound: str
    file: str

    @property
    def words(self) -> str:
        """The value for people."""
        return {">": "at least ", "<": "at most "}.get(self.bound, "") + self.value

    def met_by(self, value: str) -> bool:
        """Whether a value is what the profile wants."""
        if self.bound:
            have, want = numbers(value), numbers(self.value)
            if have is None or want is None or len(have) != 1:
                return True  # tuned writes the text with its sign then, and nobody knows what comes of it
            return have >= want if self.bound == ">" else have <= want
        return same_value(value, self.value)


def wanted(option: TunedOption, key: str | None = None) -> Wanted | None:
    """What an option wants, by the name `key` instead of its own; None where only tuned could tell."""
    value = option.value
    if not value:
        return None
    bound = value[0] if value[0] in "<>" and len(value) > 1 else ""
    return Wanted(key=key or option.key, value=value.removeprefix(bound).strip(), bound=bound, file=option.file)


def sysctls_of(profile: TunedProfile | None) -> tuple[Wanted, ...]:
    """The kernel settings that a profile makes, of those that matter: by tuned's sysctl plug-in, and vm.dirty_* by its vm
    plug-in (since 2.25). What a section for some machines only sets as well is left out: one of the two is in force."""
    found: dict[str, Wanted | None] = {}
    for unit in profile.units if profile is not None else ():
        for option in unit.options:
            item = _sysctl(option) if unit.type == "sysctl" else _dirty(option) if unit.type == "vm" else None
            name = option.key.replace("/", ".") if unit.type == "sysctl" else _DIRTY.get(option.key, "")
            if name in SETTINGS:
                key = item.key if item is not None else name
                found[key] = None if unit.conditional or key in found else item
    # Of two names of one knob the one that is set last is in force.
    last = {knob_of(key): key for key in found}
    return tuple(item for key, item in found.items() if item is not None and last[knob_of(key)] == key)


def _sysctl(option: TunedOption) -> Wanted | None:
    return wanted(option, option.key.replace("/", "."))


def _dirty(option: TunedOption) -> Wanted | None:
    """A vm.dirty_* of the vm plug-in: bytes in per cent set the ratio."""
    name = _DIRTY.get(option.key)
    if name is None or option.value is None:
        return None
    percent = _PERCENT.match(option.value)
    if percent is not None:
        return Wanted(key=name.replace("bytes", "ratio"), value=percent[2], bound=percent[1], file=option.file)
    item = wanted(option, name)
    return item if item is not None and numbers(item.value) is not None else None
