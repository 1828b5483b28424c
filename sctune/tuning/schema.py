"""What a profile says: settings with their values, the hosts and devices they are for, why, and by whose word.

A setting's key is how it is named in a profile, with --set and in a plan: `vm.dirty_ratio` (sysctl, by its own name),
`block.NAME` (a queue attribute of some devices; the name is the profile's own), `system.transparent_hugepage`,
`system.cpu_governor`, `loop.direct_io`, `tgt.nop_interval`, `module.loop.max_loop`, `iscsi.node.session.…`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.sysctl import knob_of

if TYPE_CHECKING:
    from sctune.model.block import BlockKind
    from sctune.model.report import Role


class Section(StrEnum):
    """A profile's sections that hold settings."""

    SYSCTL = "sysctl"  # /proc/sys, by its dotted key
    BLOCK = "block"  # /sys/block/X/queue, under a name of the profile's own
    SYSTEM = "system"  # transparent_hugepage, cpu_governor
    LOOP = "loop"  # direct_io of attached loop devices
    TGT = "tgt"  # nop_interval and nop_count of every target
    MODULE = "module"  # MODULE.PARAMETER, by modprobe.d(5)
    ISCSI = "iscsi"  # open-iscsi's own keys, as iscsid.conf has them


class Bound(StrEnum):
    """A value that is only ever approached from one side: what is beyond it already stays."""

    RAISE = "raise"
    LOWER = "lower"


class Risk(StrEnum):
    """What the change itself may do to a host at work."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"


class Attribute(StrEnum):
    """The queue attributes a profile may set (Documentation/ABI/stable/sysfs-block)."""

    SCHEDULER = "scheduler"
    READ_AHEAD_KB = "read_ahead_kb"
    NR_REQUESTS = "nr_requests"
    MAX_SECTORS_KB = "max_sectors_kb"


SYSTEM_NAMES = ("transparent_hugepage", "cpu_governor")
LOOP_NAMES = ("direct_io",)
TGT_NAMES = ("nop_interval", "nop_count")
PATHS = ("one", "several")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a setting is to be, in the kernel's own unit and words.

    Either `choices`: texts, of which the first that this kernel offers counts (mq-deadline, deadline). Or a size in bytes from
    what the host has: `flush_seconds` of the declared flush speed, `otherwise` bytes where none is declared, never more than
    the share `at_most` (0..1) of all memory. `otherwise` None: without a flush speed the setting is left alone.
    """

    choices: tuple[str, ...] = ()
    flush_seconds: float | None = None
    otherwise: int | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which hosts and devices a setting is for: all of what is said must hold, and of a list any. () and None say nothing.

    Of a host: its `roles`, its memory from `memory_from` on and below `memory_below` (bytes), its kernel from `kernel_from` on
    and before `kernel_before` (major, minor). Of a device: its `kinds`, whether it is `rotational`, its `transports` (the words
    of `sctune.tuning.select.TRANSPORTS`), the `drivers` of it or of what it hangs on.
    """

    roles: tuple[Role, ...] = ()
    memory_from: int | None = None
    memory_below: int | None = None
    kernel_from: tuple[int, int] | None = None
    kernel_before: tuple[int, int] | None = None
    kinds: tuple[BlockKind, ...] = ()
    rotational: bool | None = None
    transports: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. `name` is its name in its section; `attribute` is the queue attribute in `block`, None elsewhere. `opt_in`: it
    is left alone unless it is asked for with --set. `place` is FILE:LINE, `profile` the profile that has it."""

    section: Section
    name: str
    value: Value
    why: str
    source: str
    profile: str
    place: str
    attribute: Attribute | None = None
    bound: Bound | None = None
    when: When = When()
    risk: Risk = Risk.SAFE
    opt_in: bool = False

    @property
    def key(self) -> str:
        """As it is named everywhere."""
        return key_of(self.section, self.name)

    @property
    def knob(self) -> tuple[str, ...]:
        """What tells settings of one thing from each other: vm.dirty_bytes and vm.dirty_ratio are one."""
        return knob_of(self.name) if self.section is Section.SYSCTL else (self.key,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile, with what it includes joined. `includes` are names, in the order in which they count. `removes` are keys of
    included profiles that it does without. `paths` is how many paths to their storage its hosts are to have ("one", "several"),
    None where that does not matter."""

    name: str
    file: str
    summary: str
    settings: tuple[Setting, ...]
    includes: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    paths: str | None = None

    def of(self, section: Section) -> tuple[Setting, ...]:
        """The settings of one section."""
        return tuple(setting for setting in self.settings if setting.section is section)


def key_of(section: Section, name: str) -> str:
    """The key of a setting: a sysctl is called by its own name, all else with its section before it."""
    return name if section is Section.SYSCTL else f"{section}.{name}"
