"""What a profile of tuned sets (tuned.conf(5)), as its daemon would load it."""

from __future__ import annotations

from sctune.records import dataclass
from sctune.unavailable import Unavailable  # noqa: TC001 -- an annotation of a record


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedOption:
    """One setting and the file that has it. `value` None: it holds a variable or function that only tuned can tell."""

    key: str
    value: str | None
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedUnit:
    """A section, after all that the profile includes was merged. `type` is the plug-in (sysctl, vm, disk, cpu …). `devices` is
    the list of names and patterns it is for, "" for all; `conditional`: it is for some machines or devices only, by rules that
    are not judged here."""

    name: str
    type: str
    devices: str
    conditional: bool
    options: tuple[TunedOption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedProfile:
    """The active profile. `units` in the order in which tuned hands devices to them. `reapply_sysctl`: tuned applies the
    administrator's sysctl files after its own settings. `unread` are included profiles that could not be read, which may say
    more."""

    name: str
    units: tuple[TunedUnit, ...]
    reapply_sysctl: bool
    unread: tuple[Unavailable, ...]
