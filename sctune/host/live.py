"""The machine we run on."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from sctune.host.base import (
    Clock,
    FileEntry,
    FileKind,
    FileStat,
    FilesystemSpace,
    HostIdentity,
    LogLine,
    LogLines,
    Process,
    Source,
)
from sctune.host.children import Nursery, Outcome, still_there
from sctune.host.silence import STALL, gave_up, heard
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.host.ahead import Ahead
    from sctune.host.base import Completed, DmQuery, LogQuery, TgtMode
    from sctune.host.resident import Residents

T = TypeVar("T")
READ_LIMIT = 4 * 1024 * 1024
_TABLE_BUDGET = 9.0
"""On a slow and busy machine it takes seconds until the child has told the first process."""
_STORE_BUDGET = 6.0
_TGT_TIMEOUT = 3.0
_LOG_SECONDS = 3.0
"""How long one log is searched; what is older than was found until then is not known."""
_LOG_GRACE = 1.0
"""How much later its answer may come: a read that takes longer hangs."""
_LOOK_BUDGET = 13.0
"""The doctor ends within 15 s; children that stay have to be given up, and the report written."""

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV}
_DENIED = {errno.EACCES, errno.EPERM}


def unavailable(number: int | None, what: str) -> Unavailable:
    """What an errno means for somebody who wanted to know `what`."""
    if number in _ABSENT:
        reason = Reason.ABSENT
    elif number in _DENIED:
        reason = Reason.DENIED
    elif number in (errno.ETIMEDOUT, errno.EHOSTDOWN):
        reason = Reason.TIMEOUT
    else:
        reason = Reason.FAILED
    return Unavailable(reason=reason, what=what, detail=os.strerror(number) if number else "")


class LiveHost:
    """The live machine. Use it as a context manager, or close it: it has a child process.

    `tool_path` is where tools are looked for (tests put fakes there). `budget` is how many seconds all answers together may
    take, however many things hang. `ahead` has read some of it already; who made it closes it. `children` are those to use instead
    of own ones, for a look among many; who made them closes them. `stays`: own ones are for a process that does (`Nursery`).
    """

    source = Source.LIVE

    def __init__(
        self,
        *,
        tool_path: str | None = None,
        budget: float = _LOOK_BUDGET,
        ahead: Ahead | None = None,
        children: Nursery | Residents | None = None,
        stays: bool = False,
    ) -> None:
        self._ahead = ahead
        self._ahead_lock = threading.Lock()
        self._until = time.monotonic() + budget
        self._owns = children is None
        self._nursery: Nursery | Residents = Nursery(apart=stays) if children is None else children
        self._tool_path = tool_path
        self._hung_folders: set[str] = set()
        self.tool_started = threading.Event()
        names = os.uname()
        self._identity = HostIdentity(name=names.nodename, kernel=names.release, privileged=os.geteuid() == 0)
        self._clock = Clock(now=time.time(), boot=time.clock_gettime(time.CLOCK_BOOTTIME))

    def __enter__(self) -> LiveHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the children that can be ended, and tools whose answer nobody waits for any more. One with children of another ends
        nothing."""
        if not self._owns:
            return
        self._nursery.close()
        if "sctune.host.command" in sys.modules:
            from sctune.host.command import end_all

            end_all()

    @property
    def children(self) -> Nursery | Residents:
        """Who makes its children."""
        return self._nursery

    def identity(self) -> HostIdentity:
        """uname(2) and our effective uid."""
        return self._identity

    def clock(self) -> Clock:
        """The clocks when the look began."""
        return self._clock

    def read(self, path: str) -> str | Unavailable:
        """Reads a system file. Raw descriptors: a sysfs attribute costs a third of what open() does."""
        if self._ahead is not None and path.startswith("/sys/block/loop"):
            with self._ahead_lock:
                known = self._ahead.take(path)
            if known is not None:
                return unavailable(known, path) if isinstance(known, int) else known.decode("utf-8", "surrogateescape")
        try:
            # Non-blocking, so that a FIFO somebody left in /etc does not stop us.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            return unavailable(getattr(error, "errno", None), path)
        try:
            data = os.read(descriptor, 65536)
            if len(data) >= 4096 or not path.startswith("/sys/"):
                parts = [data]
                size = len(data)
                while data and size <= READ_LIMIT:
                    data = os.read(descriptor, 262144)
                    parts.append(data)
                    size += len(data)
                data = b"".join(parts)
        except OSError as error:
            return unavailable(error.errno, path)
        finally:
            os.close(descriptor)
        if len(data) > READ_LIMIT:
            return Unavailable(reason=Reason.FAILED, what=path, detail="larger than 4 MiB")
        return data.decode("utf-8", "surrogateescape")

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """Lists a system folder."""
        try:
            return tuple(sorted(os.listdir(path)))
        except (OSError, ValueError) as error:
            return unavailable(getattr(error, "errno", None), path)

    def readlink(self, path: str) -> str | Unavailable:
        """Reads a link among the system files."""
        try:
            return os.readlink(path)
        except (OSError, ValueError) as error:
            return unavailable(getattr(error, "errno", None), path)

    def stat(self, path: str) -> FileStat | Unavailable:
        """Stats a system file or device node."""
        from sctune.host.jobs import stat_fields

        try:
            return file_stat(stat_fields(os.stat(path)))
        except (OSError, ValueError) as error:
            return unavailable(getattr(error, "errno", None), path)

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """The mtime of a link or file itself."""
        try:
            return os.lstat(path).st_mtime
        except (OSError, ValueError) as error:
            return unavailable(getattr(error, "errno", None), path)

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """Stats store files in children."""
        return self._each("stat_files", paths, lambda item: file_stat(item) if len(item) > 1 else None)

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """Reads store files in children."""
        return self._each(
            "read_files", paths, lambda item: item[0].decode("utf-8", "surrogateescape") if isinstance(item[0], bytes) else None
        )

    def _each(self, job: str, paths: Sequence[str], answer: Callable[[tuple[Any, ...]], T | None]) -> tuple[T | Unavailable, ...]:
        """A job that has an item for each path, of which `answer` makes the answer, or None where the item is an errno. After a
        hang, what lies in the same folder is not touched again."""
        answers: list[T | Unavailable | None] = [None] * len(paths)
        deadline = self._deadline(_STORE_BUDGET)
        pending = list(range(len(paths)))
        while pending:
            outcome = self._nursery.run(job, tuple(paths[i] for i in pending), stall=STALL, deadline=deadline)
            for index, item in zip(pending, outcome.items, strict=False):
                found = answer(item)
                answers[index] = unavailable(item[0], paths[index]) if found is None else found
            pending = pending[len(outcome.items) :]
            if not pending:
                break
            stuck = os.path.dirname(paths[pending[0]])
            for index in pending:
                if os.path.dirname(paths[index]) == stuck or time.monotonic() >= deadline:
                    answers[index] = gave_up(outcome, paths[index])
            pending = [i for i in pending if answers[i] is None]
        return tuple(one for one in answers if one is not None)

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """Lists a folder of the store in a child."""
        outcome = self._store_job("list_files", path)
        if not outcome.finished:
            return gave_up(outcome, path)
        if len(outcome.items) == 1 and len(outcome.items[0]) == 1:
            return unavailable(outcome.items[0][0], path)
        entries = [
            FileEntry(name=name, stat=file_stat(fields) if len(fields) > 1 else unavailable(fields[0], f"{path}/{name}"))
            for name, fields in outcome.items
        ]
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """statvfs(3) in a child."""
        outcome = self._store_job("space", path)
        if not outcome.finished:
            return gave_up(outcome, path)
        fields = outcome.items[0]
        if len(fields) == 1:
            return unavailable(fields[0], path)
        return FilesystemSpace(total=fields[0], free=fields[1], available=fields[2], inodes=fields[3], inodes_free=fields[4])

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """The process table, in a child. A process whose arguments cannot be read is passed over by its pid."""
        skip: list[int] = still_there(self._nursery.stuck)
        deadline = self._deadline(_TABLE_BUDGET)
        while True:
            outcome = self._nursery.run("processes", tuple(skip), stall=STALL, first=_TABLE_BUDGET, deadline=deadline)
            found = tuple(
                Process(
                    pid=item[0],
                    ppid=item[1],
                    name=item[2],
                    state=item[3],
                    argv=item[4],
                    started=item[5],
                    cpu_seconds=item[6],
                    uid=item[7],
                    threads=item[8],
                )
                for item in outcome.items
                if len(item) > 1
            )
            if outcome.finished:
                return (*found, *(self._stuck_process(pid) for pid in skip))
            last = outcome.items[-1] if outcome.items else ()
            if len(last) != 1 or time.monotonic() >= deadline:
                return gave_up(outcome, "process table")
            skip.append(last[0])
            self._nursery.stuck.add(last[0])

    def _stuck_process(self, pid: int) -> Process:
        """A process that hangs whoever reads its arguments: what /proc/PID/stat says of it, which never blocks."""
        from sctune.host.proc import parse_stat

        text = self.read(f"/proc/{pid}/stat")
        found = parse_stat(text) if isinstance(text, str) else None
        if found is None:
            return Process(pid=pid, ppid=0, name="?", state="?", argv=(), started=0.0, cpu_seconds=0.0, uid=0)
        ticks = os.sysconf("SC_CLK_TCK")
        return Process(
            pid=pid,
            ppid=found.ppid,
            name=found.name,
            state=found.state,
            argv=(),
            started=found.started / ticks,
            cpu_seconds=found.cpu / ticks,
            uid=0,
            threads=found.threads,
        )

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Runs a tool."""
        from sctune.host.command import TOOL_PATH, run_command

        left = self._time_left(timeout)
        answer = run_command(argv, timeout=left, path=self._tool_path or TOOL_PATH, started=self.tool_started.set)
        return heard(answer, timeout, left)

    def dm(self, query: DmQuery) -> str | Unavailable:
        """Asks device-mapper by ioctl in a child: a wedged suspend may hold the kernel's locks."""
        what = f"dmsetup {query}"
        if not os.path.exists("/sys/class/misc/device-mapper"):
            return Unavailable(reason=Reason.ABSENT, what=what, detail="no device-mapper in this kernel")
        outcome = self._store_job("device_mapper", str(query))
        if not outcome.finished:
            return gave_up(outcome, what)
        item = outcome.items[0]
        if len(item) == 1:
            return str(item[0])
        return unavailable(item[0], what)

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """Asks tgtd on its management socket; before 1.0.58 that socket was elsewhere, and tgtadm knows where."""
        from sctune.host.tgtsocket import ask, tgtadm_argv

        left = self._time_left(_TGT_TIMEOUT)
        answer = heard(ask(mode, control_port=control_port, tid=tid, timeout=left), _TGT_TIMEOUT, left)
        if not isinstance(answer, Unavailable) or answer.reason is not Reason.ABSENT:
            return answer
        sockets = self.read("/proc/net/unix")
        if not isinstance(sockets, str) or "tgtd.ipc_abstract_namespace" not in sockets:
            return answer
        completed = self.run(tgtadm_argv(mode, control_port, tid), timeout=_TGT_TIMEOUT)
        if isinstance(completed, Unavailable):
            return completed
        # tgtadm says 0 when a dying daemon closes the socket; only stderr tells.
        if completed.status or completed.stderr:
            first = completed.stderr.strip().splitlines()[:1]
            return Unavailable(reason=Reason.FAILED, what=" ".join(completed.argv), detail="".join(first))
        return completed.stdout

    def kernel_log(self) -> str | Unavailable:
        """Reads /dev/kmsg, which never blocks: what was logged until now, and no more."""
        from sctune.host.kmsg import read_all

        try:
            return read_all()
        except OSError as error:
            return unavailable(error.errno, "/dev/kmsg")

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Searches a log in a child, which ends its search by itself when its time is up. After a hang, what lies in the same
        folder is not touched again."""
        folder = os.path.dirname(path)
        if folder in self._hung_folders:
            return Unavailable(reason=Reason.TIMEOUT, what=path, detail="its folder does not answer")
        left = self._time_left(_LOG_SECONDS)
        outcome = self._nursery.run(
            "search_log",
            path,
            (query.words, query.pattern, query.since),
            self._clock.now,
            left,
            stall=left + _LOG_GRACE,
            deadline=time.monotonic() + left + _LOG_GRACE,
        )
        if not outcome.finished:
            if outcome.error is None:
                self._hung_folders.add(folder)
            return gave_up(outcome, path)
        head, *lines = outcome.items
        if len(head) == 1:
            return unavailable(head[0], path)
        return LogLines(
            lines=tuple(
                LogLine(first=first, last=last, count=count, text=text.decode("utf-8", "surrogateescape"), continued=continued)
                for first, last, count, text, continued in lines
            ),
            begins=head[0],
            whole=head[1],
            size=head[2],
            zone=head[3],
        )

    def _deadline(self, patience: float) -> float:
        """When to give up what may take `patience` seconds: never after the end of the whole look."""
        return min(time.monotonic() + patience, self._until)

    def _time_left(self, patience: float) -> float:
        """How long a question that may take `patience` seconds can be waited for."""
        return max(0.1, min(patience, self._until - time.monotonic()))

    def _store_job(self, job: str, argument: str) -> Outcome:
        return self._nursery.run(job, argument, stall=STALL, deadline=self._deadline(_STORE_BUDGET))


def file_stat(fields: tuple[Any, ...]) -> FileStat:
    """A FileStat from a job's plain fields."""
    return FileStat(
        kind=FileKind(fields[0]),
        size=fields[1],
        allocated=fields[2],
        device=fields[3],
        inode=fields[4],
        mtime=fields[5],
        mode=fields[6],
        uid=fields[7],
        rdevice=fields[8],
    )
