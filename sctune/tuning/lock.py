"""One at a time: who changes this machine holds a lock, which goes with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/run/sctune.lock"


@contextmanager
def locked(path: str = PATH) -> Iterator[None]:
    """Holds the lock. Raises Refused at once where another process has it, and names that process. The file stays: removing it
    would let two processes lock two files of that name."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        words = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise Refused(f"cannot lock {path}: {words}", "Run it as root.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            named = f" (pid {holder})" if holder.isdecimal() else ""
            raise Refused(f"another sctune{named} is changing this machine", "Wait until it is done.") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
