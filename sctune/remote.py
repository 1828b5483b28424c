"""Volumes that this host uses and another serves: a node controller's half of the chain, session - SCSI disk - multipath - guest.

Two disks are one volume where they are paths of one multipath map. A volume's id is told by the guest's disk (its serial number, or
the node controller's own file); where none tells it, the target and LUN are the name. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import GENERIC, candidates
from sctune.findings import Subject, SubjectKind
from sctune.guest_disks import guest_disks_of, stacked_on
from sctune.model.chain import LocalDisk
from sctune.multipath_map import map_over
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.backends.base import Backend
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
    def size(self) -> int:
        """Bytes, as the kernel has it of the first disk."""
        return self.disks[0].disk.size


def remote_volumes(inventory: Inventory) -> tuple[RemoteVolume, ...]:
    """Every volume whose session leads to a target that is not one of this host's own volumes, by its name."""
    chains = known(inventory.chains)
    own = {local.disk.name for chain in (chains.chains if chains else ()) for local in chain.disks}
    sessions = {session.number: session for session in known(inventory.sessions) or ()}
    blocks = known(inventory.block) or ()
    dms = known(inventory.dm) or ()
    groups: dict[str, tuple[MultipathMap | None, list[LocalDisk]]] = {}
    for disk in blocks:
        session = sessions.get(disk.session) if disk.session is not None else None
        if session is None or disk.name in own:
            continue
        over = map_over(disk, blocks, dms)
        key = over.kernel_name if over is not None else disk.name
        groups.setdefault(key, (over, []))[1].append(LocalDisk(session=session, disk=disk))
    found = [_volume(inventory, over, tuple(disks)) for over, disks in groups.values()]
    return tuple(sorted(found, key=lambda volume: volume.subject.id))


def _volume(inventory: Inventory, over: MultipathMap | None, disks: tuple[LocalDisk, ...]) -> RemoteVolume:
    blocks = known(inventory.block) or ()
    stack = {above.device: above for local in disks for above in stacked_on(local.disk, blocks)}
    seen = known(inventory.guests)
    paths = {f"/dev/{above.name}" for above in stack.values()}
    guests = guest_disks_of(seen, tuple(stack), paths=paths) if seen else ()
    first = disks[0]
    name = next((guest.volume for guest in guests if guest.volume), "")
    if name:
        subject = Subject(kind=SubjectKind.VOLUME, id=name)
    else:
        subject = Subject(kind=SubjectKind.LUN, id=f"{first.session.target}/{first.disk.target_lun}")
    return RemoteVolume(
        subject=subject,
        backend=_backend(first.session.target),
        disks=disks,
        multipath=over,
        guests=guests,
    )


def _backend(target: str) -> Backend:
    return next((one for one in candidates(configured=None, cloud=None, lvs=()) if one.is_target(target)), GENERIC)


def guests_on(inventory: Inventory, disk: str) -> tuple[GuestDisk, ...]:
    """The guest disks on one disk of this host, or on what is stacked on it."""
    blocks = known(inventory.block) or ()
    seen = known(inventory.guests)
    device = next((block for block in blocks if block.name == disk), None)
    if seen is None or device is None:
        return ()
    stack = stacked_on(device, blocks)
    return guest_disks_of(seen, tuple(one.device for one in stack), paths={f"/dev/{one.name}" for one in stack})


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
        yield from (guest.serial, guest.source, f"{guest.domain}/{guest.target}", guest.domain)
