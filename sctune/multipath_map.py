"""The multipath maps over disks, with their paths. Pure.

The map is known from two sides: /sys/block tells what is stacked on what to everybody, device-mapper's status tells root which
paths the kernel uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.dm import MultipathStatus
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice

_UUID = "mpath-"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPath:
    """One path of a map: the disk's kernel name ("" where the kernel has no such disk any more) and number; whether multipath
    uses it and how often it was given up, None where device-mapper did not tell; SCSI's word for the disk (running, blocked,
    offline, transport-offline) and the number of its iSCSI session, None where it has none."""

    name: str
    device: tuple[int, int]
    active: bool | None
    failures: int | None
    device_state: str | None
    session: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathMap:
    """A multipath map: its name (/dev/mapper/NAME), kernel name (dm-N) and WWID; its paths, and whether I/O waits where none is
    left (None: not known)."""

    name: str
    kernel_name: str
    device: tuple[int, int]
    wwid: str
    paths: tuple[MapPath, ...]
    queues: bool | None


def multipath_maps(blocks: Iterable[BlockDevice], dms: Iterable[DmDevice]) -> dict[tuple[int, int], MultipathMap]:
    """Every multipath map, by the numbers of the disks that are its paths: all at once, since a host may have a thousand. A disk
    has one map at most: multipathd takes it whole."""
    by_name = {block.name: block for block in blocks}
    by_device = {block.device: block for block in by_name.values()}
    found: dict[tuple[int, int], MultipathMap] = {}
    for dm in dms:
        if dm.uuid.startswith(_UUID):
            over = _map(dm, by_name, by_device)
            for path in over.paths:
                found.setdefault(path.device, over)
    return found


def _status(dm: DmDevice) -> MultipathStatus | None:
    return next((target.status for target in known(dm.targets) or () if isinstance(target.status, MultipathStatus)), None)


def _paths_of(dm: DmDevice, by_name: dict[str, BlockDevice]) -> tuple[tuple[int, int], ...]:
    """The numbers of its paths, from its status; else from its slaves, among which a partition stands as its disk."""
    status = _status(dm)
    if status is not None:
        return tuple(path.device for path in status.paths)
    own = by_name.get(dm.kernel_name)
    return tuple(by_name[name].device for name in (own.slaves if own else ()) if name in by_name)


def _map(dm: DmDevice, by_name: dict[str, BlockDevice], by_device: dict[tuple[int, int], BlockDevice]) -> MultipathMap:
    status = _status(dm)
    told = {path.device: path for path in status.paths} if status is not None else {}
    paths = []
    for device in dict.fromkeys(_paths_of(dm, by_name)):
        block, path = by_device.get(device), told.get(device)
        paths.append(
            MapPath(
                name=block.name if block else "",
                device=device,
                active=path.active if path else None,
                failures=path.failures if path else None,
                device_state=block.device_state if block else None,
                session=block.session if block else None,
            )
        )
    return MultipathMap(
        name=dm.name,
        kernel_name=dm.kernel_name,
        device=dm.device,
        wwid=dm.uuid.removeprefix(_UUID),
        paths=tuple(paths),
        queues=status.queues if status is not None else None,
    )
