"""Keeps what is asked of a host, so that one look can be looked at again elsewhere."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from sctune.host.answers import Answers
from sctune.host.base import Completed, FileEntry, Process
from sctune.host.redact import redact_argv, redact_file, redact_message, redact_text, redact_unavailable
from sctune.records import replace
from sctune.unavailable import Unavailable
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Clock, DmQuery, FileStat, FilesystemSpace, Host, HostIdentity, LogLines, LogQuery, Source, TgtMode

K = TypeVar("K")
V = TypeVar("V")


class RecordingHost:
    """Asks another host and keeps question and answer.

    Secrets are taken out before anything is kept, and the caller gets the same redacted answer, so that a replay can say
    nothing else than this look did. Of a question that is put more than once the last answer counts: it is what a check
    that looks again before it complains went by. Threads may ask at the same time.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._answers = Answers(identity=host.identity(), clock=host.clock(), source=host.source, version=VERSION)

    @property
    def source(self) -> Source:
        """The source of the host that is asked."""
        return self._host.source

    def answers(self) -> Answers:
        """Everything asked so far, as a copy: a probe that is late changes nothing in it."""
        kept = self._answers
        with self._lock:
            return Answers(
                identity=kept.identity,
                clock=kept.clock,
                source=kept.source,
                version=kept.version,
                files=dict(kept.files),
                lists=dict(kept.lists),
                links=dict(kept.links),
                stats=dict(kept.stats),
                mtimes=dict(kept.mtimes),
                store_stats=dict(kept.store_stats),
                folders=dict(kept.folders),
                spaces=dict(kept.spaces),
                processes=kept.processes,
                commands=dict(kept.commands),
                dm=dict(kept.dm),
                tgt=dict(kept.tgt),
                kernel_log=kept.kernel_log,
                logs=dict(kept.logs),
            )

    def close(self) -> None:
        """Ends the host that was recorded."""
        self._host.close()

    def identity(self) -> HostIdentity:
        """Passed on."""
        return self._answers.identity

    def clock(self) -> Clock:
        """Passed on."""
        return self._answers.clock

    def read(self, path: str) -> str | Unavailable:
        """Asked, redacted and kept."""
        answer = self._host.read(path)
        return self._keep(self._answers.files, path, answer if isinstance(answer, Unavailable) else redact_file(path, answer))

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """Asked and kept."""
        return self._keep(self._answers.lists, path, self._host.list(path))

    def readlink(self, path: str) -> str | Unavailable:
        """Asked and kept."""
        return self._keep(self._answers.links, path, self._host.readlink(path))

    def stat(self, path: str) -> FileStat | Unavailable:
        """Asked and kept."""
        return self._keep(self._answers.stats, path, self._host.stat(path))

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """Asked and kept."""
        return self._keep(self._answers.mtimes, path, self._host.lstat_mtime(path))

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """Asked and kept, each path for itself."""
        answers = self._host.stat_files(paths)
        return tuple(self._keep(self._answers.store_stats, path, answer) for path, answer in zip(paths, answers, strict=True))

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """Asked, redacted and kept, each path for itself, as the file it is."""
        answers = self._host.read_files(paths)
        return tuple(
            self._keep(self._answers.files, path, answer if isinstance(answer, Unavailable) else redact_file(path, answer))
            for path, answer in zip(paths, answers, strict=True)
        )

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """Asked and kept."""
        answer = self._host.list_files(path)
        if not isinstance(answer, Unavailable):
            answer = tuple(
                FileEntry(name=entry.name, stat=redact_unavailable(entry.stat)) if isinstance(entry.stat, Unavailable) else entry
                for entry in answer
            )
        return self._keep(self._answers.folders, path, answer)

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """Asked and kept."""
        return self._keep(self._answers.spaces, path, self._host.space(path))

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """Asked, redacted and kept."""
        answer = self._host.processes()
        kept: tuple[Process, ...] | Unavailable
        kept = redact_unavailable(answer) if isinstance(answer, Unavailable) else tuple(_redact_process(p) for p in answer)
        with self._lock:
            self._answers.processes = kept
        return kept

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Run, redacted and kept under its redacted argument list."""
        answer = self._host.run(argv, timeout=timeout)
        words = redact_argv(argv)
        if not isinstance(answer, Unavailable):
            answer = Completed(
                argv=words,
                status=answer.status,
                stdout=redact_text(answer.stdout),
                stderr=redact_text(answer.stderr),
                seconds=answer.seconds,
            )
        return self._keep(self._answers.commands, words, answer)

    def dm(self, query: DmQuery) -> str | Unavailable:
        """Asked, redacted (keys of dm-crypt) and kept."""
        answer = self._host.dm(query)
        return self._keep(self._answers.dm, query, answer if isinstance(answer, Unavailable) else redact_text(answer))

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """Asked, redacted and kept."""
        answer = self._host.tgt(mode, control_port=control_port, tid=tid)
        kept = answer if isinstance(answer, Unavailable) else redact_text(answer)
        return self._keep(self._answers.tgt, (mode, control_port, tid), kept)

    def kernel_log(self) -> str | Unavailable:
        """Asked, redacted (a kernel command line may hold credentials) and kept."""
        answer = self._host.kernel_log()
        kept = redact_unavailable(answer) if isinstance(answer, Unavailable) else redact_text(answer)
        with self._lock:
            self._answers.kernel_log = kept
        return kept

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Asked, redacted and kept."""
        answer = self._host.log_lines(path, query)
        if not isinstance(answer, Unavailable):
            lines = tuple(replace(line, text=redact_message(line.text)) for line in answer.lines)
            answer = replace(answer, lines=lines)
        return self._keep(self._answers.logs, path, answer)

    def _keep(self, mapping: dict[K, V | Unavailable], key: K, answer: V | Unavailable) -> V | Unavailable:
        kept = redact_unavailable(answer) if isinstance(answer, Unavailable) else answer
        with self._lock:
            mapping[key] = kept
        return kept


def _redact_process(process: Process) -> Process:
    """LiveHost has redacted the arguments already; another host may not have."""
    return Process(
        pid=process.pid,
        ppid=process.ppid,
        name=process.name,
        state=process.state,
        argv=redact_argv(process.argv),
        started=process.started,
        cpu_seconds=process.cpu_seconds,
        uid=process.uid,
        threads=process.threads,
    )
