"""What was asked of a host and what it answered: the content of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from sctune.host.base import (
        Clock,
        Completed,
        DmQuery,
        FileEntry,
        FileStat,
        FilesystemSpace,
        HostIdentity,
        LogLines,
        Process,
        Source,
        TgtMode,
    )
    from sctune.unavailable import Unavailable


@dataclass(slots=True, kw_only=True)
class Answers:
    """One mapping for each question of `Host`, from what was asked to the last answer.

    `commands` go by their argument list, without the deadline; `tgt` by mode, control port and target id. `processes` and
    `kernel_log` are None where nobody asked. Nothing in here holds a secret: whoever fills it redacts first.
    """

    identity: HostIdentity
    clock: Clock
    source: Source
    version: str = ""
    files: dict[str, str | Unavailable] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...] | Unavailable] = field(default_factory=dict)
    links: dict[str, str | Unavailable] = field(default_factory=dict)
    stats: dict[str, FileStat | Unavailable] = field(default_factory=dict)
    mtimes: dict[str, float | Unavailable] = field(default_factory=dict)
    store_stats: dict[str, FileStat | Unavailable] = field(default_factory=dict)
    folders: dict[str, tuple[FileEntry, ...] | Unavailable] = field(default_factory=dict)
    spaces: dict[str, FilesystemSpace | Unavailable] = field(default_factory=dict)
    processes: tuple[Process, ...] | Unavailable | None = None
    commands: dict[tuple[str, ...], Completed | Unavailable] = field(default_factory=dict)
    dm: dict[DmQuery, str | Unavailable] = field(default_factory=dict)
    tgt: dict[tuple[TgtMode, int, int | None], str | Unavailable] = field(default_factory=dict)
    kernel_log: str | Unavailable | None = None
    logs: dict[str, LogLines | Unavailable] = field(default_factory=dict)
    patterns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of sctune-capture.sh alone, which asks by pattern: what it looked for, by the kind of question. What a pattern covers and has
    no answer was not there. Its commands are kept by `questions.without_devices`."""
