"""The layers of a volume that is there, to be read and nothing else. Pure, but for what its inventory asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.ground import served
from sctune.bench.model import Layer, Place, Served, Tool
from sctune.model.lio import LioTarget
from sctune.records import dataclass
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Export

_OPEN_TO_US = frozenset({"ALL", "127.0.0.1"})
_LOGGED_IN = ("logged_in", "LOGGED_IN")
_RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Places from the file up, layers that are there and cannot be read and why; who uses the volume now, in words; how much of its
    file (0..1) was never written, None where there is no file."""

    places: tuple[Place, ...]
    left_out: tuple[tuple[Layer, str], ...]
    users: tuple[str, ...]
    never_written: float | None
    iqn: str = ""


def layers_of(chain: Chain, inventory: Inventory, *, size: int, wanted: tuple[Layer, ...]) -> Found:
    """What of the volume can be read: at most `size` bytes from its beginning."""
    places: list[Place] = []
    left_out: list[tuple[Layer, str]] = []
    for layer, place in _places(chain, inventory, size):
        if wanted and layer not in wanted:
            continue
        if isinstance(place, str):
            left_out.append((layer, place))
        else:
            places.append(place)
    file = chain.file
    unwritten = max(0.0, 1 - file.allocated / file.apparent) if file is not None and file.apparent else None
    return Found(
        places=tuple(places),
        left_out=tuple(left_out),
        users=tuple(_users(chain, inventory)),
        never_written=unwritten,
        iqn=chain.exports[0].target.iqn if chain.exports else "",
    )


def _places(chain: Chain, inventory: Inventory, size: int) -> Iterator[tuple[Layer, Place | str]]:
    total = size
    if chain.file is not None:
        total = min(total, chain.file.apparent)
        yield Layer.FILE, Place(layer=Layer.FILE, address=chain.file.path, size=total)
    for loop in chain.loops[:1]:
        total = min(total, loop.size)
        yield Layer.LOOP, Place(layer=Layer.LOOP, address=f"/dev/{loop.name}", size=total, device=loop.name)
    if chain.dm is not None:
        total = min(total, _size_of(inventory, chain.dm.kernel_name) or total)
        if chain.dm.suspended:
            yield Layer.LV, f"/dev/{chain.dm.kernel_name} is suspended: whoever reads it hangs"
        else:
            name = chain.dm.kernel_name
            yield Layer.LV, Place(layer=Layer.LV, address=f"/dev/{name}", size=total, device=name)
    for export in chain.exports[:1]:
        yield Layer.TARGET, _through(export, inventory, total)
    for local in chain.disks[:1]:
        name = local.disk.name
        if local.session.state not in _LOGGED_IN or local.disk.device_state not in (None, _RUNNING):
            yield Layer.DISK, f"/dev/{name}: its session is {local.session.state}, whoever reads it hangs"
        else:
            yield Layer.DISK, Place(layer=Layer.DISK, address=f"/dev/{name}", size=total, device=name)


def _size_of(inventory: Inventory, name: str) -> int | None:
    return next((one.size for one in known(inventory.devices) or () if one.name == name), None)


def _through(export: Export, inventory: Inventory, size: int) -> Place | str:
    """By an initiator of our own, where the target takes one from this host without a secret."""
    target = export.target
    if isinstance(target, LioTarget):
        return "LIO lets initiators in by their names: what it serves is measured by the disk of a session of this host"
    if target.driver != "iscsi":
        return f"{target.iqn} is no iSCSI target"
    if target.accounts:
        return "the target demands CHAP, and sctune asks for no secret"
    if not _OPEN_TO_US & set(target.acls):
        return "the target takes no initiator from 127.0.0.1"
    daemon = served(inventory, target.control_port)
    if not isinstance(daemon, Served):
        return daemon
    url = f"iscsi://127.0.0.1:{daemon.portal.port}/{target.iqn}/{export.lun.number}"
    return Place(layer=Layer.TARGET, address=url, size=size, tool=Tool.ISCSI_PERF)


def _users(chain: Chain, inventory: Inventory) -> Iterator[str]:
    """Who would notice."""
    for export in chain.exports:
        for nexus in export.nexuses:
            yield f"initiator {nexus.initiator}"
    for copy in chain.copies:
        yield f"a copy, pid {copy.process.pid}"
    devices = {loop.device: f"/dev/{loop.name}" for loop in chain.loops}
    names = {loop.name for loop in chain.loops} | {local.disk.name for local in chain.disks}
    if chain.dm is not None:
        names.add(chain.dm.kernel_name)
    for block in known(inventory.devices) or ():
        if block.name in names:
            devices[block.device] = f"/dev/{block.name}"
    mounts = inventory.mounts
    if isinstance(mounts, Unavailable):
        yield f"nobody can tell who, since {mounts}"
    else:
        yield from (f"a mount at {one.point}" for one in mounts if one.device in devices)
    if chain.snapshots:
        yield f"{len(chain.snapshots)} snapshots of it"
