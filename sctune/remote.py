"""Volumes that this host uses and another serves: a node controller's half of the chain, session - SCSI disk - multipath - guest.

Two disks are one volume where they are paths of one multipath map. A volume's id is told by the guest's disk (its serial number, or
the node controller's own file) or by the target's name; where none tells it, the target and LUN are the name. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import GENERIC, candidates
from sctune.findings import Subject, SubjectKind
from sctune.guest_disks import guest_index
from sctune.model.chain import LocalDisk
from sctune.multipath_map import multipath_maps
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.backends.base import Backend
    from sctune.guest_disks import GuestIndex
    from sctune.inventory import Inventory
    from sctune.model.guest import GuestDisk
    from sctune.multipath_map import MultipathMap

PARTS = ("sessions", "block", "dm", "guests")
"""What they are told from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteVolume:
    """One volume that came through sessions. `disks` are its SCSI disks with the session of each, more than one only under
    `multipath`. `guests` are the guest disks on it, what proves most first."""

    subject: Subject
    backend: Backend
    disks: tuple[LocalDisk, ...]
    multipath: MultipathMap | None
    guests: tuple[GuestDisk, ...]

    @property
    def comes_back(self) -> bool:
        """Whether its sessions lead back to this very host, where nothing serves it any more: no other host's volume, but what an
        export that was lost has left of one of its own."""
        return all(local.session.local for local in self.disks)

    @property
    def size(self) -> int:
        """Bytes, as the kernel has it of the first disk."""
        return self.disks[0].disk.size


def remote_volumes(inventory: Inventory) -> tuple[RemoteVolume, ...]:
    """Every volume whose session leads to a target that is not one of this host's own volumes, by its name."""
    chains = known(inventory.chains)
    own = {local.disk.name for chain in (chains.chains if chains else ()) for local in chain.disks}
    sessions = {session.number: session for session in known(inventory.sessions) or ()}
    blocks = known(inventory.block) or ()
    maps = multipath_maps(blocks, known(inventory.dm) or ())
    index = guest_index(inventory)
    backends = candidates(configured=None, cloud=None, lvs=())
    groups: dict[str, tuple[MultipathMap | None, list[LocalDisk]]] = {}
    for disk in blocks:
        session = sessions.get(disk.session) if disk.session is not None else None
        if session is None or disk.name in own:
            continue
        over = maps.get(disk.device)
        key = over.kernel_name if over is not None else disk.name
        groups.setdefault(key, (over, []))[1].append(LocalDisk(session=session, disk=disk))
    found = [_volume(over, tuple(disks), index, backends) for over, disks in groups.values()]
    return tuple(sorted(found, key=lambda volume: volume.subject.id))


def _volume(
    over: MultipathMap | None, disks: tuple[LocalDisk, ...], index: GuestIndex, backends: tuple[Backend, ...]
) -> RemoteVolume:
    guests = index.on({above.name: above for local in disks for above in index.stacked_on(local.disk)}.values())
    first = disks[0]
    name = next((guest.volume for guest in guests if guest.volume), "")
    name = name or next((told for one in backends if (told := one.target_volume(first.session.target))), "")
    if name:
        subject = Subject(kind=SubjectKind.VOLUME, id=name)
    else:
        subject = Subject(kind=SubjectKind.LUN, id=f"{first.session.target}/{first.disk.target_lun}")
    return RemoteVolume(
        subject=subject,
        backend=next((one for one in backends if one.is_target(first.session.target)), GENERIC),
        disks=disks,
        multipath=over,
        guests=guests,
    )


def names(volume: RemoteVolume) -> Iterator[str]:
    """Everything that a volume of another host is called here."""
    yield volume.subject.id
    for local in volume.disks:
        yield from (local.disk.name, f"/dev/{local.disk.name}", f"session{local.session.number}", local.session.identity)
        yield from (local.session.target, f"{local.session.target}/{local.disk.target_lun}")
    if volume.multipath is not None:
        over = volume.multipath
        yield from (over.name, f"/dev/mapper/{over.name}", over.kernel_name, f"/dev/{over.kernel_name}", over.wwid)
    for guest in volume.guests:
        # Not every disk has a serial number, nor a source (an empty drive).
        yield from (name for name in (guest.serial, guest.source) if name)
        yield from (f"{guest.domain}/{guest.target}", guest.domain)
