"""Runs other programs: one environment, no input, a deadline that ends the whole process group, stdout and stderr apart."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from sctune.host.base import Completed
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOL_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
OUTPUT_LIMIT = 256 * 1024 * 1024
_KILL_GRACE = 0.5


def environment(path: str) -> dict[str, str]:
    """The environment of every tool: its words and numbers do not follow the operator's locale, LVM stays off the system log
    and does not complain about descriptors that a caller left open (lvm(8))."""
    return {"PATH": path, "LC_ALL": "C.UTF-8", "LVM_SUPPRESS_FD_WARNINGS": "1", "LVM_SUPPRESS_SYSLOG": "1", "SYSTEMD_PAGER": ""}


def run_command(argv: Sequence[str], *, timeout: float, path: str = TOOL_PATH) -> Completed | Unavailable:
    """Runs `argv` to its end or to the deadline. Any exit status is an answer; who asked judges it."""
    what = " ".join(argv)
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(path),
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
    outputs, complete = _gather(process, began + timeout)
    if complete:
        # Both pipes are closed: it is ending, unless it closed them and went on.
        complete = _wait(process, max(0.0, began + timeout - time.monotonic()))
    if complete:
        return Completed(
            argv=tuple(argv),
            status=process.returncode,
            stdout=outputs[0].decode("utf-8", "surrogateescape"),
            stderr=outputs[1].decode("utf-8", "surrogateescape"),
            seconds=time.monotonic() - began,
        )
    too_much = len(outputs[0]) + len(outputs[1]) > OUTPUT_LIMIT
    survivors = _end(process)
    if too_much:
        return Unavailable(reason=Reason.FAILED, what=what, detail="printed more than 256 MiB", pids=survivors)
    return Unavailable(reason=Reason.TIMEOUT, what=what, detail=f"no answer in {timeout:g} s", pids=survivors)


def _gather(process: subprocess.Popen[bytes], deadline: float) -> tuple[tuple[bytes, bytes], bool]:
    """Both outputs until both are closed; False when the deadline or the limit came first."""
    assert process.stdout is not None and process.stderr is not None  # noqa: S101
    chunks: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    order = tuple(chunks)
    total = 0
    complete = True
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            patience = deadline - time.monotonic()
            ready = selector.select(patience) if patience > 0 else []
            if not ready:
                complete = False
                break
            for key, _ in ready:
                try:
                    data = os.read(key.fd, 1 << 20)
                except BlockingIOError:
                    continue
                if not data:
                    selector.unregister(key.fileobj)
                chunks[key.fd].append(data)
                total += len(data)
            if total > OUTPUT_LIMIT:
                complete = False
                break
    result = (b"".join(chunks[order[0]]), b"".join(chunks[order[1]]))
    process.stdout.close()
    process.stderr.close()
    return result, complete


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
