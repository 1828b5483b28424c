"""Says what is asked of a host: each question when it has been answered, with its time and its outcome.

A question is told by what an operator would recognise (a path, a command line), an answer by its size alone: no content, so no
secret. Command lines and reasons go through the same masks as a capture's.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from sctune.host.redact import redact_argv, redact_file, redact_unavailable
from sctune.records import dataclass
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.host.base import (
        Clock,
        Completed,
        DmQuery,
        FileEntry,
        FileStat,
        FilesystemSpace,
        Host,
        HostIdentity,
        LogLines,
        LogQuery,
        Process,
        Source,
        TgtMode,
    )

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question that was answered. `at` is seconds since the first could have been put, `seconds` how long the answer took.
    `how` is the way of asking (read, list, run, …), `what` the question, `outcome` what came of it."""

    at: float
    seconds: float
    how: str
    what: str
    outcome: str


class TracingHost:
    """Asks another host and tells of it. Threads may ask at the same time: `tell` is called by one of them at a time."""

    def __init__(self, host: Host, tell: Callable[[Asked], None]) -> None:
        self._host = host
        self._tell = tell
        self._lock = threading.Lock()
        self._began = time.monotonic()

    @property
    def source(self) -> Source:
        """The source of the host that is asked."""
        return self._host.source

    def close(self) -> None:
        """Ends the host that was asked."""
        self._host.close()

    def identity(self) -> HostIdentity:
        """Passed on."""
        return self._host.identity()

    def clock(self) -> Clock:
        """Passed on."""
        return self._host.clock()

    def read(self, path: str) -> str | Unavailable:
        """Asked and told: the length of what it holds once secrets are masked, since a password's length is nobody's business."""
        return self._ask("read", path, lambda: self._host.read(path), lambda text: _length(path, text))

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """Asked and told."""
        return self._ask("list", path, lambda: self._host.list(path), lambda names: f"{len(names)} names")

    def readlink(self, path: str) -> str | Unavailable:
        """Asked and told."""
        return self._ask("readlink", path, lambda: self._host.readlink(path), lambda _: "a link")

    def stat(self, path: str) -> FileStat | Unavailable:
        """Asked and told."""
        return self._ask("stat", path, lambda: self._host.stat(path), lambda found: f"a {found.kind.value}")

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """Asked and told."""
        return self._ask("mtime", path, lambda: self._host.lstat_mtime(path), lambda _: "a time")

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """Asked in one and told path by path, with the time of all."""
        began = time.monotonic()
        answers = self._host.stat_files(paths)
        for path, answer in zip(paths, answers, strict=True):
            self._say("stat in a child", path, answer, began, lambda found: f"a {found.kind.value}")
        return answers

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """Asked in one and told path by path, with the time of all."""
        began = time.monotonic()
        answers = self._host.read_files(paths)
        for path, answer in zip(paths, answers, strict=True):
            self._say("read in a child", path, answer, began, lambda text, path=path: _length(path, text))  # type: ignore[misc]
        return answers

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """Asked and told."""
        return self._ask("list in a child", path, lambda: self._host.list_files(path), lambda found: f"{len(found)} names")

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """Asked and told."""
        return self._ask("space in a child", path, lambda: self._host.space(path), lambda _: "free space and inodes")

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """Asked and told."""
        return self._ask("processes", "the process table", self._host.processes, lambda found: f"{len(found)} processes")

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Run and told, with the secrets in its command line masked."""
        what = " ".join(redact_argv(argv))
        return self._ask("run", what, lambda: self._host.run(argv, timeout=timeout), _completed)

    def dm(self, query: DmQuery) -> str | Unavailable:
        """Asked and told."""
        return self._ask("device-mapper", query.value, lambda: self._host.dm(query), lambda text: f"{text.count(chr(10))} lines")

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """Asked and told."""
        what = f"show {mode.value}, control port {control_port}" + ("" if tid is None else f", target {tid}")
        asked = self._host.tgt
        return self._ask(
            "tgtd", what, lambda: asked(mode, control_port=control_port, tid=tid), lambda text: f"{text.count(chr(10))} lines"
        )

    def kernel_log(self) -> str | Unavailable:
        """Asked and told."""
        return self._ask("kernel log", "since boot", self._host.kernel_log, lambda text: f"{text.count(chr(10))} lines")

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Asked and told."""
        return self._ask(
            "log in a child",
            path,
            lambda: self._host.log_lines(path, query),
            lambda found: f"{len(found.lines)} messages in {found.size} bytes",
        )

    def _ask(self, how: str, what: str, ask: Callable[[], T | Unavailable], words: Callable[[T], str]) -> T | Unavailable:
        began = time.monotonic()
        answer = ask()
        self._say(how, what, answer, began, words)
        return answer

    def _say(self, how: str, what: str, answer: T | Unavailable, began: float, words: Callable[[T], str]) -> None:
        now = time.monotonic()
        if isinstance(answer, Unavailable):
            masked = redact_unavailable(answer)
            outcome = masked.reason.value + (f" ({masked.detail})" if masked.detail else "")
        else:
            outcome = words(answer)
        asked = Asked(at=began - self._began, seconds=now - began, how=how, what=what, outcome=outcome)
        with self._lock:
            self._tell(asked)


def _length(path: str, text: str) -> str:
    return f"{len(redact_file(path, text))} characters"


def _completed(done: Completed) -> str:
    return f"exit {done.status}, {len(done.stdout)} characters" + (f", {len(done.stderr)} on stderr" if done.stderr else "")
