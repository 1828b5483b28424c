"""What systemd hands to a service and wants to hear from it: sockets that are open already, and notifications.

The interface is stable and needs no library: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

from sctune.errors import UserError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIRST = 3
"""The number of the first descriptor that is passed (SD_LISTEN_FDS_START)."""
_MOST = 64


def passed_sockets(environment: MutableMapping[str, str] | None = None, *, first: int = FIRST) -> list[socket.socket]:
    """The listening sockets that were passed to this very process, [] where none were. The variables that tell of them are removed,
    so that no child takes them for its own. Raises UserError for one that is no listening stream socket."""
    environ = os.environ if environment is None else environment
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if not (pid.isdigit() and count.isdigit()) or int(pid) != os.getpid():
        return []
    if int(count) > _MOST:
        raise UserError(f"LISTEN_FDS={count}: more sockets than anybody listens on", "look at the socket unit")
    found: list[socket.socket] = []
    for index in range(int(count)):
        name = names[index] if index < len(names) and names[index] else f"descriptor {first + index}"
        found.append(_adopted(first + index, name))
    return found


class Notifier:
    """Tells the service manager how we are. Without one, or where it does not listen, nothing is told and nothing fails."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        environ = os.environ if environment is None else environment
        self._address = environ.pop("NOTIFY_SOCKET", "")
        interval, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        ours = not pid or (pid.isdigit() and int(pid) == os.getpid())
        self.every = int(interval) / 2e6 if self._address and ours and interval.isdigit() and int(interval) else None
        """Seconds between two signs of life, None where nobody waits for them: half of what the watchdog allows."""

    def ready(self) -> None:
        """Requests are taken from now on."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends it."""
        self._tell("RELOADING=1")

    def stopping(self) -> None:
        """We end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """A sign of life for the watchdog."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={text}")

    def _tell(self, line: str) -> None:
        if self._address.startswith(("/", "@")):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.setblocking(False)
                notify.sendto(line.encode(), self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address)


def _adopted(descriptor: int, name: str) -> socket.socket:
    hint = "the socket unit has to have ListenStream= and Accept=no"
    try:
        adopted = socket.socket(fileno=descriptor)
    except OSError as error:
        raise UserError(f"{name} was passed by the service manager and is no socket: {error.strerror}", hint) from None
    if adopted.type != socket.SOCK_STREAM or not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        adopted.close()
        raise UserError(f"{name} was passed by the service manager and is no listening stream socket", hint)
    os.set_inheritable(descriptor, False)
    return adopted
