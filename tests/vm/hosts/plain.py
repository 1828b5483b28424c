"""A plain tgt host, and what every host without a cloud begins with: disks, daemons, targets.conf.

Its targets stand in a file of /etc/tgt/conf.d, are made by tgt-admin, and ask for an account and for the initiator's address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import initiator, overlay, tgt

if TYPE_CHECKING:
    from collections.abc import Iterable

DISK_GIB = 16
FOLDER = "/srv/disks"
"""Where the machine's scratch disk lies on a host without a cloud."""
VG = "data"
CONFIGURATION = "/etc/tgt/conf.d/disks.conf"
_IQN = "iqn.2024-05.lab.example:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A CHAP account. Every secret begins with the one that nothing may print."""

    user: str
    secret: str


def account(name: str) -> Account:
    """An account of one target alone."""
    return Account(user=f"user-{name}", secret=f"{tgt.SECRET}-{name}")


def login(iqn: str, who: Account, *, portal: str = initiator.PORTAL) -> list[str]:
    """A node record with this account, and a session."""
    node = f"iscsiadm -m node -T {iqn} -p {portal}"
    settings = {"authmethod": "CHAP", "username": who.user, "password": who.secret}
    return [
        f"{node} -o new >/dev/null",
        f"{node} -o update " + " ".join(f"-n node.session.auth.{name} -v {value}" for name, value in settings.items()),
        f"{node} --login >/dev/null",
        "udevadm settle",
    ]


def disks() -> list[str]:
    """Four disks, /dev/ram0 to ram3, that take memory only where they are written."""
    return [f"modprobe brd rd_nr=4 rd_size={DISK_GIB << 20}"]


def start() -> list[str]:
    """Disks, udevd, iscsid and a tgtd that knows nothing yet, on a host where no Eucalyptus ever was."""
    return [
        f"mkdir -p {FOLDER}",
        # Not --move: below systemd's shared mounts that is refused.
        f"mount --bind {overlay.ROOT} {FOLDER}; umount {overlay.ROOT}",
        f"rm -rf {overlay.ROOT} /etc/eucalyptus /etc/lvm/backup /etc/lvm/archive",
        "modprobe -a loop dm_mod dm_snapshot dm_thin_pool",
        *disks(),
        *overlay.udev(),
        *initiator.start(),
        *tgt.start(account=False),
    ]


def load(iqns: Iterable[str]) -> list[str]:
    """tgt-admin makes these targets as the configuration has them."""
    return [f"tgt-admin --update {iqn}" for iqn in iqns]


def make() -> list[str]:
    """An LV and a file, each with a target of its own."""
    stores = {f"{_IQN}lv": f"/dev/{VG}/disk", f"{_IQN}file": f"{FOLDER}/disk.img"}
    stanzas = [
        line
        for iqn, store in stores.items()
        for line in (
            f"<target {iqn}>",
            f"    backing-store {store}",
            f"    incominguser {account('plain').user} {account('plain').secret}",
            "    initiator-address 127.0.0.1",
            "</target>",
        )
    ]
    return [
        f"vgcreate -q {VG} /dev/ram0 >/dev/null",
        f"lvcreate -q -L 2G -n disk -Wn {VG} >/dev/null",
        f"truncate -s 3G {FOLDER}/disk.img",
        f"(umask 077; cat > {CONFIGURATION}) <<'END'",
        *stanzas,
        "END",
        *load(stores),
        *(line for iqn in stores for line in login(iqn, account("plain"))),
    ]
