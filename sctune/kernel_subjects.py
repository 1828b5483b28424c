"""What the kernel's log speaks of: the device of a line joined to the volume, LV, session, file system or disk it is. Pure.

A name that nobody has now, or that something newer has, is joined to nothing: a memory stick that was pulled out and a volume that
was deleted are not this host's trouble any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.disk_names import whole
from sctune.disk_state import CODE as DISK_FAILING
from sctune.disk_state import disk_subject, failing_disks
from sctune.findings import HOST, Cause, Subject, SubjectKind
from sctune.initiator import session_subject
from sctune.lvm_view import by_uuid, pool_status, snapshot_view, subject_of
from sctune.model.block import BlockKind
from sctune.model.dm import PoolMode, SnapshotState
from sctune.model.kernel_log import FaultKind
from sctune.probes.dm_text import lvm_name
from sctune.store_view import filesystems, used_ratio
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice
    from sctune.model.initiator import IscsiSession
    from sctune.model.kernel_log import KernelFault
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import LogicalVolume
    from sctune.store_view import StoreFilesystem

_ZEROS = "TARGET_SERVES_ZEROS"
_LVM_UUID = len("LVM-") + 64
_KINDS = (BlockKind.DISK, BlockKind.NVME, BlockKind.VIRTIO, BlockKind.LOOP, BlockKind.DM, BlockKind.MD)


class KernelSubjects:
    """Joins the lines of one look's log."""

    def __init__(self, inventory: Inventory, full: float) -> None:
        """`full` is how full (0..1) a store must be to explain that its loop devices could not write."""
        self._inventory = inventory
        self._full = full
        self._blocks = {device.name: device for device in known(inventory.block) or ()}
        self._numbers = {f"{device.device[0]}:{device.device[1]}": device for device in self._blocks.values()}
        loops = known(inventory.loops)
        self._loops = {loop.name: loop for loop in (loops.devices if loops else ())}
        self._dm = {device.kernel_name: device for device in known(inventory.dm) or ()}
        report = known(inventory.lvm)
        self._lvs = {lv.dm_uuid: lv for lv in ((*report.internal, *report.logical_volumes) if report else ())}
        self._sessions = {session.number: session for session in known(inventory.sessions) or ()}
        self._stores = filesystems(known(inventory.stores) or ())
        self._arrays = {array.name: array for array in known(inventory.raid) or ()}
        self._failing = {disk.device.name: disk.subject for disk in failing_disks(inventory)}

    def join(self, fault: KernelFault) -> tuple[Subject, Cause | None] | None:
        """What the lines are about, and the finding that explains them; None for what is not there any more or no matter."""
        if fault.session is not None:
            session = self._sessions.get(fault.session)
            return None if session is None else self._of_session(session)
        if not fault.device:
            return self._lost_snapshot() if fault.kind is FaultKind.SNAPSHOT_LOST else (HOST, None)
        device = self._numbers.get(fault.device) or self._blocks.get(fault.device) or self._blocks.get(whole(fault.device))
        if device is None or device.kind not in _KINDS or device.removable or self._is_younger(device, fault):
            return None
        if fault.kind is FaultKind.FILESYSTEM and (store := self._store_on(fault.device, device)) is not None:
            broken = any(one.errors for one in store.stores)
            return store.subject, Cause(code="STORE_FILESYSTEM_ERRORS", subject=store.subject) if broken else None
        return self._of_device(device)

    def _of_device(self, device: BlockDevice) -> tuple[Subject, Cause | None] | None:
        if device.kind is BlockKind.LOOP:
            loop = self._loops.get(device.name)
            return None if loop is None else self._of_loop(loop)  # idle: what was said is over
        if device.kind is BlockKind.DM:
            return self._of_dm(device)
        if device.kind is BlockKind.MD:
            array = self._arrays.get(device.name)
            subject = Subject(kind=SubjectKind.DISK, id=device.name)
            return subject, Cause(code="RAID_DEGRADED", subject=subject) if array is not None and array.degraded else None
        if device.session is not None and (session := self._sessions.get(device.session)) is not None:
            subject, cause = self._of_session(session)
            return self._volume_of_disk(device) or subject, cause or self._zeros(session, device)
        failing = self._failing.get(device.name)
        return disk_subject(self._inventory, device.name), Cause(code=DISK_FAILING, subject=failing) if failing else None

    def _of_session(self, session: IscsiSession) -> tuple[Subject, Cause | None]:
        subject = session_subject(session)
        return subject, Cause(code="ISCSI_SESSION_FAILED", subject=subject) if session.state != "LOGGED_IN" else None

    def _zeros(self, session: IscsiSession, device: BlockDevice) -> Cause | None:
        """That the disk is one that LIO, here, puts in the place of a LUN without backstore: what lies behind its 32 KiB fails."""
        lio, chains = known(self._inventory.lio_state), known(self._inventory.chains)
        if lio is None or chains is None or not session.local:
            return None
        for target in lio.targets:
            if target.iqn != session.target or device.target_lun != 0:
                continue
            if target.nexuses and not target.luns:
                return Cause(code=_ZEROS, subject=chains.subject_of_target(target))
            for lun in target.luns:
                if not lun.online and target.number_in(session, lun.number) == 0:
                    return Cause(code=_ZEROS, subject=chains.subject_of_lun(target, lun))
        return None

    def _volume_of_disk(self, device: BlockDevice) -> Subject | None:
        chains = known(self._inventory.chains)
        for chain in chains.chains if chains else ():
            if chain.ours and any(local.disk.name == device.name for local in chain.disks):
                return chain.subject
        return None

    def _of_loop(self, loop: LoopDevice) -> tuple[Subject, Cause | None]:
        chains = known(self._inventory.chains)
        named = Subject(kind=SubjectKind.LOOP, id=loop.backing_file or f"/dev/{loop.name}")
        return chains.subject_of_loop(loop) if chains else named, self._full_store(loop)

    def _full_store(self, loop: LoopDevice) -> Cause | None:
        folder = loop.backing_file.rpartition("/")[0]
        for group in self._stores:
            space = group.space
            if folder in group.paths and not isinstance(space, Unavailable) and (used_ratio(space) or 0.0) >= self._full:
                return Cause(code="STORE_NEARLY_FULL", subject=group.subject)
        return None

    def _of_dm(self, device: BlockDevice) -> tuple[Subject, Cause | None]:
        dm = self._dm.get(device.name)
        lv = self._lv_of(dm)
        if lv is None:
            return self._unknown_to_lvm(dm, device), None
        subject = subject_of(self._inventory, lv)
        return subject, self._lv_cause(lv, subject)

    def _unknown_to_lvm(self, dm: DmDevice | None, device: BlockDevice) -> Subject:
        """A device of another maker by its name (multipath, crypt); an LV that LVM does not tell of by what its name says."""
        parts = lvm_name(dm.name) if dm is not None and dm.uuid.startswith("LVM-") else None
        if parts is not None:
            return Subject(kind=SubjectKind.LV, id=f"{parts[0]}/{parts[1]}")
        return Subject(kind=SubjectKind.DISK, id=dm.name if dm else device.name)

    def _lv_of(self, dm: DmDevice | None) -> LogicalVolume | None:
        return None if dm is None else self._lvs.get(dm.uuid[:_LVM_UUID])

    def _lv_cause(self, lv: LogicalVolume, subject: Subject) -> Cause | None:
        devices = by_uuid(self._inventory.dm)
        if lv.is_snapshot and snapshot_view(lv, devices, None).state not in (None, SnapshotState.ACTIVE):
            return Cause(code="LVM_SNAPSHOT_INVALID", subject=subject)
        pool = lv if "thin-pool" in lv.segment_types else self._pool_of(lv)
        status = pool_status(pool, devices) if pool is not None else None
        if pool is not None and status is not None and (status.mode is not PoolMode.RW or status.needs_check):
            return Cause(code="LVM_THIN_POOL_BROKEN", subject=subject_of(self._inventory, pool))
        return None

    def _pool_of(self, lv: LogicalVolume) -> LogicalVolume | None:
        if not lv.pool:
            return None
        return next((one for one in self._lvs.values() if one.vg_uuid == lv.vg_uuid and one.name == lv.pool), None)

    def _lost_snapshot(self) -> tuple[Subject, Cause | None]:
        """The line names no snapshot: where one alone is lost now, it is the one."""
        devices = by_uuid(self._inventory.dm)
        lost = [
            lv
            for lv in self._lvs.values()
            if lv.is_snapshot and snapshot_view(lv, devices, None).state in (SnapshotState.INVALID, SnapshotState.OVERFLOW)
        ]
        subjects = [subject_of(self._inventory, lv) for lv in lost]
        cause = Cause(code="LVM_SNAPSHOT_INVALID", subject=subjects[0]) if subjects else None
        return (subjects[0] if len(subjects) == 1 else HOST), cause

    def _store_on(self, name: str, device: BlockDevice) -> StoreFilesystem | None:
        for group in self._stores:
            mount = group.mount
            if mount is not None and (mount.source == f"/dev/{name}" or mount.device == device.device):
                return group
        return None

    def _is_younger(self, device: BlockDevice, fault: KernelFault) -> bool:
        """Whether a device-mapper device was made after the lines were logged: numbers are given anew. udev's clock and the log's
        are not quite the same, and differ by more the longer a host runs."""
        dm = self._dm.get(device.name)
        log = known(self._inventory.kernel_log)
        if dm is None or dm.activated is None or fault.last is None or log is None or log.suspended:
            return False
        return fault.last < dm.activated - 1.0 - 1e-4 * dm.activated


def without_doubles(faults: Iterable[KernelFault]) -> tuple[KernelFault, ...]:
    """The same without what only repeats another: a loop device's write error names no device, and the block layer's line about
    the same request does."""
    every = tuple(faults)
    named = any(fault.device.startswith("loop") for fault in every)
    return tuple(fault for fault in every if not (fault.kind is FaultKind.LOOP_WRITE and named))
