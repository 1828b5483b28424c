"""Who is who: the indexes by which links are joined.

Joined by device number and inode, by LV uuid, by backing path after normalising; by name only where nothing harder exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.paths import normalise
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import Host
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.chain import AnyLun
    from sctune.model.dm import DmDevice
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import LogicalVolume, PhysicalVolume
    from sctune.model.store import StoreFile


def normal(path: str) -> str:
    """A backing path as it is compared; one that is none (the name of a device of tgt's own) stays as it is."""
    return normalise(path) if path.startswith("/") else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The records of one look, by what other records call them.

    `lv_by_path` knows /dev/VG/LV and /dev/mapper names; `lv_by_device` and `dm_by_device` (major, minor). `loops_of_pv` maps a
    PV's uuid to the loop under it. `file_by_identity` maps (device, inode).
    """

    lvs: tuple[LogicalVolume, ...]
    lv_by_path: Mapping[str, LogicalVolume]
    lv_by_device: Mapping[tuple[int, int], LogicalVolume]
    pv_by_uuid: Mapping[str, PhysicalVolume]
    loop_of_pv: Mapping[str, LoopDevice]
    loops: tuple[LoopDevice, ...]
    loop_by_name: Mapping[str, LoopDevice]
    loop_by_device: Mapping[tuple[int, int], LoopDevice]
    dm_by_uuid: Mapping[str, DmDevice]
    files: tuple[StoreFile, ...]
    file_by_identity: Mapping[tuple[int, int], StoreFile]
    file_by_path: Mapping[str, StoreFile]
    block_by_name: Mapping[str, BlockDevice]
    block_by_device: Mapping[tuple[int, int], BlockDevice]

    def dm_of(self, lv: LogicalVolume) -> DmDevice | None:
        """The kernel's device of an LV, None when it is not active."""
        return self.dm_by_uuid.get(lv.dm_uuid)

    def loops_under(self, lv: LogicalVolume) -> tuple[LoopDevice, ...]:
        """The loop devices an LV's segments lie on."""
        found = {loop.name: loop for uuid in lv.pv_uuids if (loop := self.loop_of_pv.get(uuid)) is not None}
        return tuple(found.values())

    def file_of(self, loop: LoopDevice) -> StoreFile | None:
        """The file behind a loop device: the same inode; by path only where the inode could not be had."""
        if loop.deleted:
            return None
        if (identity := getattr(loop.backing, "inode", None)) is not None:
            return self.file_by_identity.get((getattr(loop.backing, "device", 0), identity))
        return self.file_by_path.get(loop.backing_file)

    def file_behind(self, lun: AnyLun) -> StoreFile | None:
        """The file a LUN serves: the same inode where the target tells it, else by its path."""
        if (identity := lun.identity) is not None and (file := self.file_by_identity.get(identity)) is not None:
            return file
        return self.file_by_path.get(normal(lun.backing_path))

    def lv_behind(self, lun: AnyLun, host: Host) -> LogicalVolume | None:
        """The LV a LUN serves: by the device that the target holds open where it tells that; else by its path, else by the device
        number of the node."""
        if lun.device is not None:
            return self.lv_by_device.get(lun.device)
        path = normal(lun.backing_path)
        if (lv := self.lv_by_path.get(path)) is not None:
            return lv
        if self._loop_named(path) is not None:
            return None
        device = device_behind(path, host)
        return self.lv_by_device.get(device) if device is not None else None

    def _loop_named(self, path: str) -> LoopDevice | None:
        name = path.rpartition("/")[2]
        return self.loop_by_name.get(name) if path == f"/dev/{name}" else None

    def loop_behind(self, lun: AnyLun, host: Host) -> LoopDevice | None:
        """The loop device a LUN serves."""
        if lun.device is not None:
            return self.loop_by_device.get(lun.device)
        path = normal(lun.backing_path)
        if (loop := self._loop_named(path)) is not None:
            return loop
        device = device_behind(path, host)
        return self.loop_by_device.get(device) if device is not None else None

    def loops_below(self, device: tuple[int, int] | None) -> tuple[LoopDevice, ...]:
        """The attached loop devices under a block device, however deep, by sysfs' slaves: what is left where LVM does not
        answer."""
        found: dict[str, LoopDevice] = {}
        start = self.block_by_device.get(device) if device is not None else None
        pending = [start.name] if start else []
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.loop_by_name:
                found[name] = self.loop_by_name[name]
            elif name in self.block_by_name:
                pending.extend(self.block_by_name[name].slaves)
        return tuple(found.values())


def device_behind(path: str, host: Host) -> tuple[int, int] | None:
    """(major, minor) of a node under /dev, links followed; None for anything else."""
    if not path.startswith("/dev/"):
        return None
    return getattr(host.stat(path), "rdevice", None)


def index(inventory: Inventory) -> Index:
    """Builds the index from whatever parts answered; a part that did not leaves its links empty."""
    report = known(inventory.lvm)
    state = known(inventory.loops)
    stores = known(inventory.stores) or ()
    lvs = report.logical_volumes if report else ()
    loops = state.devices if state else ()
    files = tuple(file for store in stores for file in (known(store.files) or ()))
    blocks = known(inventory.block) or ()
    by_device = {loop.device: loop for loop in loops}
    return Index(
        lvs=lvs,
        # Of two VGs of one name only one can be active, and the paths are its own.
        lv_by_path={path: lv for lv in sorted(lvs, key=lambda lv: lv.active) for path in (lv.path, lv.dm_path) if path},
        lv_by_device={lv.device: lv for lv in lvs if lv.device is not None},
        pv_by_uuid={pv.uuid: pv for pv in (report.physical_volumes if report else ()) if not pv.duplicate},
        loop_of_pv={
            pv.uuid: by_device[pv.device]
            for pv in (report.physical_volumes if report else ())
            if pv.device in by_device and not pv.duplicate
        },
        loops=loops,
        loop_by_name={loop.name: loop for loop in loops},
        loop_by_device=by_device,
        dm_by_uuid={device.uuid: device for device in (known(inventory.dm) or ())},
        files=files,
        file_by_identity={(file.device, file.inode): file for file in files},
        file_by_path={file.path: file for file in files},
        block_by_name={device.name: device for device in blocks},
        block_by_device={device.device: device for device in blocks},
    )
