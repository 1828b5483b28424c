"""The volumes of a host as rows: `sctune volumes`, the exporter's list. Pure, but for the look itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import SubjectKind
from sctune.guest_disks import guest_index
from sctune.model.target import Target
from sctune.model.volume import Attachment, DiskHere, ServedAs, VolumeRow, VolumeState
from sctune.records import dataclass
from sctune.remote import remote_volumes
from sctune.report.format import VolumeSort
from sctune.unavailable import Reason, Unavailable, known
from sctune.volume_state import VolumeStates, blind_parts, hidden_disks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.findings import Code, Finding
    from sctune.guest_disks import GuestIndex
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Export, LocalDisk
    from sctune.remote import RemoteVolume

PARTS = (
    "chains",
    "loops",
    "stores",
    "lvm",
    "tgt",
    "processes",
    "dm",
    "sessions",
    "block",
    "guests",
    "disk_ids",
    "lio",
    "lio_state",
)
"""What rows are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """The rows of one look; `others` counts the LVs and loop devices of the host itself that were left out; `unread` are the parts
    that could not be looked at."""

    rows: tuple[VolumeRow, ...]
    others: int
    unread: tuple[Unavailable, ...]


def volumes(inventory: Inventory, findings: Iterable[Finding], codes: Mapping[str, Code], *, everything: bool = False) -> Volumes:
    """A row for each volume: what a cloud made and what is exported; with `everything` the host's own LVs and loop devices too.

    `findings` are what the checks that speak of volumes found on this look.
    """
    chains = inventory.chains
    unread = list(unread_parts(inventory))
    if isinstance(chains, Unavailable):
        return Volumes(rows=(), others=0, unread=tuple(dict.fromkeys((*unread, chains))))
    states = VolumeStates(inventory, findings, codes)
    wanted = [chain for chain in chains.chains if everything or is_volume(chain)]
    index = guest_index(inventory)
    rows = (
        *(row(chain, states, index) for chain in wanted),
        *(remote_row(volume, states) for volume in remote_volumes(inventory) if not volume.comes_back),
    )
    unread += [item for one in rows for item in one.unseen]
    return Volumes(rows=rows, others=len(chains.chains) - len(wanted), unread=tuple(dict.fromkeys(unread)))


def is_volume(chain: Chain) -> bool:
    """Whether anybody is served by it: a cloud made it, or a target exports it."""
    return chain.ours or bool(chain.exports)


def remote_row(volume: RemoteVolume, states: VolumeStates) -> VolumeRow:
    """One volume that another host serves."""
    judged = states.of_remote(volume)
    return VolumeRow(
        subject=volume.subject,
        # Which of its back ends serves it, nobody knows here.
        backend=volume.backend.name.partition("-")[0],
        ours=volume.subject.kind is SubjectKind.VOLUME,
        state=judged.state,
        why=judged.why,
        unseen=judged.unseen,
        size=volume.size,
        file="",
        file_size=None,
        allocated=None,
        loops=(),
        vg="",
        lv="",
        exports=(),
        snapshots=(),
        copies=0,
        disks=_disks(volume.disks),
        multipath=volume.multipath.name if volume.multipath is not None else "",
        guests=tuple(f"{guest.domain}/{guest.target}" for guest in volume.guests),
    )


def _disks(disks: Iterable[LocalDisk]) -> tuple[DiskHere, ...]:
    return tuple(
        DiskHere(
            name=local.disk.name,
            target=local.session.target,
            lun=local.disk.target_lun,
            portal=local.session.portal,
            state=local.session.state,
        )
        for local in disks
    )


def row(chain: Chain, states: VolumeStates, index: GuestIndex) -> VolumeRow:
    """One volume of this host."""
    judged = states.of(chain)
    file, lv = chain.file, chain.lv
    return VolumeRow(
        subject=chain.subject,
        backend=chain.backend.name,
        ours=chain.ours,
        state=judged.state,
        why=judged.why,
        unseen=judged.unseen,
        size=size_of(chain),
        file=file.path if file else next((loop.backing_file for loop in chain.loops), ""),
        file_size=file.apparent if file else None,
        allocated=_allocated(chain),
        loops=tuple(loop.name for loop in chain.loops),
        vg=lv.vg if lv else "",
        lv=lv.name if lv else "",
        exports=tuple(_served(export) for export in chain.exports),
        snapshots=tuple(snapshot.subject.id for snapshot in chain.snapshots),
        copies=len(chain.copies),
        disks=_disks(chain.disks),
        guests=tuple(f"{guest.domain}/{guest.target}" for local in chain.disks for guest in index.above(local.disk.name)),
    )


def size_of(chain: Chain) -> int | None:
    """Bytes that the volume holds: its LV's, else its file's without what the backend adds for LVM, else its loop device's,
    else what a target says of its LUN."""
    if chain.lv is not None:
        return chain.lv.size
    if chain.file is not None:
        sizes = chain.backend.file_sizes
        extra = sizes.volume_extra if sizes is not None and sizes.fits_volume(chain.file.apparent) else None
        return chain.file.apparent - (extra or 0)
    if chain.loops:
        return chain.loops[0].size
    return next((size for export in chain.exports if (size := export.lun.size) is not None), None)


def _allocated(chain: Chain) -> int | None:
    """Bytes of it that are written: of the sparse file, of a thin LV what is mapped, of a thin pool what
    is used, of any other LV all."""
    if chain.file is not None:
        return chain.file.allocated
    lv = chain.lv
    if lv is None or (chain.loops and not chain.backend.shared_group):
        return None
    if not lv.pool and not lv.attr.startswith("t"):
        return lv.size
    return None if lv.data_percent is None else round(lv.size * lv.data_percent)


def _served(export: Export) -> ServedAs:
    target = export.target
    tgt = target if isinstance(target, Target) else None
    return ServedAs(
        target=target.iqn,
        tid=tgt.tid if tgt is not None else None,
        lun=export.lun.number,
        control_port=tgt.control_port if tgt is not None else None,
        attachments=tuple(
            Attachment(initiator=nexus.initiator, addresses=tuple(connection.address for connection in nexus.connections))
            for nexus in export.nexuses
        ),
    )


def unread_parts(inventory: Inventory) -> Iterable[Unavailable]:
    """What could not be looked at of all that volumes are found by: one of this host may be missing for it, or, without sessions
    and block devices, one of another host."""
    yield from blind_parts(inventory)
    yield from hidden_disks(inventory)
    tgt = known(inventory.tgt)
    yield from tgt.unanswered if tgt else ()
    sessions, block = inventory.sessions, inventory.block
    if isinstance(sessions, Unavailable) and sessions.reason is not Reason.ABSENT:
        yield sessions
    elif known(sessions) and isinstance(block, Unavailable):
        yield block


def sort_rows(rows: Iterable[VolumeRow], by: VolumeSort) -> tuple[VolumeRow, ...]:
    """By id; or by state, worst first; or by a number, largest first and what has none last. Equal ones by id."""
    order = {state: rank for rank, state in enumerate(VolumeState)}
    known_rows = sorted(rows, key=lambda one: one.id)
    if by is VolumeSort.STATE:
        return tuple(sorted(known_rows, key=lambda one: order[one.state]))
    if by is not VolumeSort.ID:
        return tuple(sorted(known_rows, key=lambda one: -_number(one, by)))
    return tuple(known_rows)


def _number(row: VolumeRow, by: VolumeSort) -> int:
    values = {
        VolumeSort.SIZE: row.size,
        VolumeSort.ALLOCATED: row.allocated,
        VolumeSort.SESSIONS: len(row.attachments),
        VolumeSort.SNAPSHOTS: len(row.snapshots),
    }
    value = values[by]
    return -1 if value is None else value


def matching(rows: Iterable[VolumeRow], patterns: Iterable[str]) -> tuple[VolumeRow, ...]:
    """The rows of which any name (volume, file, device, VG/LV, target, initiator, its address, snapshot) matches one of the shell
    patterns, whatever the case: an id is written both ways."""
    from fnmatch import fnmatchcase

    folded = tuple(pattern.casefold() for pattern in patterns)
    return tuple(
        one
        for one in rows
        # A name may hold a bracket itself.
        if any(name == pattern or fnmatchcase(name, pattern) for name in map(str.casefold, names(one)) for pattern in folded)
    )


def names(row: VolumeRow) -> tuple[str, ...]:
    """Everything that a volume is called."""
    found = [row.id, row.file, row.file.rpartition("/")[2], *row.snapshots]
    found += [name for loop in row.loops for name in (loop, f"/dev/{loop}")]
    if row.lv:
        found += [row.lv, f"{row.vg}/{row.lv}", f"/dev/{row.vg}/{row.lv}"]
    for export in row.exports:
        found += [export.target, f"{export.target}/{export.lun}"]
    for nexus in row.attachments:
        found += [nexus.initiator, *nexus.addresses]
    for disk in row.disks:
        found += [disk.name, f"/dev/{disk.name}", disk.target, f"{disk.target}/{disk.lun}", disk.portal]
    found += [*([row.multipath, f"/dev/mapper/{row.multipath}"] if row.multipath else ()), *row.guests]
    found += [guest.partition("/")[0] for guest in row.guests]
    return tuple(name for name in found if name)
