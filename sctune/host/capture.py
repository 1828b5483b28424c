"""A host as a capture remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sctune.host.base import Source
from sctune.host.questions import covers, without_devices
from sctune.host.redact import redact_argv
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.answers import Answers
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
        TgtMode,
    )

T = TypeVar("T")


def not_collected(what: str, detail: str = "the capture never asked") -> Unavailable:
    """The answer to a question that was not put when the host was looked at."""
    return Unavailable(reason=Reason.NOT_COLLECTED, what=what, detail=detail)


class CaptureHost:
    """Answers from a capture. What was never asked is NOT_COLLECTED: nothing is concluded from other answers."""

    source = Source.CAPTURE

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def close(self) -> None:
        """Nothing was started."""

    def identity(self) -> HostIdentity:
        """The identity of the captured host."""
        return self._answers.identity

    def clock(self) -> Clock:
        """The clocks when the capture was made."""
        return self._answers.clock

    def read(self, path: str) -> str | Unavailable:
        """The text of a captured file."""
        return self._path("read", self._answers.files.get(path), path)

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """The names in a folder as captured."""
        return self._path("list", self._answers.lists.get(path), path)

    def readlink(self, path: str) -> str | Unavailable:
        """What a link held."""
        return self._path("readlink", self._answers.links.get(path), path)

    def stat(self, path: str) -> FileStat | Unavailable:
        """stat(2) of a system file as captured."""
        return self._path("stat", self._answers.stats.get(path), path)

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """A link's or file's own mtime as captured."""
        return self._path("lstat_mtime", self._answers.mtimes.get(path), path)

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """stat(2) of store files as captured, each path for itself."""
        return tuple(_of(self._answers.store_stats.get(path), path) for path in paths)

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """The texts of store files as captured, each path for itself."""
        return tuple(self.read(path) for path in paths)

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """A folder of the volume store as captured."""
        return _of(self._answers.folders.get(path), path)

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """statvfs(3) as captured."""
        return _of(self._answers.spaces.get(path), path)

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """The process table as captured."""
        return _of(self._answers.processes, "process table")

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """The outcome the same command had. Nothing is run, hence no deadline."""
        words = redact_argv(argv)
        known = self._answers.commands.get(words)
        if known is None and self._answers.patterns:
            known = self._answers.commands.get(without_devices(words))
        return _of(known, " ".join(words))

    def dm(self, query: DmQuery) -> str | Unavailable:
        """Device-mapper's answer as captured."""
        return _of(self._answers.dm.get(query), f"dmsetup {query}")

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """tgtd's answer as captured."""
        return _of(
            self._answers.tgt.get((mode, control_port, tid)), f"tgtadm --op show --mode {mode} (control port {control_port})"
        )

    def kernel_log(self) -> str | Unavailable:
        """The kernel's log as captured."""
        return _of(self._answers.kernel_log, "kernel log")

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """The lines of a log as captured: those that the capture was made for, which may be other ones or reach less far back."""
        return self._path("log", self._answers.logs.get(path), path)

    def _path(self, kind: str, answer: T | None, path: str) -> T | Unavailable:
        if answer is None and any(covers(pattern, path) for pattern in self._answers.patterns.get(kind, ())):
            return Unavailable(reason=Reason.ABSENT, what=path, detail="No such file or directory")
        return _of(answer, path)


def _of(answer: T | None, what: str) -> T | Unavailable:
    return not_collected(what) if answer is None else answer
