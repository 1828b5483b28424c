"""Guests of this host: libvirt's files; virsh where it may not read them; the folders of Eucalyptus' instances.

libvirt writes a status file for each running guest (/run/libvirt/DRIVER/NAME.xml, on hosts before systemd /var/run), root's
alone, and rewrites it when a disk comes or goes; reading it asks nobody. virsh needs a libvirtd that answers, and where systemd
listens for it even starts one: it is asked only where the files are there and are denied to us, and guests run.

The folders of instances may lie on a network file system, so they are listed and read in children.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sctune.host.base import FileKind
from sctune.model.guest import Guest, GuestDisk, GuestOrigin, Guests
from sctune.probes.guest_xml import parse_domain, parse_volume
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.host.base import Host
    from sctune.model.process import Processes

RUN_FOLDERS = ("/run/libvirt", "/var/run/libvirt")
DRIVERS = ("qemu", "libxl")
DEFINITIONS = "/etc/libvirt"
NODE_CONFIGURATION = "/etc/eucalyptus/eucalyptus.conf"
INSTANCES = "/var/lib/eucalyptus/instances"
VIRSH = ("virsh", "-r", "-c", "qemu:///system")
_INSTANCE_PATH = re.compile(r"""^[ \t]*INSTANCE_PATH[ \t]*=[ \t]*["']?([^"'#\n]+?)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_VOLUME_FILE = re.compile(r"vol-[0-9A-Fa-f]{8,17}(?:-libvirt)?\.xml")
_LISTED = re.compile(r"\s*(\d{1,9})\s+\S.*")
_MOST_GUESTS = 2000
_MOST_FOLDERS = 500
_WALK_SECONDS = 6.0
_MOST_ASKED = 64
_VIRSH_SECONDS = 3.0


def probe(host: Host, *, processes: Callable[[], Processes | Unavailable]) -> Guests | Unavailable:
    """All guests. Absent: this host has neither libvirt nor a node controller. `processes` is asked for only where it decides."""
    guests: list[Guest] = []
    unread: list[Unavailable] = []
    there = [
        _status(host, processes, guests, unread),
        *(_domains(host, f"{DEFINITIONS}/{driver}", GuestOrigin.DEFINED, guests, unread) for driver in DRIVERS),
        _instances(host, guests, unread),
    ]
    if not any(there) and not unread:
        return Unavailable(reason=Reason.ABSENT, what="guests", detail="neither libvirt nor a node controller of Eucalyptus")
    return Guests(guests=tuple(_resolved(host, guest) for guest in guests), unread=tuple(unread))


def _status(host: Host, processes: Callable[[], Processes | Unavailable], guests: list[Guest], unread: list[Unavailable]) -> bool:
    """Running guests. Whether there was a folder of libvirt's."""
    denied: list[Unavailable] = []
    there = False
    for driver in DRIVERS:
        # Where the first is there, the other is a link to it.
        there = any(_domains(host, f"{folder}/{driver}", GuestOrigin.RUNNING, guests, denied) for folder in RUN_FOLDERS) or there
    running = known(processes()) if any(one.reason is Reason.DENIED for one in denied) else None
    if running is not None and running.guests:
        told = _by_virsh(host, denied)
        if not isinstance(told, Unavailable):
            guests.extend(told)
            unread.extend(one for one in denied if one.reason is not Reason.DENIED)
            return True
        denied.append(told)
    unread.extend(denied)
    return there


def _domains(host: Host, folder: str, origin: GuestOrigin, guests: list[Guest], unread: list[Unavailable]) -> bool:
    """Guests of the XML files in a folder. Whether the folder is there."""
    names = host.list(folder)
    if isinstance(names, Unavailable):
        if names.reason is not Reason.ABSENT:
            unread.append(names)
        return names.reason is not Reason.ABSENT
    files = [name for name in names if name.endswith(".xml")]
    for name in files[:_MOST_GUESTS]:
        file = f"{folder}/{name}"
        text = host.read(file)
        if isinstance(text, Unavailable) and text.reason is Reason.ABSENT:
            continue  # that guest has ended meanwhile
        guest = text if isinstance(text, Unavailable) else parse_domain(text, file=file, origin=origin)
        if isinstance(guest, Unavailable):
            unread.append(guest)
        else:
            guests.append(guest)
    _note_rest(folder, len(files), _MOST_GUESTS, unread)
    return True


def _by_virsh(host: Host, unread: list[Unavailable]) -> tuple[Guest, ...] | Unavailable:
    """Running guests as libvirtd tells them to anybody, without what is secret."""
    listed = host.run((*VIRSH, "list"), timeout=_VIRSH_SECONDS)
    if isinstance(listed, Unavailable):
        return listed
    if listed.status:
        first = listed.stderr.strip().partition("\n")[0][:200]
        return Unavailable(reason=Reason.FAILED, what=" ".join((*VIRSH, "list")), detail=first)
    found: list[Guest] = []
    numbers = parse_list(listed.stdout)
    _note_rest(" ".join((*VIRSH, "list")), len(numbers), _MOST_ASKED, unread)
    for number in numbers[:_MOST_ASKED]:
        argv = (*VIRSH, "dumpxml", number)
        shown = host.run(argv, timeout=_VIRSH_SECONDS)
        if isinstance(shown, Unavailable):
            return shown  # it hangs, and would for the next one too
        guest = parse_domain(shown.stdout, file=" ".join(argv), origin=GuestOrigin.RUNNING) if not shown.status else None
        if isinstance(guest, Unavailable):
            return guest
        if guest is not None:  # else it ended meanwhile
            found.append(guest)
    return tuple(found)


def parse_list(text: str) -> tuple[str, ...]:
    """The ids of running guests in `virsh list`: a table with a head and a rule."""
    return tuple(found[1] for line in text.splitlines() if (found := _LISTED.fullmatch(line)))


def instance_path(text: str) -> str:
    """INSTANCE_PATH of eucalyptus.conf, which a shell reads: the last one counts."""
    found = _INSTANCE_PATH.findall(text)
    return found[-1].strip().rstrip("/") or "/" if found else INSTANCES


def _instances(host: Host, guests: list[Guest], unread: list[Unavailable]) -> bool:
    """Instances by their folders: PATH/work/USER/ID, before 3.0 PATH/USER/ID. Whether this host is a node."""
    text = host.read(NODE_CONFIGURATION)
    if isinstance(text, Unavailable):
        if text.reason is not Reason.ABSENT:
            unread.append(text)
        return False
    path = instance_path(text)
    until = time.monotonic() + _WALK_SECONDS
    top = f"{path}/work"
    users = _folders(host, top)
    if isinstance(users, Unavailable) and users.reason is Reason.ABSENT:
        top = path
        users = _folders(host, top)
    if isinstance(users, Unavailable):
        if users.reason is not Reason.ABSENT:
            unread.append(users)
        return users.reason is not Reason.ABSENT
    looked = 0
    for user in users:
        owned = _folders(host, f"{top}/{user}")
        if isinstance(owned, Unavailable):
            unread.append(owned)
            if owned.reason is Reason.TIMEOUT:
                return True
            continue
        for instance in (name for name in owned if name.startswith("i-")):
            if looked >= _MOST_FOLDERS or time.monotonic() > until:
                detail = f"more than {looked} instances, or it took too long"
                unread.append(Unavailable(reason=Reason.NOT_COLLECTED, what=top, detail=detail))
                return True
            looked += 1
            guest = _instance(host, f"{top}/{user}/{instance}", instance, unread)
            if isinstance(guest, Unavailable):
                unread.append(guest)
                if guest.reason is Reason.TIMEOUT:
                    return True
            elif guest.disks:
                guests.append(guest)
    return True


def _folders(host: Host, path: str) -> tuple[str, ...] | Unavailable:
    entries = host.list_files(path)
    if isinstance(entries, Unavailable):
        return entries
    return tuple(
        entry.name for entry in entries if not isinstance(entry.stat, Unavailable) and entry.stat.kind is FileKind.DIRECTORY
    )


def _instance(host: Host, folder: str, instance: str, unread: list[Unavailable]) -> Guest | Unavailable:
    """What the files of an instance's volumes tell; what was made for libvirt of one counts more than what it was made of."""
    entries = host.list_files(folder)
    if isinstance(entries, Unavailable):
        return entries
    files = [f"{folder}/{entry.name}" for entry in entries if _VOLUME_FILE.fullmatch(entry.name)]
    disks: dict[str, GuestDisk] = {}
    for file, text in zip(files, host.read_files(files) if files else (), strict=True):
        disk = text if isinstance(text, Unavailable) else parse_volume(text, file=file, instance=instance)
        if isinstance(disk, Unavailable):
            if disk.reason is Reason.TIMEOUT:
                return disk
            if disk.reason is not Reason.ABSENT:  # detached meanwhile
                unread.append(disk)
        elif disk.volume not in disks or file.endswith("-libvirt.xml"):
            disks[disk.volume] = disk
    return Guest(name=instance, origin=GuestOrigin.RECORDED, state="", reason="", file=folder, disks=tuple(disks.values()))


def _note_rest(what: str, there: int, most: int, unread: list[Unavailable]) -> None:
    if there > most:
        unread.append(Unavailable(reason=Reason.NOT_COLLECTED, what=what, detail=f"{there - most} of {there} were not read"))


def _resolved(host: Host, guest: Guest) -> Guest:
    return replace(guest, disks=tuple(_with_device(host, guest.disks)))


def _with_device(host: Host, disks: Iterable[GuestDisk]) -> Iterable[GuestDisk]:
    """The disks with the numbers of the devices that their paths lead to, links followed. Nodes in /dev do not block."""
    for disk in disks:
        if not disk.source.startswith("/dev/"):
            yield disk
            continue
        found = host.stat(disk.source)
        yield disk if isinstance(found, Unavailable) else replace(disk, device=found.rdevice)
