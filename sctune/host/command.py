"""Runs other programs: one environment, no input unless it is given, a deadline that ends the whole process group, stdout and
stderr apart."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from sctune.host.base import Completed
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TOOL_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
OUTPUT_LIMIT = 256 * 1024 * 1024
_KILL_GRACE = 0.5
_OUTPUT_LOOK = 0.25


_running: set[subprocess.Popen[bytes]] = set()


def end_all() -> None:
    """Kills what still runs: somebody gave up on the look before its answers came."""
    for process in list(_running):
        _end(process)


def environment(path: str) -> dict[str, str]:
    """The environment of every tool: its words and numbers do not follow the operator's locale, LVM stays off the system log
    and does not complain about descriptors that a caller left open (lvm(8))."""
    return {"PATH": path, "LC_ALL": "C.UTF-8", "LVM_SUPPRESS_FD_WARNINGS": "1", "LVM_SUPPRESS_SYSLOG": "1", "SYSTEMD_PAGER": ""}


def run_command(
    argv: Sequence[str],
    *,
    timeout: float,
    path: str = TOOL_PATH,
    started: Callable[[], object] = lambda: None,
    given: bytes = b"",
    variables: Mapping[str, str] | None = None,
    limit: int = OUTPUT_LIMIT,
) -> Completed | Unavailable:
    """Runs `argv` to its end or to the deadline. Any exit status is an answer; who asked judges it. `given` is its standard input,
    `variables` an environment that is not that of tools, `limit` how many bytes it may print."""
    what = " ".join(argv)
    began = time.monotonic()
    # Files in memory, not pipes: LVM writes each line by itself, and a reader that wakes five thousand times takes more of the
    # machine than LVM does.
    outputs = (os.memfd_create("stdout"), os.memfd_create("stderr"))
    source = _file_of(given) if given else subprocess.DEVNULL
    process: subprocess.Popen[bytes] | None = None
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=source,
            stdout=outputs[0],
            stderr=outputs[1],
            env=environment(path) if variables is None else variables,
            cwd="/",
            start_new_session=True,
            # Popen searches the PATH of the environment it passes on, so a tool is found where the tool path says.
        )
    except FileNotFoundError:
        return Unavailable(reason=Reason.ABSENT, what=argv[0], detail="not installed")
    except PermissionError as error:
        return Unavailable(reason=Reason.DENIED, what=what, detail=error.strerror or "")
    except OSError as error:
        return Unavailable(reason=Reason.FAILED, what=what, detail=error.strerror or "")
    finally:
        if given:
            os.close(source)
        if process is None:
            for output in outputs:
                os.close(output)
    started()
    _running.add(process)
    try:
        complete, too_much = _await_end(process, outputs, began + timeout, limit)
    except BaseException:
        _end(process)  # nobody waits for it any more
        raise
    finally:
        _running.discard(process)
    if complete:
        stdout, stderr = (_content(output) for output in outputs)
        return Completed(
            argv=tuple(argv), status=process.returncode, stdout=stdout, stderr=stderr, seconds=time.monotonic() - began
        )
    survivors = _end(process)
    for output in outputs:
        os.close(output)
    if too_much:
        return Unavailable(reason=Reason.FAILED, what=what, detail=f"printed more than {limit // 2**20} MiB", pids=survivors)
    return Unavailable(reason=Reason.TIMEOUT, what=what, detail=f"no answer in {timeout:g} s", pids=survivors)


def _await_end(process: subprocess.Popen[bytes], outputs: tuple[int, int], deadline: float, limit: int) -> tuple[bool, bool]:
    """Waits for the process itself: (it ended, it printed too much). It is looked after four times a second."""
    ended = _end_notice(process)
    try:
        while True:
            patience = min(deadline - time.monotonic(), _OUTPUT_LOOK)
            if patience <= 0:
                return False, False
            if ended is None:
                if _wait(process, patience):
                    return True, False
            elif ended.poll(patience * 1000):
                process.wait()
                return True, False
            if sum(os.fstat(output).st_size for output in outputs) > limit:
                return False, True
    finally:
        if ended is not None:
            ended.close()


class _EndNotice:
    """A poll on the process itself (pidfd_open(2), Linux 5.3): Popen.wait() with a deadline sleeps up to 50 ms too long."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def poll(self, milliseconds: float) -> bool:
        """Whether it ended within that time."""
        return bool(self._poll.poll(milliseconds))

    def close(self) -> None:
        """Lets go of it."""
        os.close(self._descriptor)


def _end_notice(process: subprocess.Popen[bytes]) -> _EndNotice | None:
    try:
        return _EndNotice(os.pidfd_open(process.pid))
    except OSError:
        return None


def _file_of(data: bytes) -> int:
    """A descriptor that reads `data`: a file in memory takes it at once, whoever reads it and when."""
    descriptor = os.memfd_create("stdin")
    with open(os.dup(descriptor), "wb") as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _content(output: int) -> str:
    """All that was written, and closes it."""
    with open(output, "rb") as file:
        file.seek(0)
        return file.read().decode("utf-8", "surrogateescape")


def _wait(process: subprocess.Popen[bytes], patience: float) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> tuple[int, ...]:
    """Kills the whole group. The pid, when it is in uninterruptible sleep and stays."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    if _wait(process, _KILL_GRACE):
        return ()
    # Popen's finaliser would otherwise warn about a child that nobody can reap.
    process.returncode = -errno.EINPROGRESS
    return (process.pid,)
