"""Runs inside the test machine, as process 1 or as a service: takes shell commands over a virtio port and answers what they did.

Standard library only and few modules of it: emulated Python starts slowly. A request is one line of JSON, ``{"command": str,
"deadline": seconds}``; so is the answer, ``{"status": int | null, "stdout": base64, "stderr": base64}``, where a null status says
that the deadline passed and the process group was killed. Output goes to memory files, not pipes: a daemon that keeps its starter's
output open then holds nothing up.
"""

import binascii
import contextlib
import json
import os
import select
import signal
import time
from pathlib import Path

PORT_NAME = "sctune.agent"
SHELL = "/bin/sh"
# The end of process 1 is a panic, and that the end of QEMU; as a service of systemd the agent takes the machine down as well.
GONE = "the harness is gone"
GONE_SECONDS = 5.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}


def find_port() -> str:
    """The device node of the port that the harness named."""
    for _ in range(200):
        for entry in Path("/sys/class/virtio-ports").glob("*/name"):
            if entry.read_text().strip() == PORT_NAME:
                return f"/dev/{entry.parent.name}"
        time.sleep(0.05)
    raise SystemExit(f"no virtio port is named {PORT_NAME}")


def reap(statuses: dict[int, int]) -> None:
    """Collect every dead child: the first process is the parent of all orphans, and a zombie would look like a live daemon."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        statuses[pid] = os.waitstatus_to_exitcode(status)


def drain(wakeup: int) -> None:
    """Take what signals wrote. Nothing may be left to take: a wait in between took it."""
    with contextlib.suppress(BlockingIOError):
        os.read(wakeup, 4096)


def start(command: str, out: int, err: int) -> int:
    """Start *command* in a session of its own, so that its process group can be killed as one."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)]
        return os.posix_spawn(SHELL, [SHELL, "-c", command], ENVIRONMENT, file_actions=actions, setsid=True, setsigdef=range(1, 32))
    finally:
        os.close(nothing)


def wait(pid: int, deadline: float, wakeup: int) -> int | None:
    """The exit status of *pid* (negative: the signal that ended it), or None once *deadline* has passed and it was killed."""
    statuses: dict[int, int] = {}
    end = time.monotonic() + deadline
    killed = False
    while True:
        reap(statuses)
        if pid in statuses:
            return None if killed else statuses[pid]
        left = end - time.monotonic()
        if left <= 0:
            if killed:
                return None  # in uninterruptible sleep: it stays behind, and is reaped should it ever end
            killed, end = True, time.monotonic() + 2.0
            os.killpg(pid, signal.SIGKILL)
            continue
        if select.select([wakeup], [], [], left)[0]:
            drain(wakeup)


def contents(memory: int) -> str:
    """All that was written to a memory file, in base64."""
    data = os.pread(memory, os.fstat(memory).st_size, 0)
    os.close(memory)
    return binascii.b2a_base64(data, newline=False).decode()


def send(port: int, data: bytes) -> None:
    """Write all of *data*, unless nobody holds the other end: the write would sleep for ever, and the machine never end."""
    poll = select.poll()
    poll.register(port, select.POLLOUT)
    end = time.monotonic() + GONE_SECONDS  # right after the start the kernel may not know yet that somebody does
    while data:
        if any(events & select.POLLHUP for _, events in poll.poll()):
            if time.monotonic() > end:
                raise SystemExit(GONE)
            time.sleep(0.1)
        else:
            data = data[os.write(port, data) :]


def serve(port: int, wakeup: int) -> None:
    """Answer requests for ever; orphans are reaped also while there is nothing to do."""
    pending = b""
    poll = select.poll()
    poll.register(port, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready == wakeup:
                drain(wakeup)
                reap({})
                continue
            chunk = os.read(port, 65536)
            if not chunk:
                raise SystemExit(GONE)
            pending += chunk
            while b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                request = json.loads(line)
                out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
                status = wait(start(request["command"], out, err), request["deadline"], wakeup)
                send(port, json.dumps({"status": status, "stdout": contents(out), "stderr": contents(err)}).encode() + b"\n")


def main() -> None:
    """Open the port, say hello, serve."""
    port = os.open(find_port(), os.O_RDWR | os.O_CLOEXEC)
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    send(port, b"{}\n")
    serve(port, reading)


if __name__ == "__main__":
    main()
