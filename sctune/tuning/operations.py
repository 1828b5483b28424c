"""What applying a plan does to a machine: a list of operations, each with all that is needed to undo it.

A plan is turned into operations before anything is changed; the executor writes each to its journal before it does it, reads back
what it did, and undoes them in reverse order. Operations are data: nothing here touches a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A file as it is to be, or was: its bytes, mode, owner, and SELinux label ("" where there is none)."""

    content: bytes
    mode: int
    uid: int
    gid: int
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteValue:
    """One value of the kernel's: a file of /proc/sys or /sys that takes it in one write.

    `accepts` are further readings that count as `value` (the kernel rounds: read_ahead_kb 777 reads 776). `restore` is what has
    to be written to get `before` back: None where writing `before` does it; else (path, value) in order, since vm.dirty_bytes
    cannot be set to 0 and is given back by writing the ratio. `reset_by` is the path of another value that resets this one when it
    is written (a scheduler its number of requests): where that is changed, this is written though it is right now.
    `later`: a tool that comes after it makes the value; it is waited for, and given back in undoing as any other.
    """

    setting: str  # as a person calls it: vm.dirty_bytes, sda/scheduler, session3/recovery_tmo
    path: str
    value: str
    before: str
    accepts: tuple[str, ...] = ()
    restore: tuple[tuple[str, str], ...] | None = None
    reset_by: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """One file, replaced as a whole beside its place and renamed over it. `before` is None where there was none; `after` None where
    it is to go."""

    setting: str
    path: str
    after: FileState | None
    before: FileState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A tool that only tells (`argv`), and a line that it must print when a change was made."""

    argv: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTool:
    """A change that only a tool may make (iscsiadm for node records, udevadm to load rules). `undo` puts back what was; `check`
    maps what is to be read afterwards (a file's path) to a line that must stand in it, for reading back; `whole` does the same of
    files that hold nothing else, and `ask` where only another tool tells. `holder` is (path, text) of a file that reads so as long
    as what was changed is there: a daemon that has ended, or a loop device that has another file, has taken the change with it."""

    setting: str
    argv: tuple[str, ...]
    undo: tuple[tuple[str, ...], ...]
    check: Mapping[str, str]
    ask: tuple[Asked, ...] = ()
    whole: Mapping[str, str] = field(default_factory=dict)
    holder: tuple[str, str] | None = None
    seconds: float = 30.0


Operation: TypeAlias = WriteValue | WriteFile | RunTool
