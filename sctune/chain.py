"""Joins what the probes found into one chain a volume."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.backends.choose import GENERIC, candidates
from sctune.chain_index import Index, device_behind, index, normal
from sctune.findings import Subject, SubjectKind
from sctune.model.chain import Chain, Chains, Export, LocalDisk, SnapshotLink
from sctune.model.dm import SnapshotStatus
from sctune.records import dataclass, field
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.backends.base import Backend, LvName
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.chain import AnyLun, AnyTarget
    from sctune.model.dm import DmDevice
    from sctune.model.initiator import IscsiSession
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import LogicalVolume
    from sctune.model.process import Copy
    from sctune.model.store import StoreFile


def join(inventory: Inventory) -> Chains:
    """Every volume's chain, from whatever could be read: LVs first, then loop devices, files and targets that no LV explains."""
    joiner = _Joiner(inventory)
    lvs = joiner.index.lvs
    # Of two VGs of one name the active one has what is known by that name.
    for lv in sorted(lvs, key=lambda lv: not lv.active) if joiner.namesakes else lvs:
        # LVM shows a pool's hidden parts in brackets; they are nobody's volume.
        if not joiner.is_snapshot(lv) and not lv.name.startswith("["):
            joiner.add_lv(lv)
    for lv in lvs:
        if joiner.is_snapshot(lv):
            joiner.add_snapshot(lv)
    for loop in joiner.index.loops:
        joiner.add_loop(loop)
    for file in joiner.index.files:
        joiner.add_file(file)
    tgt = known(inventory.tgt)
    for target in tgt.targets if tgt else ():
        for lun in target.disks:
            joiner.add_export(target, lun)
    lio = known(inventory.lio_state)
    for group in lio.targets if lio else ():
        for served in group.disks:
            joiner.add_export(group, served)
    return joiner.finish()


@dataclass(slots=True, kw_only=True)
class _Draft:
    """A chain being put together: its id is final, its links are added as they are found."""

    id: str
    subject: Subject
    backend: Backend
    ours: bool
    file: StoreFile | None = None
    loops: dict[str, LoopDevice] = field(default_factory=dict)
    lv: LogicalVolume | None = None
    exports: list[Export] = field(default_factory=list)
    snapshots: list[SnapshotLink] = field(default_factory=list)


class _Joiner:
    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.index: Index = index(inventory)
        self.backends = candidates(configured=inventory.config.backend, cloud=known(inventory.cloud), lvs=self.index.lvs)
        self.namesakes = _namesakes(self.index.lvs)
        self.drafts: dict[tuple[SubjectKind, str], _Draft] = {}
        self.by_loop: dict[str, _Draft] = {}
        self.by_lv: dict[str, _Draft] = {}
        self.by_export: dict[tuple[str, int], _Draft] = {}
        self.origins: dict[tuple[str, str], _Draft] = {}
        self.snapshot_subjects: dict[str, Subject] = {}

    def draft(self, kind: SubjectKind, name: str, backend: Backend, *, ours: bool) -> _Draft:
        """The draft of that name, made when it is new."""
        found = self.drafts.get((kind, name))
        if found is None:
            subject = Subject(kind=kind, id=name)
            found = self.drafts[kind, name] = _Draft(id=name, subject=subject, backend=backend, ours=ours)
        return found

    def volume(self, backend: Backend, name: str) -> _Draft:
        return self.draft(SubjectKind.VOLUME, name, backend, ours=True)

    def read_lv(self, vg: str, lv: str, tags: tuple[str, ...]) -> tuple[Backend, LvName]:
        """The first backend that would give an LV this name."""
        for backend in self.backends:
            name = backend.lv_name(vg, lv, tags)
            if name.ours:
                return backend, name
        return GENERIC, GENERIC.lv_name(vg, lv, tags)

    def is_snapshot(self, lv: LogicalVolume) -> bool:
        """Whether it is a copy of a volume: a COW snapshot, or a thin LV that a system named so and whose origin is there."""
        return lv.is_snapshot or (bool(lv.pool and lv.origin) and self.read_lv(lv.vg, lv.name, lv.tags)[1].is_snapshot)

    def lasting_name(self, lv: LogicalVolume) -> str:
        """VG/LV, with the VG's uuid where another VG has its name."""
        return f"{lv.full_name} (VG {lv.vg_uuid})" if lv.vg in self.namesakes else lv.full_name

    def read_file(self, path: str, *roles: FileRole) -> tuple[Backend, str] | None:
        """The volume that a backing file's name tells, where it has one of these roles."""
        for backend in self.backends:
            name = backend.file_name(path.rpartition("/")[2])
            if name.role in roles:
                return backend, name.id
        return None

    def volume_on(self, loops: tuple[LoopDevice, ...]) -> _Draft | None:
        """The volume whose backing file is under the first of these loops that has one."""
        for loop in loops:
            told = self.read_file(loop.backing_file, FileRole.VOLUME)
            if told is not None:
                return self.volume(*told)
        return None

    def claim(self, draft: _Draft, loop: LoopDevice) -> None:
        draft.loops[loop.name] = loop
        self.by_loop.setdefault(loop.name, draft)
        # One file under a VG of many volumes is none of theirs.
        if draft.file is None and not draft.backend.shared_group:
            draft.file = self.index.file_of(loop)

    def add_lv(self, lv: LogicalVolume) -> None:
        """A chain for each LV: the volume that its name or its backing file tells, else VG/LV."""
        backend, name = self.read_lv(lv.vg, lv.name, lv.tags)
        loops = self.index.loops_under(lv)
        draft: _Draft | None = None
        if name.volume:
            draft = self.volume(backend, name.volume)
        elif name.ours:
            draft = self.volume_on(loops)  # random names: only the loop device tells
        if draft is None or (draft.lv is not None and draft.lv.vg_uuid != lv.vg_uuid and lv.vg in self.namesakes):
            draft = self.draft(SubjectKind.LV, self.lasting_name(lv), backend, ours=name.ours)
        draft.lv = draft.lv or lv
        self.by_lv[lv.uuid] = draft
        self.origins[lv.vg_uuid, lv.name] = draft
        for loop in loops:
            self.claim(draft, loop)

    def add_snapshot(self, lv: LogicalVolume) -> None:
        """Hangs a snapshot on its origin's chain. A COW store's loops belong to the chain but are not under the origin."""
        _, name = self.read_lv(lv.vg, lv.name, lv.tags)
        kind, told = (SubjectKind.SNAPSHOT, name.snapshot) if name.snapshot else (SubjectKind.LV, self.lasting_name(lv))
        subject = Subject(kind=kind, id=told)
        self.snapshot_subjects[lv.uuid] = subject
        origin = self.origins.get((lv.vg_uuid, lv.origin))
        if origin is None:
            return
        dm = self.index.dm_of(lv)
        loops = tuple(loop.name for loop in self.index.loops_under(lv))
        origin.snapshots.append(SnapshotLink(subject=subject, lv=lv, dm=dm, status=_status(dm), cow_loops=loops))
        self.by_lv[lv.uuid] = origin
        for loop in loops:
            self.by_loop.setdefault(loop, origin)

    def add_loop(self, loop: LoopDevice) -> None:
        """A loop device that no LV lies on: a volume's (LVM silent, or the PV gone), a COW store's, or just a file's."""
        if loop.name in self.by_loop:
            return
        if (told := self.read_file(loop.backing_file, FileRole.VOLUME)) is not None:
            self.claim(self.volume(*told), loop)
        elif (told := self.read_file(loop.backing_file, FileRole.COW_STORE)) is not None:
            self.by_loop[loop.name] = self.volume(*told)
        elif not loop.read_only:
            self.loop_draft(loop)

    def loop_draft(self, loop: LoopDevice) -> _Draft:
        """The chain of a loop device that is nobody's volume. Several devices without a name (a path longer than a page) are
        no one chain."""
        draft = self.draft(SubjectKind.LOOP, loop.backing_file or f"/dev/{loop.name}", GENERIC, ours=False)
        self.claim(draft, loop)
        return draft

    def add_file(self, file: StoreFile) -> None:
        """A volume at rest is a file and nothing else."""
        if (told := self.read_file(file.path, FileRole.VOLUME)) is not None:
            draft = self.volume(*told)
            draft.file = draft.file or file

    def add_export(self, target: AnyTarget, lun: AnyLun) -> None:
        """Hangs a LUN on the chain that what it serves leads to; by the path's own words only where nothing is there any more."""
        path = normal(lun.backing_path)
        host = self.inventory.host
        file = self.index.file_behind(lun)
        draft: _Draft | None = None
        if (lv := self.index.lv_behind(lun, host) or self.lv_called(target, lun)) is not None:
            draft = self.snapshot_draft(lv) if lv.uuid in self.snapshot_subjects else self.by_lv.get(lv.uuid)
        elif (loop := self.index.loop_behind(lun, host)) is not None:
            draft = self.by_loop.get(loop.name) or self.loop_draft(loop)
        elif (told := self.read_file(file.path if file else path, FileRole.VOLUME)) is not None:
            draft = self.volume(*told)
        if draft is None:
            below = lun.device or device_behind(path, host)
            draft = self.volume_on(self.index.loops_below(below)) or self.volume_by_path(path)
        if draft is None:
            draft = self.draft(SubjectKind.LUN, f"{target.iqn}/{lun.number}", GENERIC, ours=False)
            draft.file = file
        draft.exports.append(Export(target=target, lun=lun))
        self.by_export[target.iqn, lun.number] = draft

    def lv_called(self, target: AnyTarget, lun: AnyLun) -> LogicalVolume | None:
        """The LV that a target is named for whose LUN has nothing behind it any more, not even a path (LIO's)."""
        name = target.iqn.rpartition(":")[2]
        found = [lv for lv in self.index.lvs if lv.name == name] if name and not lun.backing_path and not lun.online else []
        return found[0] if len(found) == 1 else None

    def snapshot_draft(self, lv: LogicalVolume) -> _Draft:
        """The chain of a COW snapshot that is exported by itself: who is served it is not served its origin."""
        backend, _ = self.read_lv(lv.vg, lv.name, lv.tags)
        draft = self.draft(SubjectKind.LV, self.lasting_name(lv), backend, ours=False)
        draft.lv = lv
        return draft

    def volume_by_path(self, path: str) -> _Draft | None:
        """The volume that /dev/VG/LV is named for."""
        parts = path.split("/")
        if len(parts) != 4 or parts[1] != "dev":
            return None
        backend, name = self.read_lv(parts[2], parts[3], ())
        return self.volume(backend, name.volume) if name.volume else None

    def finish(self) -> Chains:
        """The chains with what is looked up by name: PVs, kernel device, local disks, running copies."""
        processes = known(self.inventory.processes)
        sessions: dict[str, list[IscsiSession]] = {}
        for session in known(self.inventory.sessions) or ():
            if not _leads_away(session):
                sessions.setdefault(session.target, []).append(session)
        disks: dict[int, list[BlockDevice]] = {}
        for device in self.index.block_by_name.values():
            if device.session is not None:
                disks.setdefault(device.session, []).append(device)
        copies = processes.copies if processes else ()
        chains = {key: self.chain(draft, sessions, disks, copies) for key, draft in self.drafts.items()}
        ordered = sorted(chains.values(), key=lambda chain: (not chain.ours, chain.id))
        seen = Counter(chain.backend for chain in ordered if chain.ours) or Counter({GENERIC: 1})

        def of(draft: _Draft) -> Chain:
            return chains[draft.subject.kind, draft.id]

        return Chains(
            chains=tuple(ordered),
            backends=tuple(dict.fromkeys((*(backend for backend, _ in seen.most_common()), *(c.backend for c in ordered)))),
            by_loop={name: of(draft) for name, draft in self.by_loop.items()},
            by_lv={uuid: of(draft) for uuid, draft in self.by_lv.items()},
            by_export={key: of(draft) for key, draft in self.by_export.items()},
            snapshot_subjects=self.snapshot_subjects,
        )

    def chain(
        self,
        draft: _Draft,
        sessions: Mapping[str, list[IscsiSession]],
        disks: Mapping[int, list[BlockDevice]],
        copies: tuple[Copy, ...],
    ) -> Chain:
        lv = draft.lv
        local = tuple(
            LocalDisk(session=session, disk=disk)
            for export in draft.exports
            for session in sessions.get(export.target.iqn, ())
            for disk in disks.get(session.number, ())
            if disk.target_lun is not None and disk.target_lun == export.target.number_in(session, export.lun.number)
        )
        return Chain(
            id=draft.id,
            subject=draft.subject,
            backend=draft.backend,
            ours=draft.ours,
            file=draft.file,
            loops=tuple(draft.loops.values()),
            pvs=tuple(pv for uuid in (lv.pv_uuids if lv else ()) if (pv := self.index.pv_by_uuid.get(uuid)) is not None),
            lv=lv,
            dm=self.index.dm_of(lv) if lv else None,
            snapshots=tuple(draft.snapshots),
            exports=tuple(draft.exports),
            disks=local,
            copies=_copies_of(draft, copies) if copies else (),
        )


def _namesakes(lvs: Iterable[LogicalVolume]) -> frozenset[str]:
    """The names that several VGs have."""
    first: dict[str, str] = {}
    return frozenset(lv.vg for lv in lvs if first.setdefault(lv.vg, lv.vg_uuid) != lv.vg_uuid)


def _leads_away(session: IscsiSession) -> bool:
    """Whether a session is known to end at another host, which may have a target of the same name."""
    return bool(session.connections) and all(connection.local is False for connection in session.connections)


def _status(dm: DmDevice | None) -> SnapshotStatus | None:
    """The snapshot's own status line; an LV of several segments still has one snapshot target."""
    targets = known(dm.targets) if dm is not None else None
    return next((target.status for target in targets or () if isinstance(target.status, SnapshotStatus)), None)


def _copies_of(draft: _Draft, copies: tuple[Copy, ...]) -> tuple[Copy, ...]:
    """The running copies that read or write any part of the chain."""
    paths = {path for loop in draft.loops.values() for path in (f"/dev/{loop.name}", loop.backing_file) if path}
    for lv in (draft.lv, *(snapshot.lv for snapshot in draft.snapshots)):
        if lv is not None:
            paths |= {lv.path, lv.dm_path}
    if draft.file is not None:
        paths.add(draft.file.path)
    return tuple(copy for copy in copies if copy.source in paths or copy.destination in paths)
