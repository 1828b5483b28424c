"""LIO, the kernel's own iSCSI target: which targets it serves (Linux drivers/target/iscsi/iscsi_target_configfs.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_FABRIC = "/sys/kernel/config/target/iscsi"


def probe(host: Host) -> tuple[str, ...] | Unavailable:
    """The names of its iSCSI targets. Absent where the module is not loaded."""
    names = host.list(_FABRIC)
    if isinstance(names, Unavailable):
        return names
    return tuple(name for name in names if name.startswith(("iqn.", "eui.", "naa.")))
