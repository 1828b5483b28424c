"""A host made of what a test says: the same questions, answered from memory. What was not said was not collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sctune.host.base import (
    Clock,
    Completed,
    DmQuery,
    FileEntry,
    FileStat,
    FilesystemSpace,
    HostIdentity,
    LogLines,
    LogQuery,
    Process,
    Source,
    TgtMode,
)
from sctune.host.logfiles import KEPT, family
from sctune.host.logscan import LogScan
from sctune.host.zone import LocalTime
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence


def absent(what: str) -> Unavailable:
    return Unavailable(reason=Reason.ABSENT, what=what)


@dataclass
class FakeHost:
    """Files and folders are given as a mapping path -> text; folders exist where a file lies under them."""

    files: dict[str, str | Unavailable] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    stats: dict[str, FileStat | Unavailable] = field(default_factory=dict)
    mtimes: dict[str, float] = field(default_factory=dict)
    folders: dict[str, tuple[FileEntry, ...] | Unavailable] = field(default_factory=dict)
    spaces: dict[str, FilesystemSpace | Unavailable] = field(default_factory=dict)
    table: tuple[Process, ...] | Unavailable = ()
    commands: dict[tuple[str, ...], Completed | Unavailable] = field(default_factory=dict)
    dm_answers: dict[DmQuery, str | Unavailable] = field(default_factory=dict)
    tgt_answers: dict[tuple[TgtMode, int, int | None], str | Unavailable] = field(default_factory=dict)
    logs: dict[str, LogLines | Unavailable] = field(default_factory=dict)
    log: str | Unavailable = field(default_factory=lambda: absent("kernel log"))
    name: str = "fake"
    kernel: str = "6.1.0-56-amd64"
    privileged: bool = True
    now: float = 1_800_000_000.0
    boot: float = 100_000.0
    asked: list[tuple[str, ...]] = field(default_factory=list)

    source: Source = Source.CAPTURE

    def identity(self) -> HostIdentity:
        return HostIdentity(name=self.name, kernel=self.kernel, privileged=self.privileged)

    def clock(self) -> Clock:
        return Clock(now=self.now, boot=self.boot)

    def read(self, path: str) -> str | Unavailable:
        return self.files.get(path, absent(path))

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        prefix = path.rstrip("/") + "/"
        names = {p[len(prefix) :].split("/", 1)[0] for p in (*self.files, *self.links) if p.startswith(prefix)}
        return tuple(sorted(names)) if names else absent(path)

    def readlink(self, path: str) -> str | Unavailable:
        return self.links.get(path, absent(path))

    def stat(self, path: str) -> FileStat | Unavailable:
        return self.stats.get(path, absent(path))

    def lstat_mtime(self, path: str) -> float | Unavailable:
        return self.mtimes.get(path, absent(path))

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        return tuple(self.stats.get(path, absent(path)) for path in paths)

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        return tuple(self.read(path) for path in paths)

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        return self.folders.get(path, absent(path))

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        return self.spaces.get(path, absent(path))

    def processes(self) -> tuple[Process, ...] | Unavailable:
        return self.table

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        self.asked.append(tuple(argv))
        return self.commands.get(tuple(argv), absent(argv[0]))

    def dm(self, query: DmQuery) -> str | Unavailable:
        return self.dm_answers.get(query, absent("device-mapper"))

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        return self.tgt_answers.get((mode, control_port, tid), absent("tgtd"))

    def kernel_log(self) -> str | Unavailable:
        return self.log

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Searches the text of the file and of what it was rolled into, if it is among `files`; times are UTC."""
        if path in self.logs:
            return self.logs[path]
        folder, _, name = path.rpartition("/")
        names = [one.rpartition("/")[2] for one in self.files if one.rpartition("/")[0] == folder]
        scan, pieces = LogScan(query, LocalTime(None)), family(name, names)
        for one in pieces:
            text = self.files[f"{folder}/{one}"]
            if isinstance(text, Unavailable):
                return text
            data = text.encode("utf-8", "surrogateescape")
            scan.backward(len(data), lambda offset, length, data=data: data[offset : offset + length])  # type: ignore[misc]
        return scan.result(whole=len(pieces) <= KEPT, now=self.now) if pieces else absent(path)

    def close(self) -> None:
        """Nothing was started."""
