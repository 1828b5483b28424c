"""Attributes of loop devices, read by a child while we are still being loaded.

Reading them takes 15 us each, a storage host has thousands, and the interpreter is busy with imports for longer than that
takes: where there is a second processor, they are here when they are first asked for. Each is used once and while it is
fresh; whatever is asked again, or was not expected, is read then.

This module is loaded before anything else is, and itself loads nothing that the interpreter has not. sysfs does not block, so
nothing here has a deadline; a child that dies leaves nothing but what is read by ourselves then.
"""

from __future__ import annotations

import marshal
import os
import time

BLOCK = "/sys/block"
ATTRIBUTES = (
    "loop/backing_file",
    "loop/offset",
    "size",
    "loop/sizelimit",
    "loop/autoclear",
    "ro",
    "loop/dio",
    "queue/logical_block_size",
    "queue/scheduler",
)
"""What the probes of loop and block devices read of an attached loop device."""
_FRESH = 1.0
"""Seconds."""
_LENGTH = 8


class Ahead:
    """The child and what it has read: first every size, by which idle devices are told from attached ones, then the rest of the
    attached ones'. Not for several threads; close it in the end."""

    def __init__(self) -> None:
        self._known: dict[str, bytes | int] = {}
        self._chapters = 2
        self._until = time.monotonic() + _FRESH
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(reader)
                _child(writer)
            finally:
                os._exit(0)
        os.close(writer)
        self._reader = reader

    def take(self, path: str) -> bytes | int | None:
        """What reading `path` gave: bytes, or an errno. None where it has to be read now."""
        wanted = 1 if path.endswith("/size") else 0
        while self._chapters > wanted:
            self._load()
        answer = self._known.pop(path, None)
        return answer if time.monotonic() < self._until else None

    def _load(self) -> None:
        self._chapters -= 1
        length = int.from_bytes(self._exactly(_LENGTH), "little")
        data = self._exactly(length)
        if data:
            self._known.update(marshal.loads(data))  # noqa: S302 -- from our own child

    def _exactly(self, size: int) -> bytes:
        """So many bytes, or none from a child that died."""
        data = b""
        while len(data) < size:
            more = os.read(self._reader, size - len(data))
            if not more:
                return b""
            data += more
        return data

    def close(self) -> None:
        """Ends the child."""
        if self._pid:
            os.close(self._reader)
            os.kill(self._pid, 9)  # It is our child and not waited for yet, so the pid is its own.
            os.waitpid(self._pid, 0)
            self._pid = self._chapters = 0
            self._known.clear()


def begin() -> Ahead | None:
    """Starts reading, where that can pay: a second processor, and loop devices."""
    try:
        return Ahead() if len(os.sched_getaffinity(0)) > 1 and os.path.isdir(f"{BLOCK}/loop0") else None
    except OSError:
        return None  # no process, no descriptor: then without


def _child(output: int) -> None:
    names = [name for name in os.listdir(BLOCK) if name.startswith("loop")]
    sizes: dict[str, bytes | int] = {}
    for name in names:
        _read(name, ("size",), sizes)
    _send(output, sizes)
    os.nice(5)  # LVM, which waited for the sizes, comes first
    rest: dict[str, bytes | int] = {}
    for name in names:
        idle = sizes[f"{BLOCK}/{name}/size"] == b"0\n"
        _read(name, ATTRIBUTES[:1] if idle else ATTRIBUTES, rest)
    _send(output, rest)


def _send(output: int, answers: dict[str, bytes | int]) -> None:
    data = marshal.dumps(answers)
    data = len(data).to_bytes(_LENGTH, "little") + data
    while data:
        data = data[os.write(output, data) :]


def _read(name: str, attributes: tuple[str, ...], found: dict[str, bytes | int]) -> None:
    """Reads a device's attributes. From its folder on: the way to it costs a fifth of a read."""
    path = f"{BLOCK}/{name}"
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        found.update((f"{path}/{attribute}", error.errno or 5) for attribute in attributes)
        return
    for attribute in attributes:
        try:
            descriptor = os.open(attribute, os.O_RDONLY, dir_fd=folder)
        except OSError as error:
            found[f"{path}/{attribute}"] = error.errno or 5
            continue
        try:
            found[f"{path}/{attribute}"] = os.read(descriptor, 8192)
        except OSError as error:
            found[f"{path}/{attribute}"] = error.errno or 5
        finally:
            os.close(descriptor)
    os.close(folder)
