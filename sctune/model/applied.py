"""What sctune applied to a host and left in force, and what of it is not in force any more."""

from __future__ import annotations

from enum import StrEnum

from sctune.records import dataclass
from sctune.unavailable import Unavailable  # noqa: TC001 -- an annotation of a record

IN_FORCE = "applied"
"""The state of a transaction that is whole."""


class Kind(StrEnum):
    """How a setting is looked at: what the kernel says, a file of ours as a whole, a line of somebody else's file, a line that a
    tool keeps and that goes with what it is about (a node record), a file that is to be gone, or what tgtd alone tells of a target.
    """

    VALUE = "value"
    FILE = "file"
    LINE = "line"
    KEPT = "kept"
    REMOVED = "removed"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it was left. `wanted` is a value, or the SHA-256 of a file in hexadecimal digits, "" else; `accepts` are other
    readings that mean the same; `line` is what a file (or tgtd) has to say, `key = value`; `mode` and `uid` are those of a file of
    ours, None else."""

    setting: str
    kind: Kind
    path: str
    wanted: str = ""
    accepts: tuple[str, ...] = ()
    line: str = ""
    mode: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One apply that is not rolled back. `state` is `applied`, or how far it got; `time` is when that was written, in seconds since
    the epoch; `options` are those of the command line, name and value."""

    number: int
    profile: str
    version: str
    state: str
    time: float
    options: tuple[tuple[str, str], ...]
    settings: tuple[Setting, ...]

    @property
    def whole(self) -> bool:
        """Whether it came to its end and nobody began to undo it."""
        return self.state == IN_FORCE

    @property
    def live_only(self) -> bool:
        """Whether no file keeps it over a boot."""
        return any(name == "live-only" for name, _ in self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One setting that is not as it was left: by which transaction, what it was set to and what is found, in words without a file's
    contents."""

    setting: str
    path: str
    wanted: str
    now: str
    by: Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """All that is applied, the oldest first. `conforming` are settings that are as they were left; `gone` were set on devices or
    sessions that are not there; `unread` could not be looked at. Of several transactions that set one thing the last counts."""

    transactions: tuple[Transaction, ...]
    conforming: tuple[Setting, ...]
    drifted: tuple[Drift, ...]
    gone: tuple[Setting, ...]
    unread: tuple[tuple[Setting, Unavailable], ...]
