"""lvmetad, the daemon in which LVM 2.02.93 to 2.02.x kept what it knew of the disks: the socket at which commands reach it.

systemd starts it when somebody calls there, so it is the socket that counts and no process (lvm2-lvmetad.socket).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

SOCKETS = ("/run/lvm/lvmetad.socket", "/var/run/lvm/lvmetad.socket")
"""LVMETAD_SOCKET, daemons/lvmetad/lvmetad-client.h at v2_02_187; DEFAULT_RUN_DIR differs between distributors."""


def probe(host: Host) -> bool | Unavailable:
    """Whether there is one."""
    for path in SOCKETS:
        stat = host.stat(path)
        if not isinstance(stat, Unavailable):
            return True
        if stat.reason is not Reason.ABSENT:
            return stat
    return False
