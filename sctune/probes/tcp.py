"""TCP sockets, from /proc/net/tcp and tcp6 (proc(5); Linux net/ipv4/tcp_ipv4.c, get_tcp4_sock)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sctune.model.system import Listener, TcpConnection, TcpSockets
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_LISTEN = 10
_NOBODY = (6, 7, _LISTEN)
"""TIME_WAIT and CLOSE: nobody of this host has them open any more."""


def probe(host: Host) -> TcpSockets | Unavailable:
    """All of them. A kernel without IPv6 has no tcp6."""
    listeners: list[Listener] = []
    connections: list[TcpConnection] = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        text = host.read(path)
        if isinstance(text, Unavailable):
            if path.endswith("6") and text.reason is Reason.ABSENT:
                continue
            return text
        sockets = parse(text)
        listeners += sockets.listeners
        connections += sockets.connections
    return TcpSockets(listeners=tuple(listeners), connections=tuple(connections))


def parse(text: str) -> TcpSockets:
    """`  0: 0100007F:0CBC 0100007F:9C40 01 TX:RX TIMER:WHEN RETRANSMITS UID PROBES …`: addresses in the byte order of the machine,
    four bytes at a time, numbers in hexadecimal but for uid and probes. A line that is none is passed over."""
    listeners: list[Listener] = []
    connections: list[TcpConnection] = []
    for line in text.split("\n"):
        fields = line.split(None, 9)
        if len(fields) < 9:
            continue
        try:
            state = int(fields[3], 16)
            address, port = _end(fields[1])
            if state == _LISTEN:
                listeners.append(Listener(address=address, port=port))
            elif state not in _NOBODY:
                peer, peer_port = _end(fields[2])
                connections.append(
                    TcpConnection(
                        address=address,
                        port=port,
                        peer=peer,
                        peer_port=peer_port,
                        state=state,
                        retransmits=int(fields[6], 16),
                        probes=int(fields[8]),
                    )
                )
        except ValueError:
            continue
    return TcpSockets(listeners=tuple(listeners), connections=tuple(connections))


def _end(text: str) -> tuple[str, int]:
    """`0100007F:0CBC`. ValueError for anything else."""
    from ipaddress import IPv6Address, ip_address

    digits, _, port = text.partition(":")
    number = int(port, 16)
    raw = bytes.fromhex(digits)
    if len(raw) not in (4, 16) or not 0 <= number < 1 << 16:
        raise ValueError(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    address = ip_address(raw)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), number
