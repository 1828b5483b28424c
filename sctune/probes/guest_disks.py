"""Which devices of the host guests have: QEMU's arguments, and what its processes have open.

libvirt hands the disks that a guest starts with to QEMU in its arguments, by any name below /dev: `-drive file=/dev/sdb,…`, or
JSON, `-blockdev {"driver":"host_device","filename":"/dev/disk/by-id/…"}`. A disk that is attached later goes through QEMU's monitor
and is in no argument: of that, the open files tell (/proc/PID/fd). A link there is read and never followed: what it leads to may
hang. In a mount namespace of its own, as libvirt gives its guests, QEMU finds the device under the same name.

Under Xen the kernel itself holds the disks of guests, and no process does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.process import GuestDisks
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host, Process
    from sctune.model.initiator import IscsiSession
    from sctune.model.process import Processes

_XEN = "/proc/xen/capabilities"
_CONTROL_DOMAIN = "control_d"
# QEMU writes a comma within a value twice; no name that udev makes holds one, nor a blank, a quote or a backslash.
_DEVICE = re.compile(r"/dev/[^\s,\"'\\{}\[\]]+")


def probe(
    host: Host, *, processes: Processes | Unavailable, sessions: tuple[IscsiSession, ...] | Unavailable
) -> tuple[GuestDisks, ...] | Unavailable:
    """One record a guest. Without an iSCSI session nobody asks, and nothing is looked at."""
    if isinstance(sessions, Unavailable) or not sessions:
        return ()
    if isinstance(processes, Unavailable):
        return processes
    if processes.contained:
        return Unavailable(reason=Reason.NOT_COLLECTED, what="guests", detail="those of the host are not seen from a container")
    capabilities = host.read(_XEN)
    if isinstance(capabilities, str) and _CONTROL_DOMAIN in capabilities:
        return Unavailable(reason=Reason.FAILED, what="disks of guests", detail="under Xen no process holds them")
    found = (_guest(host, process) for process in processes.guests)
    return tuple(guest for guest in found if guest is not None)


def _guest(host: Host, process: Process) -> GuestDisks | None:
    """None where it has ended meanwhile."""
    named = named_devices(process.argv)
    opened = _opened(host, process.pid)
    if isinstance(opened, Unavailable) and opened.reason is Reason.ABSENT:
        return None
    return GuestDisks(process=process, named=named, disks=tuple(_device(host, path) for path in named), opened=opened)


def named_devices(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The paths below /dev in QEMU's arguments, each once."""
    return tuple(dict.fromkeys(path for argument in argv[1:] for path in _DEVICE.findall(argument)))


def _device(host: Host, path: str) -> str:
    """The name of the device at a path: udev's links lead straight to the node."""
    link = host.readlink(path)
    return (path if isinstance(link, Unavailable) else link).rpartition("/")[2]


def _opened(host: Host, pid: int) -> tuple[str, ...] | Unavailable:
    folder = f"/proc/{pid}/fd"
    names = host.list(folder)
    if isinstance(names, Unavailable):
        return names
    found: dict[str, None] = {}
    for name in names:
        link = host.readlink(f"{folder}/{name}")
        if isinstance(link, Unavailable):
            if link.reason is Reason.ABSENT:
                continue  # closed meanwhile
            return link
        if link.startswith("/dev/"):
            found[link.removesuffix(" (deleted)").rpartition("/")[2]] = None
    return tuple(found)
