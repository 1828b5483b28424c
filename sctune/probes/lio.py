"""LIO, the kernel's own iSCSI target: its targets and where it listens (Linux drivers/target/iscsi/iscsi_target_configfs.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.lio import LioPortal
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_FABRIC = "/sys/kernel/config/target/iscsi"


def probe(host: Host) -> tuple[str, ...] | Unavailable:
    """The names of its iSCSI targets. Absent where the module is not loaded."""
    names = host.list(_FABRIC)
    if isinstance(names, Unavailable):
        return names
    return tuple(name for name in names if name.startswith(("iqn.", "eui.", "naa.")))


def probe_portals(host: Host, *, lio: tuple[str, ...] | Unavailable) -> tuple[LioPortal, ...] | Unavailable:
    """Where LIO listens, enabled or not: the socket is bound when the portal's folder is made (`tpgt_N/np/ADDRESS:PORT`)."""
    if isinstance(lio, Unavailable):
        return lio
    found: list[LioPortal] = []
    for iqn in lio:
        groups = host.list(f"{_FABRIC}/{iqn}")
        for group in () if isinstance(groups, Unavailable) else groups:
            if not group.startswith("tpgt_"):
                continue
            names = host.list(f"{_FABRIC}/{iqn}/{group}/np")
            if isinstance(names, Unavailable):
                if names.reason is Reason.ABSENT:
                    continue  # deleted while we look
                return names
            found += [portal for name in names if (portal := parse_portal(iqn, name)) is not None]
        if isinstance(groups, Unavailable) and groups.reason is not Reason.ABSENT:
            return groups
    return tuple(found)


def parse_portal(iqn: str, name: str) -> LioPortal | None:
    """`10.0.0.1:3260`, `[::]:3260`; None for anything else."""
    address, colon, port = name.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return None
    return LioPortal(iqn=iqn, address=address.removeprefix("[").removesuffix("]"), port=int(port))
