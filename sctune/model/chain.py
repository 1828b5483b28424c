"""The chain of one volume: file - loop - PV - VG - LV (- snapshots and their COW stores) - target and LUN - session - local disk.

A link that is not there is None or (); what that means is a check's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sctune.findings import Subject, SubjectKind
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.backends.base import Backend
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice, SnapshotStatus
    from sctune.model.initiator import IscsiSession
    from sctune.model.lio import LioLun, LioTarget
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import LogicalVolume, PhysicalVolume
    from sctune.model.process import Copy
    from sctune.model.store import StoreFile
    from sctune.model.target import Lun, Nexus, Target

AnyTarget: TypeAlias = "Target | LioTarget"
AnyLun: TypeAlias = "Lun | LioLun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One LUN of one target that serves the volume, tgt's or LIO's."""

    target: AnyTarget
    lun: AnyLun

    @property
    def nexuses(self) -> tuple[Nexus, ...]:
        """The initiators that are logged in to the target and see the LUN."""
        return self.target.nexuses_of(self.lun.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDisk:
    """A disk of this very host that came through a session with one of its own targets, or with another host's."""

    session: IscsiSession
    disk: BlockDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLink:
    """A snapshot of the volume's LV, COW or thin. `status` is device-mapper's, None where it could not be had or the LV is
    inactive. `cow_loops` are the loop devices under its COW store, by name."""

    subject: Subject
    lv: LogicalVolume
    dm: DmDevice | None
    status: SnapshotStatus | None
    cow_loops: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One volume from file to session. `id` is the volume's name in its system, or the most lasting name there is.

    `lv` is the origin, `dm` its device in the kernel. `copies` are running dd, gunzip or tar that read or write any part of it.
    `ours` is whether a cloud made it (a generic host's root LV is a chain too, but nobody's volume).
    """

    id: str
    subject: Subject
    backend: Backend
    ours: bool
    file: StoreFile | None
    loops: tuple[LoopDevice, ...]
    pvs: tuple[PhysicalVolume, ...]
    lv: LogicalVolume | None
    dm: DmDevice | None
    snapshots: tuple[SnapshotLink, ...]
    exports: tuple[Export, ...]
    disks: tuple[LocalDisk, ...]
    copies: tuple[Copy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """All chains of a host, and the subjects that findings about their parts have.

    `backends` are those seen on this host, the main one first. `by_loop` maps a loop's name, `by_lv` an LV's uuid, `by_export`
    (target IQN, LUN number) to the chain it belongs to; what belongs to no chain is not in them.
    """

    chains: tuple[Chain, ...]
    backends: tuple[Backend, ...]
    by_loop: Mapping[str, Chain]
    by_lv: Mapping[str, Chain]
    by_export: Mapping[tuple[str, int], Chain]
    snapshot_subjects: Mapping[str, Subject]

    def subject_of_loop(self, loop: LoopDevice) -> Subject:
        """The volume on this loop device, or the loop by its backing file (numbers do not last; a device whose file the kernel
        cannot name has nothing else). One under a VG of many volumes is none of theirs."""
        chain = self.by_loop.get(loop.name)
        if chain is not None and chain.ours and not chain.backend.shared_group:
            return chain.subject
        return Subject(kind=SubjectKind.LOOP, id=loop.backing_file or f"/dev/{loop.name}")

    def subject_of_lv(self, lv: LogicalVolume) -> Subject:
        """The snapshot or volume this LV is, or VG/LV."""
        if lv.uuid in self.snapshot_subjects:
            return self.snapshot_subjects[lv.uuid]
        chain = self.by_lv.get(lv.uuid)
        # An LV that is nobody's volume has a chain of its own, which is called after it.
        if chain is not None and (chain.ours or chain.subject.kind is SubjectKind.LV):
            return chain.subject
        return Subject(kind=SubjectKind.LV, id=lv.full_name)

    def subject_of_lun(self, target: AnyTarget, lun: AnyLun) -> Subject:
        """The volume this LUN serves, or IQN/LUN."""
        chain = self.by_export.get((target.iqn, lun.number))
        if chain is not None and chain.ours:
            return chain.subject
        return Subject(kind=SubjectKind.LUN, id=f"{target.iqn}/{lun.number}")

    def subject_of_target(self, target: AnyTarget) -> Subject:
        """The volume this target serves where it serves exactly one, or that its name tells where it serves none; else its IQN."""
        served = {chain.id: chain for lun in target.luns if (chain := self.by_export.get((target.iqn, lun.number))) is not None}
        if len(served) == 1:
            chain = next(iter(served.values()))
            if chain.ours:
                return chain.subject
        # A target without its disk: a name may still tell.
        told = {name for backend in self.backends if not served and (name := backend.target_volume(target.iqn))}
        if told:
            return Subject(kind=SubjectKind.VOLUME, id=told.pop())
        return Subject(kind=SubjectKind.TARGET, id=target.iqn)
