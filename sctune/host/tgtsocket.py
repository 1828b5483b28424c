"""tgtd's management socket: what `tgtadm --op show` asks, asked without starting a process.

The protocol is undocumented. Its source is tgt's usr/tgtadm.h, usr/mgmt.c and usr/tgtadm.c: one request a connection, a
header of 120 bytes in the host's byte order, a reply of two words (error, length with these eight bytes) and text that
ends in NUL. Modes and operations have had their numbers since 1.0.30, the socket its path since 1.0.58 (2015); older daemons
listen in the abstract namespace, and only their own tgtadm knows how to ask them.

A wrong request is dangerous (binding an account without parameters makes tgtd 1.0.85 crash), so requests are not built but
chosen: `_MODES` is all there is, each with the one operation that reads it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import NamedTuple

from sctune.host.base import TgtMode
from sctune.unavailable import Reason, Unavailable

SOCKET_FOLDER = "/var/run/tgtd"
"""Where daemons put `socket.N`, N being their control port."""

REFUSED = "connection refused: the daemon that made this socket is gone"
"""The detail of a stale socket: its daemon died without removing it."""

_REQUEST = struct.Struct("=ii64sIiQQIIIIII")
_REPLY = struct.Struct("=II")
_PEER = struct.Struct("=iII")
_SHOW, _STATS = 2, 6
_NO_LUN = 2**64 - 1
_LARGEST_REPLY = 256 * 1024 * 1024
_RETRY = 0.02


_ALL_TARGETS = -1


class _Mode(NamedTuple):
    number: int
    of_target: bool  # whether it can be asked of one target
    words: tuple[str, str]  # how tgtadm calls operation and mode
    operation: int = _SHOW


_MODES = {
    TgtMode.SYSTEM: _Mode(0, False, ("show", "sys")),
    TgtMode.TARGET: _Mode(1, True, ("show", "target")),
    TgtMode.PORTAL: _Mode(3, False, ("show", "portal")),
    TgtMode.CONNECTION: _Mode(6, True, ("show", "conn")),
    TgtMode.ACCOUNT: _Mode(7, False, ("show", "account")),
    TgtMode.STATISTICS: _Mode(0, False, ("stat", "sys"), _STATS),
}

# usr/tgtadm_error.h and the words of usr/tgtadm.c, those that a question can meet.
_ERRORS = {
    1: "unknown error",
    2: "out of memory",
    3: "can't find the driver",
    4: "can't find the target",
    5: "can't find the logical unit",
    6: "can't find the session",
    7: "can't find the connection",
    17: "invalid request",
    22: "this operation isn't supported",
}


class _Closed(Exception):
    """The daemon closed the connection before its reply was whole."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


def ask(mode: TgtMode, *, control_port: int, tid: int | None, timeout: float, folder: str = SOCKET_FOLDER) -> str | Unavailable:
    """The daemon's text, as tgtadm would print it. `timeout` in seconds is for the whole exchange.

    Absent: no socket. Denied: we are not the user and group the daemon runs as. Timeout: it listens and does not answer.
    Failed: nobody listens any more, or it answered with an error. Malformed: the reply is not what tgtd sends.
    """
    path = f"{folder}/socket.{control_port}"
    deadline = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            _connect(connection, path, deadline)
            _, uid, gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
            if (uid, gid) != (os.geteuid(), os.getegid()):
                # tgtd would hang up on us and write "permission error" to its log.
                return Unavailable(reason=Reason.DENIED, what=path, detail=f"tgtd answers uid {uid} with gid {gid} only")
            connection.settimeout(_left(deadline))
            connection.sendall(_request(mode, tid))
            error, length = _REPLY.unpack(_receive(connection, _REPLY.size, deadline))
            if length < _REPLY.size or length > _LARGEST_REPLY:
                return Unavailable(reason=Reason.MALFORMED, what=path, detail=f"a reply of {length} bytes")
            if error:
                return Unavailable(reason=Reason.FAILED, what=path, detail=_ERRORS.get(error, f"error {error}"))
            body = _receive(connection, length - _REPLY.size, deadline)
    except TimeoutError:
        return Unavailable(reason=Reason.TIMEOUT, what=path, detail=f"connected, no answer in {timeout:g} s")
    except BlockingIOError:
        detail = f"not accepted in {timeout:g} s: 32 others are waiting too"
        return Unavailable(reason=Reason.TIMEOUT, what=path, detail=detail)
    except _Closed as closed:
        detail = f"closed the connection after {closed.received} bytes"
        return Unavailable(reason=Reason.MALFORMED if closed.received else Reason.FAILED, what=path, detail=detail)
    except OSError as failure:
        return _refused(failure, path)
    return body.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def tgtadm_argv(mode: TgtMode, control_port: int, tid: int | None) -> tuple[str, ...]:
    """The command that asks the same."""
    port = ("-C", str(control_port)) if control_port else ()
    target = ("--tid", str(tid)) if tid is not None and _MODES[mode].of_target else ()
    operation, word = _MODES[mode].words
    return ("tgtadm", *port, "--lld", "iscsi", "--op", operation, "--mode", word, *target)


def _request(mode: TgtMode, tid: int | None) -> bytes:
    chosen = _MODES[mode]
    number = tid if tid is not None and chosen.of_target else _ALL_TARGETS
    return _REQUEST.pack(chosen.number, chosen.operation, b"iscsi", _REQUEST.size, number, 0, _NO_LUN, 0, 0, 0, 0, 0, 0)


def _connect(connection: socket.socket, path: str, deadline: float) -> None:
    """Connects. A full queue is EAGAIN at once on a socket that does not block: a busy daemon gets until the deadline."""
    connection.setblocking(False)
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() + _RETRY >= deadline:
                raise
            time.sleep(_RETRY)


def _receive(connection: socket.socket, size: int, deadline: float) -> bytes:
    """Exactly `size` bytes."""
    parts = bytearray()
    while len(parts) < size:
        connection.settimeout(_left(deadline))
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise _Closed(len(parts))
        parts += part
    return bytes(parts)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _refused(error: OSError, path: str) -> Unavailable:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Unavailable(reason=Reason.ABSENT, what=path, detail=os.strerror(error.errno or 0))
    if isinstance(error, PermissionError):
        return Unavailable(reason=Reason.DENIED, what=path, detail=os.strerror(error.errno or 0))
    if isinstance(error, ConnectionRefusedError):
        return Unavailable(reason=Reason.FAILED, what=path, detail=REFUSED)
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        # Our user and group are the daemon's, so this is no refusal: it went away.
        return Unavailable(reason=Reason.FAILED, what=path, detail="tgtd closed the connection before it answered")
    return Unavailable(reason=Reason.FAILED, what=path, detail=error.strerror or str(error))
