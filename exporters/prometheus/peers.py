"""Who is at the other end of a Unix socket, and who may be there.

The kernel says it (SO_PEERCRED, unix(7)): the user and group that the peer had when it connected, or when it made the pair.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREDENTIALS = struct.Struct("=iII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A process by its pid, user and group."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Who may ask: these users and whoever has one of these as its own group. Root and our own user always may."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()

    def admits(self, peer: Peer) -> bool:
        """Whether this peer may ask."""
        return peer.uid in self.uids or peer.gid in self.gids or peer.uid in (0, os.geteuid())


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end."""
    pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Peer(pid=pid, uid=uid, gid=gid)


def allowed(users: Iterable[str], groups: Iterable[str]) -> Allowed:
    """Those named, by name or number. Raises UserError for a name that there is none of."""
    return Allowed(uids=frozenset(map(_uid, users)), gids=frozenset(map(gid_of, groups)))


def gid_of(name: str) -> int:
    """A group's number. Raises UserError."""
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise UserError(f"there is no group {name!r}", "systemd-sysusers makes those of the package; or give a number") from None


def _uid(name: str) -> int:
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        raise UserError(f"there is no user {name!r}", "give one that exists, or a number") from None
