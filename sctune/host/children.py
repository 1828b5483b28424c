"""Disposable children: whatever may block in the kernel is done by a process that can be lost.

stat(2) on a dead network mount, a device-mapper ioctl under a wedged suspend or /proc/PID/cmdline of a stuck process hang
their caller, and a hung thread would hang our exit. So a small *nursery* process is forked before any thread exists; it
forks a worker for each job and kills it on request. A worker that survives SIGKILL is in uninterruptible sleep: it is
abandoned, and its pid is told.

Jobs are the functions of `sctune.host.jobs`: they yield plain tuples, which arrive one by one, so that when a job stalls it
is known on which item.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import marshal
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LENGTH = struct.Struct("=I")
_REPLY = struct.Struct("=q")
_ANEW = "import sys; sys.path.insert(0, sys.argv[1]); from sctune.host.children import begin; begin(int(sys.argv[2]))"
_KILL_GRACE = 0.3
"""Seconds between SIGKILL and the verdict that a worker is in uninterruptible sleep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a job sent before it ended or its deadline passed. `finished`: it sent all it had. `error` is the text of an
    exception in the job. `abandoned` is the pid of a worker that could not be killed, `seconds` how long a job that was
    given up was waited for. `stalled`: nothing came from it for too long, and it was not the deadline that ended
    it (told by `Residents`)."""

    items: tuple[tuple[Any, ...], ...]
    finished: bool
    error: str | None = None
    abandoned: int | None = None
    seconds: float = 0.0
    stalled: bool = False


class Nursery:
    """Forks workers on request. Make it before the first thread; close it in the end. `apart`: in an interpreter of its own, which
    takes as long to start as Python does; for who stays. What this process has loaded would else lie in memory again for the
    nursery and its workers: 9 MB each where this one is the exporter, and 4 so."""

    def __init__(self, *, apart: bool = False) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._control = ours
        self.stuck: set[int] = set()
        """Processes that hung who read their arguments."""
        self._watch = threading.Lock()
        self._ended = False
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            if apart:
                _begin_anew(theirs)
            _nursery_main(theirs)
        theirs.close()

    def close(self) -> None:
        """Ends the nursery and every worker that can be ended."""
        with self._watch:
            self._control.close()
            if not self._ended:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self._pid, 0)
                self._ended = True

    @property
    def alive(self) -> bool:
        """Whether the nursery still runs. Once it has ended (the OOM killer, say) no job is done any more, and nothing brings it
        back: a process with threads must not fork a new one."""
        with self._watch:
            if not self._ended:
                try:
                    self._ended = os.waitpid(self._pid, os.WNOHANG)[0] != 0
                except ChildProcessError:
                    self._ended = True
            return not self._ended

    def run(self, job: str, *arguments: Any, stall: float, deadline: float, first: float | None = None) -> Outcome:
        """Runs a job. It is given up when `stall` seconds pass without an item (`first` before the first one, for a job that has
        to load something), or at `deadline` (time.monotonic())."""
        began = time.monotonic()
        receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with receiver:
            with sender:
                pid = self._ask(b"R" + marshal.dumps((job, arguments)), sender.fileno())
            if pid < 0:
                return Outcome(items=(), finished=False, error=f"could not fork: {os.strerror(-pid)}")
            data, complete = _receive(receiver, stall=stall, first=first or stall, deadline=deadline)
        items, error, finished = _decode(data)
        if complete:
            return Outcome(items=items, finished=finished, error=error)
        seconds = time.monotonic() - began
        survivor = self.kill(pid)
        return Outcome(items=items, finished=False, error=error, abandoned=survivor or None, seconds=seconds)

    def serve(self) -> tuple[int, socket.socket] | None:
        """A worker that stays and does one job after another, asked on the socket: its pid, and the socket. None where it could not
        be had."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            pid = self._ask(b"S", theirs.fileno())
        if pid < 0:
            ours.close()
            return None
        return pid, ours

    def kill(self, pid: int) -> int:
        """Ends a worker: 0 when it is gone, its pid where it does not go. 0 too where the nursery has ended, and nobody can
        tell."""
        return max(0, self._ask(b"K" + _REPLY.pack(pid)))

    def _ask(self, message: bytes, descriptor: int | None = None) -> int:
        """One request to the nursery; it answers with a number."""
        with self._lock:
            extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))] if descriptor is not None else []
            try:
                self._control.sendmsg([struct.pack("=Q", len(message))], extra)
                self._send_all(message)
                return int(_REPLY.unpack(self._control.recv(_REPLY.size))[0])
            except (OSError, struct.error):
                return -5  # EIO: the nursery is gone

    def _send_all(self, message: bytes) -> None:
        # A sequenced packet has a bounded size, and ten thousand paths are more than that.
        for start in range(0, len(message), 65536):
            self._control.send(message[start : start + 65536])


def still_there(pids: set[int]) -> list[int]:
    """Those that have not ended, of which only their parent may not know yet; the others are taken out."""
    pids.difference_update([pid for pid in pids if is_gone(pid)])
    return sorted(pids)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has."""
    with contextlib.suppress(OSError):
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, 4096).rpartition(b")")[2].split()[:1] == [b"Z"]
        finally:
            os.close(descriptor)
    return True


def _receive(receiver: socket.socket, *, stall: float, first: float, deadline: float) -> tuple[bytes, bool]:
    """All bytes until the worker closed its end, or until it stalled (False)."""
    chunks: list[bytes] = []
    waiter = select.poll()
    waiter.register(receiver, select.POLLIN)
    while True:
        patience = min(stall if chunks else first, deadline - time.monotonic())
        if patience <= 0 or not waiter.poll(patience * 1000):
            return b"".join(chunks), False
        chunk = receiver.recv(1 << 20)
        if not chunk:
            return b"".join(chunks), True
        chunks.append(chunk)


def _decode(data: bytes) -> tuple[tuple[tuple[Any, ...], ...], str | None, bool]:
    """Items, an error, and whether the end mark was there. A torn last item is dropped."""
    items: list[tuple[Any, ...]] = []
    position = 0
    while position + 4 <= len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += 4
        if position + length > len(data):
            break
        item = marshal.loads(data[position : position + length])  # noqa: S302 -- from our own child
        position += length
        if item is None:
            return tuple(items), None, True
        if isinstance(item, str):
            return tuple(items), item, False
        items.append(item)
    return tuple(items), None, False


def _begin_anew(control: socket.socket) -> None:
    """Becomes an interpreter that has loaded this module and the jobs alone; does nothing where that cannot be had."""
    if not sys.executable or not os.path.isfile(__file__):
        return
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # As the names of files are read and written here, whatever the environment says.
    options = ("-I", "-S", "-B", "-X", f"utf8={sys.flags.utf8_mode}")
    control.set_inheritable(True)
    with contextlib.suppress(OSError):
        os.execv(sys.executable, [sys.executable, *options, "-c", _ANEW, folder, str(control.fileno())])  # noqa: S606
    control.set_inheritable(False)


def begin(descriptor: int) -> None:
    """The nursery in an interpreter of its own. What its workers need is loaded once for all."""
    import gc

    from sctune.host import dmioctl, jobs, proc, redact  # noqa: F401

    gc.freeze()
    os.set_inheritable(descriptor, False)
    _nursery_main(socket.socket(fileno=descriptor))


def _nursery_main(control: socket.socket) -> None:
    """The nursery: reads requests, forks and kills. Never returns. It touches nothing that can block."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the whole group; the parent decides what it means
    _let_go(control.fileno())
    workers: set[int] = set()
    life = os.pipe()
    try:
        while True:
            header, ancillary, _, _ = control.recvmsg(8, socket.CMSG_SPACE(4))
            if not header:
                break
            (length,) = struct.unpack("=Q", header)
            message = b""
            while len(message) < length:
                message += control.recv(65536)
            descriptors = [fd for _, _, raw in ancillary for fd in array.array("i", raw[:4])]
            if message[:1] == b"K":
                reply = _kill(message[1:], workers)
            else:
                reply = _start(message[1:] if message[:1] == b"R" else None, descriptors[0], control, workers, life)
            for descriptor in descriptors:
                os.close(descriptor)
            _reap(workers)
            control.send(_REPLY.pack(reply))
    finally:
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _let_go(kept: int) -> None:
    """Closes every descriptor that was inherited, but one. A worker that cannot be killed lives on after us: with our standard
    output still in its hands, `sctune doctor | less` or a cron job would wait for its end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    with contextlib.suppress(OSError, ValueError):
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != kept:
                with contextlib.suppress(OSError):
                    os.close(int(name))


def _start(message: bytes | None, descriptor: int, control: socket.socket, workers: set[int], life: tuple[int, int]) -> int:
    try:
        pid = os.fork()
    except OSError as error:
        return -(error.errno or 11)
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        control.close()
        _end_with(*life)
        if message is None:
            _serving_main(descriptor)
        _worker_main(message, descriptor)
    workers.add(pid)
    return pid


def _end_with(reading: int, writing: int) -> None:
    """Ends this worker when the nursery has ended, even if that was killed and the worker hangs: nobody would be left to end it.
    `reading` and `writing` are the ends of a pipe that only the nursery keeps open for writing; that it closes is a signal to its
    reader (fcntl(2), O_ASYNC), which has to be one of its own: who gets the signal belongs to the open file, which forks share."""
    os.close(writing)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # no /proc
        own = os.open(f"/proc/self/fd/{reading}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(own, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
        with contextlib.suppress(BlockingIOError):
            os.read(own, 1)
            os._exit(0)  # it ended while this was begun
    os.close(reading)


def _worker_main(message: bytes, descriptor: int) -> NoReturn:
    """A worker: runs one job, sends what it yields, and ends."""
    from sctune.host import jobs

    output = socket.socket(fileno=descriptor)
    try:
        name, arguments = marshal.loads(message)  # noqa: S302 -- from our own parent
        job: Callable[..., Iterator[tuple[Any, ...]]] = jobs.JOBS[name]
        try:
            for item in job(*arguments):
                _send(output, item)
            _send(output, None)
        except Exception as error:
            _send(output, f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _serving_main(descriptor: int) -> NoReturn:
    """A worker that stays: one job after another, until nobody asks any more."""
    from sctune.host import jobs

    connection = socket.socket(fileno=descriptor)
    try:
        with connection.makefile("rb") as questions:
            while header := questions.read(_LENGTH.size):
                name, arguments = marshal.loads(questions.read(*_LENGTH.unpack(header)))  # noqa: S302 -- from our own parent
                try:
                    waiting = b""
                    for item in jobs.JOBS[name](*arguments):
                        waiting += _packed(item)
                        # A process goes with the word which the next one is: each that is sent wakes up who waits.
                        if name != "processes" or len(item) == 1:
                            connection.sendall(waiting)
                            waiting = b""
                    connection.sendall(waiting + _packed(None))
                except Exception as error:
                    _send(connection, f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _send(output: socket.socket, item: Any) -> None:
    output.sendall(_packed(item))


def _packed(item: Any) -> bytes:
    data = marshal.dumps(item)
    return _LENGTH.pack(len(data)) + data


def _kill(message: bytes, workers: set[int]) -> int:
    """Kills a worker; 0 when it is gone, its pid when it does not go."""
    (pid,) = _REPLY.unpack(message)
    if pid not in workers:
        return 0
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + _KILL_GRACE
    while time.monotonic() < end:
        _reap(workers)
        if pid not in workers:
            return 0
        time.sleep(0.005)
    return int(pid)


def _reap(workers: set[int]) -> None:
    for pid in list(workers):
        try:
            done, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            done = pid
        if done:
            workers.discard(pid)
