"""A plan: what a profile would change on a host, what not, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.tuning.iscsi.plan import IscsiPlan
    from sctune.tuning.operations import FileState, Operation, RunTool
    from sctune.tuning.schema import Profile, Setting
    from sctune.tuning.via import Via
    from sctune.unavailable import Unavailable


class Decision(StrEnum):
    """What is done about a setting on one thing, and why not."""

    CHANGE = "change"
    ALREADY = "already"  # it is so
    NEXT_LOAD = "next-load"  # a module takes it when it is loaded; what is in force now cannot be changed
    ABSENT = "absent-on-this-kernel"  # no such knob, or none of the values that are wanted
    NO_ELEVATOR = "no-elevator"  # bio-based device-mapper, md: requests are scheduled by the disks below
    HARDWARE = "hardware-limit"
    PINNED = "pinned"  # another tool, or the kernel's command line, has it
    BEYOND = "beyond"  # it may only be raised (lowered), and is higher (lower) already
    UNSAFE = "unsafe"  # this version of the program has faults with it
    READ_ONLY = "read-only"  # the file system that holds the knob takes no writes
    NOT_SELECTED = "not-selected"  # not for this host, or only on request
    UNKNOWN = "unknown"  # what is in force could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A setting on one thing. `subject` is that thing as a person calls it (vm.dirty_bytes, sda, policy0). `current` and `wanted`
    are texts as the kernel shows and takes them, None where there is none. `reason` says in words what the decision does not.
    `operations` change the live value: () unless it is a CHANGE. `kept_by` is the file that keeps it over a restart, "" where
    none does."""

    setting: Setting
    subject: str
    path: str
    current: str | None
    wanted: str | None
    decision: Decision
    reason: str = ""
    operations: tuple[Operation, ...] = ()
    kept_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file that keeps settings. `before` is None where there is none; `after` None where none is needed any more."""

    path: str
    before: FileState | Unavailable | None
    after: bytes | None
    decision: Decision
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What of a plan is wanted: the values in force (`live`), the files that keep them (`persist`). `via`: the program that is to
    make and keep what it can, "" for none."""

    live: bool = True
    persist: bool = True
    flush_speed: float | None = None
    given: tuple[str, ...] = ()
    via: Via | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """tuned takes up the profile `name`; `before` is the one that it has now, "" for none. They are the same where it only reads it
    anew."""

    name: str
    before: str
    operation: RunTool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`iscsi` is the part about open-iscsi, None where the profile has none. `conflicts` are what would win over it in the end (a
    later file, a second profile), or contradicts the host: nothing is applied while there are any. `warnings` are told and stop
    nothing. `unread` is what could not be looked at. `refusal`: why it cannot be carried out in the way that is asked for at all.
    `activation`: what tuned has to be told, None where nothing."""

    profile: Profile
    options: Options
    items: tuple[Item, ...]
    files: tuple[PlannedFile, ...]
    iscsi: IscsiPlan | None
    conflicts: tuple[str, ...]
    warnings: tuple[str, ...]
    unread: tuple[str, ...]
    refusal: str = ""
    activation: Activation | None = None
