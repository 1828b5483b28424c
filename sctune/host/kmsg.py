"""The kernel's log by /dev/kmsg (Linux 3.5; Documentation/ABI/testing/dev-kmsg): no process, nothing that blocks.

Each read(2) gives one record, `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT` and lines ` KEY=VALUE`. It needs CAP_SYSLOG where
kernel.dmesg_restrict is 1.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections import deque

LIMIT = 4 * 1024 * 1024
_RECORD = 16384  # the kernel refuses a buffer that a record does not fit into; they have at most 8 KiB
_SECONDS = 1.0
"""A host that logs faster than it can be read must not keep us."""
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def read_all() -> str:
    """`[    1.234567] text` lines, the last 4 MiB of them. Raises OSError."""
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> str:
    kept: deque[bytes] = deque()
    size = 0
    until = time.monotonic() + _SECONDS
    while True:
        try:
            record = os.read(descriptor, _RECORD)
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno != errno.EPIPE or time.monotonic() > until:
                raise
            continue  # what was next is overwritten: the next read begins with the oldest that is left
        line = dmesg_line(record)
        if line is not None:
            kept.append(line)
            size += len(line)
            while size > LIMIT:
                size -= len(kept.popleft())
        if not record or (len(kept) % 1024 == 0 and time.monotonic() > until):
            break
    return b"".join(kept).decode("utf-8", "surrogateescape")


def dmesg_line(record: bytes) -> bytes | None:
    """A record in dmesg's form; None for one that is no kernel's: programs (systemd, for one) may write there as well."""
    head, semicolon, rest = record.partition(b";")
    fields = head.split(b",")
    if not semicolon or len(fields) < 3 or not fields[0].isdigit() or not fields[2].isdigit() or int(fields[0]) >= 8:
        return None
    text = rest.partition(b"\n")[0]
    if b"\\x" in text:
        text = _ESCAPED.sub(_unescaped, text)
    # Several lines in one record: dmesg puts the others below the first, without a time.
    text = text.replace(rb"\x0a", b"\n" + b" " * 15)
    seconds, micros = divmod(int(fields[2]), 1_000_000)
    return b"[%5d.%06d] %s\n" % (seconds, micros, text)


def _unescaped(found: re.Match[bytes]) -> bytes:
    """The byte itself, but for those that would break the line or a terminal."""
    code = int(found[1], 16)
    return found[0] if code < 32 or code == 127 else bytes((code,))
