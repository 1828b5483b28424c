"""The machine's own open-iscsi, which stands for the node controllers: sessions over loopback to its own targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tgt import ACCOUNT, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable

PORTAL = "127.0.0.1:3260"
INITIATOR = "iqn.1993-08.org.debian:01:5ca1ab1e"


def start() -> list[str]:
    """iscsid with a name of its own, and no node records of the host."""
    return [
        f"echo InitiatorName={INITIATOR} > /etc/iscsi/initiatorname.iscsi",
        # What the host itself once talked to is no business of the machine.
        "rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets /var/lib/iscsi/nodes",
        "modprobe -a iscsi_tcp sd_mod",
        # Below systemd a udev rule starts iscsid's unit at the first disk, which fails where another iscsid runs.
        "if test -d /run/systemd/system; then systemctl start iscsid; else iscsid; fi",
    ]


def login(iqns: Iterable[str] = (), *, chap: bool = True, portal: str = PORTAL) -> list[str]:
    """Node records, with CHAP settings where the targets ask for them, and a session each.

    Without names, all that the portal offers, at once: only for a machine that has no session yet, since a discovery takes
    the CHAP settings of sessions that exist away.
    """
    settings = {"authmethod": "CHAP", "username": ACCOUNT, "password": SECRET} if chap else {}
    updates = [f"-o update -n node.session.auth.{name} -v {value}" for name, value in settings.items()]
    names = list(iqns)
    if not names:
        everything = [f"iscsiadm -m node {update}" for update in updates]
        discovery = f"iscsiadm -m discovery -t sendtargets -p {portal} >/dev/null"
        return [discovery, *everything, "iscsiadm -m node --login >/dev/null", "udevadm settle"]
    one = f"iscsiadm -m node -T $iqn -p {portal}"
    steps = [f"{one} -o new >/dev/null", *(f"{one} {update}" for update in updates), f"{one} --login >/dev/null"]
    return [f"for iqn in {' '.join(names)}; do {'; '.join(steps)}; done", "udevadm settle"]


def logout(iqn: str) -> list[str]:
    """The session ends, and its node record goes."""
    return [f"iscsiadm -m node -T {iqn} --logout >/dev/null; iscsiadm -m node -T {iqn} -o delete"]


def disk(iqn: str, lun: int = 1) -> str:
    """udev's path of the disk that a session brought."""
    return f"/dev/disk/by-path/ip-{PORTAL}-iscsi-{iqn}-lun-{lun}"
