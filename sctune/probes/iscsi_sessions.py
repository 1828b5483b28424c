"""Live sessions of open-iscsi's initiator, from /sys/class/iscsi_session and /sys/class/iscsi_connection.

No ABI document describes these folders; open-iscsi reads them itself (usr/iscsi_sysfs.c). Which file is which setting, by
open-iscsi's usr/initiator_common.c, where iscsid hands its settings to the kernel:

- recovery_tmo is node.session.timeo.replacement_timeout (ISCSI_PARAM_SESS_RECOVERY_TMO). It reads "off" for any negative number:
  wait for ever. 0 fails I/O at once (Linux, drivers/scsi/scsi_transport_iscsi.c: the timer is armed for >= 0 only).
- recv_tmo is node.conn[0].timeo.noop_out_interval (ISCSI_PARAM_RECV_TMO): so long nothing came in, then a NOP-Out is sent.
- ping_tmo is node.conn[0].timeo.noop_out_timeout (ISCSI_PARAM_PING_TMO): so long that NOP-Out may stay unanswered.

`password` and `password_in` are clear text for root. Nothing here reads them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import Host
    from sctune.model.initiator import IscsiConnection, IscsiSession

_SESSIONS = "/sys/class/iscsi_session"
_CONNECTIONS = "/sys/class/iscsi_connection"
_SESSION = re.compile(r"session(\d{1,9})", re.ASCII)
_CONNECTION = re.compile(r"connection(\d{1,9}):\d{1,9}", re.ASCII)
_DISK_OF_SESSION = re.compile(r"/session(\d{1,9})/target", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,10}", re.ASCII)


def probe(host: Host) -> tuple[IscsiSession, ...] | Unavailable:
    """Every session, by number. Absent where the kernel has no iSCSI transport class.

    A session or connection that is gone between listing and reading was logged out meanwhile, and is left out.
    """
    names = host.list(_SESSIONS)
    if isinstance(names, Unavailable):
        return names
    numbers = sorted(int(match[1]) for name in names if (match := _SESSION.fullmatch(name)))
    if not numbers:
        return ()
    by_session = _connections_by_session(host)
    if isinstance(by_session, Unavailable):
        return by_session
    disks = _disks_by_session(host)
    if isinstance(disks, Unavailable):
        return disks
    sessions = []
    own: frozenset[str] | None = None
    for number in numbers:
        state = host.read(f"{_SESSIONS}/session{number}/state")
        if isinstance(state, Unavailable):
            if state.reason is Reason.ABSENT:
                continue
            return state
        connections = []
        for name in by_session.get(number, ()):
            address = _text(host, f"{_CONNECTIONS}/{name}/persistent_address")
            if own is None and address and not is_loopback(address):
                own = _own_addresses(host)
            connections.append(_connection(host, name, address, is_local(address, own or frozenset())))
        sessions.append(_session(host, number, clean(state), tuple(connections), tuple(disks.get(number, ()))))
    return tuple(sessions)


def _session(host: Host, number: int, state: str, connections: tuple[IscsiConnection, ...], disks: tuple[str, ...]) -> IscsiSession:
    from sctune.model.initiator import IscsiSession

    folder = f"{_SESSIONS}/session{number}"
    return IscsiSession(
        number=number,
        target=_text(host, f"{folder}/targetname"),
        tpgt=parse_number(_text(host, f"{folder}/tpgt")),
        interface=_text(host, f"{folder}/ifacename"),
        initiator=_text(host, f"{folder}/initiatorname"),
        state=state,
        recovery_timeout=parse_timeout(_text(host, f"{folder}/recovery_tmo")),
        abort_timeout=parse_timeout(_text(host, f"{folder}/abort_tmo")),
        lu_reset_timeout=parse_timeout(_text(host, f"{folder}/lu_reset_tmo")),
        connections=connections,
        disks=disks,
        creator=parse_number(_text(host, f"{folder}/creator")),
    )


def _connection(host: Host, name: str, persistent_address: str, local: bool | None) -> IscsiConnection:
    from sctune.model.initiator import IscsiConnection

    folder = f"{_CONNECTIONS}/{name}"
    return IscsiConnection(
        name=name,
        # Down, the kernel answers these two with ENOTCONN.
        address=_text(host, f"{folder}/address"),
        port=parse_number(_text(host, f"{folder}/port")) or 0,
        persistent_address=persistent_address,
        persistent_port=parse_number(_text(host, f"{folder}/persistent_port")) or 0,
        noop_interval=parse_number(_text(host, f"{folder}/recv_tmo")),
        noop_timeout=parse_number(_text(host, f"{folder}/ping_tmo")),
        state=_text(host, f"{folder}/state"),
        local=local,
    )


def _connections_by_session(host: Host) -> dict[int, list[str]] | Unavailable:
    names = host.list(_CONNECTIONS)
    if isinstance(names, Unavailable):
        return {} if names.reason is Reason.ABSENT else names
    by_session: dict[int, list[str]] = {}
    for name in names:
        if match := _CONNECTION.fullmatch(name):
            by_session.setdefault(int(match[1]), []).append(name)
    return by_session


def _disks_by_session(host: Host) -> dict[int, list[str]] | Unavailable:
    """The links in /sys/block tell it in one look for all sessions: …/sessionN/targetH:C:T/H:C:T:L/block/sdX."""
    names = host.list("/sys/block")
    if isinstance(names, Unavailable):
        return {} if names.reason is Reason.ABSENT else names
    disks: dict[int, list[str]] = {}
    for name in names:
        if not name.startswith("sd"):
            continue
        link = host.readlink(f"/sys/block/{name}")
        if isinstance(link, str) and (match := _DISK_OF_SESSION.search(link)):
            disks.setdefault(int(match[1]), []).append(name)
    return disks


def _own_addresses(host: Host) -> frozenset[str]:
    """This host's addresses; empty where it does not tell all of them."""
    from sctune.probes.addresses import probe as probe_addresses

    addresses = probe_addresses(host)
    return frozenset() if isinstance(addresses, Unavailable) else frozenset(addresses)


def parse_fib_trie(text: str) -> Iterable[str]:
    """The IPv4 addresses that /proc/net/fib_trie calls "/32 host LOCAL": those of this host."""
    address = ""
    found: dict[str, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] in ("|--", "+--"):
            address = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"] and address:
            found[address] = None
    return tuple(found)


def parse_if_inet6(text: str) -> Iterable[str]:
    """The IPv6 addresses of /proc/net/if_inet6, in the compressed form that open-iscsi and the kernel print."""
    import ipaddress

    found = []
    for line in text.splitlines():
        digits = line.split(" ", 1)[0]
        if len(digits) == 32:
            try:
                found.append(str(ipaddress.IPv6Address(int(digits, 16))))
            except ValueError:
                continue
    return tuple(found)


def is_loopback(address: str) -> bool:
    """Whether it leads to this host on every host."""
    return address.startswith("127.") or address in ("::1", "localhost")


def is_local(address: str, own: frozenset[str]) -> bool | None:
    """Whether an address is this host's. `own` empty: only loopback can be told."""
    if not address:
        return None
    if is_loopback(address):
        return True
    return address in own if own else None


def parse_timeout(text: str) -> int | None:
    """Seconds; -1 for "off", which is what the kernel prints for any negative number."""
    return -1 if text == "off" else parse_number(text)


def parse_number(text: str) -> int | None:
    """A decimal number, or None where the file says something else."""
    return int(text) if _NUMBER.fullmatch(text) else None


def clean(text: str) -> str:
    """One line without its end; "" for the "(null)" that the kernel prints where nothing is set."""
    line = text.strip()
    return "" if line == "(null)" else line


def _text(host: Host, path: str) -> str:
    answer = host.read(path)
    return "" if isinstance(answer, Unavailable) else clean(answer)
