"""What a scratch benchmark finds on this machine before it plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.model import Served
from sctune.bench.plan import Ground
from sctune.bench.tools import NEEDED
from sctune.host.base import FileKind
from sctune.tuning.writer import Refused
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.bench.tools import Tools
    from sctune.host.base import FileStat
    from sctune.inventory import Inventory

_LOCAL = ("127.0.0.1", "0.0.0.0")  # noqa: S104 - compared with, not bound to


def look(store: str, inventory: Inventory, tools: Tools, engines: frozenset[str], *, control_port: int) -> Ground:
    """All that the plan depends on."""
    host = inventory.host
    loops, dm = inventory.loops, host.list("/sys/class/misc/device-mapper")
    return Ground(
        space=host.space(store),
        engines=engines,
        tools={tool: tools.finds(tool) for tool in NEEDED},
        loops=str(loops) if isinstance(loops, Unavailable) else "",
        device_mapper="no device-mapper in this kernel" if isinstance(dm, Unavailable) else "",
        served=served(inventory, control_port),
    )


def served(inventory: Inventory, control_port: int) -> Served | str:
    """The tgtd of that control port where this host reaches it from 127.0.0.1, or why not."""
    state = inventory.tgt
    if isinstance(state, Unavailable):
        return "no tgtd runs" if state.reason is Reason.ABSENT else f"tgtd: {state}"
    daemon = next((one for one in state.daemons if one.control_port == control_port), None)
    if daemon is None:
        silent = next((one for one in state.unanswered if one.what.endswith(f".{control_port}")), None)
        return f"tgtd: {silent}" if silent is not None else f"no tgtd answers on control port {control_port}"
    portal = next((one for one in daemon.portals if one.address in _LOCAL), None)
    if portal is None:
        return "tgtd listens on no address that 127.0.0.1 reaches"
    return Served(control_port=control_port, portal=portal, tids=frozenset(one.tid for one in daemon.targets))


def check_folder(path: str, found: FileStat | Unavailable) -> None:
    """Raises Refused for what is no folder, or one in which anybody could put another thing in the place of ours."""
    if isinstance(found, Unavailable):
        raise Refused(f"cannot use {path}: {found.detail or found.reason}", "Name another folder with --in.")
    if found.kind is not FileKind.DIRECTORY:
        raise Refused(f"{path} is no folder", "Name one with --in.")
    if found.mode & 0o002 and not found.mode & 0o1000:
        raise Refused(f"anybody may change what is in {path}", "Name a folder that is not everybody's with --in.")


def default_store(inventory: Inventory) -> str:
    """The configured store, else the first there is. Raises Refused where there is none."""
    for store in inventory.config.stores:
        return store
    for found in known(inventory.stores) or ():
        return found.path
    raise Refused("there is no volume store here", "Name a folder on the disk to be measured with --in.")


def as_others(inventory: Inventory, store: str) -> bool:
    """Whether the host's own loop devices, those of the store first, have direct I/O on: most of them. Off where there are none, as
    losetup makes them."""
    state = known(inventory.loops)
    if state is None:
        return False
    here = [one for one in state.devices if one.backing_file.startswith(store.rstrip("/") + "/")] or list(state.devices)
    return sum(one.direct_io for one in here) * 2 > len(here)
