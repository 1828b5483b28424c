"""TCP sockets that listen, from /proc/net/tcp and tcp6 (proc(5); Linux net/ipv4/tcp_ipv4.c, get_tcp4_sock)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sctune.model.system import Listener
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_LISTEN = "0A"


def probe(host: Host) -> tuple[Listener, ...] | Unavailable:
    """All of them. A kernel without IPv6 has no tcp6."""
    found: list[Listener] = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        text = host.read(path)
        if isinstance(text, Unavailable):
            if path.endswith("6") and text.reason is Reason.ABSENT:
                continue
            return text
        found += parse(text)
    return tuple(found)


def parse(text: str) -> list[Listener]:
    """`  0: 0100007F:0CBC 00000000:0000 0A …`: the local address in the byte order of the machine, four bytes at a time. A line
    that is none is passed over."""
    found = []
    for line in text.split("\n"):
        fields = line.split(None, 4)
        if len(fields) < 4 or fields[3] != _LISTEN:
            continue
        digits, _, port = fields[1].partition(":")
        try:
            number = int(port, 16)
            address = _address(bytes.fromhex(digits))
        except ValueError:
            continue
        if address and number < 1 << 16:
            found.append(Listener(address=address, port=number))
    return found


def _address(raw: bytes) -> str:
    from ipaddress import ip_address

    if len(raw) not in (4, 16):
        return ""
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return str(ip_address(raw))
