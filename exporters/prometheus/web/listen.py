"""Where to listen: addresses as they are written, and sockets bound to them.

127.0.0.1:10197   [::1]:10197   [::]:10197   :10197 (every address)   /run/sctune/web.sock
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import stat
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

PORT = 10197
"""Ours by default. Not checked against the list of Prometheus' default port allocations, whose own range (9100 to 9999) was used up
by 2023; below the ports that Linux gives to outgoing connections, and not one of Kubernetes' (10248 to 10259)."""
DEFAULT = f"127.0.0.1:{PORT}"
BACKLOG = 1024
_HINT = "write it as ADDRESS:PORT, [ADDRESS]:PORT, :PORT or /PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen: an address and a port, or a path. `host` "" is every address of the machine."""

    host: str = ""
    port: int = 0
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str) -> Address:
    """An address as it is written. Raises UserError."""
    if text.startswith("/"):
        if len(os.fsencode(text)) > 107 or "\0" in text:
            raise UserError(f"--listen {text}: the path of a socket has at most 107 bytes", "choose a shorter one")
        return Address(path=text)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UserError(f"--listen {text}: not an address to listen on", _HINT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        good = ":" in host
    else:
        good = ":" not in host
    if host and host != "localhost":
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            good = False
    if not good:
        raise UserError(f"--listen {text}: {host or text} is not an IP address", _HINT)
    return Address(host=host, port=int(port))


def listen(addresses: Iterable[Address]) -> list[socket.socket]:
    """Bound and listening sockets, all or none. Raises UserError for one that cannot be had."""
    bound: list[socket.socket] = []
    try:
        for address in addresses:
            bound.append(listen_at(address.path) if address.path is not None else _listen_on(address))
    except BaseException:
        for one in bound:
            one.close()
        raise
    return bound


def listen_at(path: str, *, mode: int = 0o660, gid: int | None = None) -> socket.socket:
    """A socket at a path that may be connected to by `mode` and group. One that a dead process left there is replaced. Raises
    UserError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path)
        # Nobody may connect before mode and group are what they should be.
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        if gid is not None:
            os.chown(path, -1, gid)
        os.chmod(path, mode)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(f"{path}: cannot listen there: {error.strerror or error}", "its folder has to exist and be ours") from None
    return listener


def exposed(listeners: Iterable[socket.socket]) -> tuple[str, ...]:
    """The addresses that others than this machine can reach, as they are bound."""
    found = []
    for listener in listeners:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            host, port = listener.getsockname()[:2]
            if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
                found.append(str(Address(host=host, port=port)))
    return tuple(found)


def written(listener: socket.socket) -> str:
    """Where a socket listens, in words."""
    if listener.family in (socket.AF_INET, socket.AF_INET6):
        host, port = listener.getsockname()[:2]
        return str(Address(host=host, port=port))
    name = listener.getsockname()
    return name if isinstance(name, str) and name else "a socket without a name"


def _listen_on(address: Address) -> socket.socket:
    host = "127.0.0.1" if address.host == "localhost" else address.host
    dual = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual or ":" in host else socket.AF_INET
    listener = None
    try:
        resolved = socket.getaddrinfo(
            host or None, address.port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE | socket.AI_NUMERICHOST
        )
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::]:PORT is IPv6 alone, so that 0.0.0.0:PORT can stand beside it; :PORT is both.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        listener.bind(resolved[0][4])
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        hint = "choose another with --listen" if error.errno else ""
        raise UserError(f"cannot listen on {address}: {(error.strerror or str(error)).lower()}", hint) from None
    return listener


def _remove_dead(path: str) -> None:
    """Removes a socket on which nobody listens. Anything else at the path stays, and binding will fail."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
            trial.setblocking(False)
            try:
                trial.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
            except BlockingIOError:
                pass  # somebody listens and is busy
