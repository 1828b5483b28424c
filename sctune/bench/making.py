"""Making the layers of a scratch volume, each on the one below it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from sctune.bench import fio
from sctune.bench.model import Layer, Place, Tool
from sctune.bench.tools import first_line
from sctune.records import replace
from sctune.tuning.writer import Refused
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.bench.model import Served
    from sctune.bench.scratch import Scratch
    from sctune.bench.tools import Tools
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.tuning.calls import Calls

_FIRST_TID = 32001
"""Clouds count their targets from 1: one of ours must not have the id that the next of theirs is going to have."""
_FILL_LEAST = 2 * 1024 * 1024
"""Bytes a second; a store that takes longer to be filled is given up."""


class Maker:
    """Makes them. All raise Refused and OSError; what was made until then is removed by whoever wrote the note."""

    def __init__(self, scratch: Scratch, *, tools: Tools, calls: Calls, look: Callable[[], Inventory]) -> None:
        self._scratch = scratch
        self._tools = tools
        self._calls = calls
        self._look = look

    def make_file(self, size: int, *, engine: str) -> Place:
        """The backing file, written from end to end."""
        scratch = self._scratch
        self._calls.make_folder(scratch.folder, 0o700)
        found = os.lstat(scratch.folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise Refused(f"{scratch.folder} is not the folder that was made")
        self._calls.sync_folder(scratch.store)
        argv = fio.prefill(scratch.file, size, name=scratch.job, engine=engine)
        answer = self._tools.measure(argv, 60 + size / _FILL_LEAST)
        if isinstance(answer, Unavailable):
            raise Refused(f"the file could not be written: {answer.detail or answer.reason}")
        parsed = fio.parse(answer.stdout)
        if answer.status or isinstance(parsed, Unavailable):
            said = first_line(answer.stderr) or (str(parsed) if isinstance(parsed, Unavailable) else f"exit status {answer.status}")
            raise Refused(f"the file could not be written: {said}")
        return Place(layer=Layer.FILE, address=scratch.file, size=size)

    def attach(self, below: Place, *, direct_io: bool) -> Place:
        """A loop device on the file."""
        told = ("--direct-io=on",) if direct_io else ()
        self._tools.do("losetup", "--find", *told, below.address)
        state = known(self._look().loops)
        names = [one.name for one in state.devices if one.backing_file == self._scratch.file] if state is not None else []
        if len(names) != 1:
            raise Refused(f"losetup attached {below.address}, and the kernel shows {len(names)} loop devices on it")
        return Place(layer=Layer.LOOP, address=f"/dev/{names[0]}", size=below.size, device=names[0])

    def make_lv(self, below: Place) -> Place:
        """One LV over all of the loop device. LVM is told of that device alone, and keeps no copy of the metadata in /etc/lvm."""
        scratch = self._scratch
        accept = f'["a|^{below.address}$|","r|.*|"]'
        config = (
            f'devices{{use_devicesfile=0 hints="none" filter={accept} global_filter={accept}}} '
            "activation{monitoring=0} backup{backup=0 archive=0}"
        )
        self._tools.do("lvm", "pvcreate", "-q", "-y", "--config", config, below.address)
        self._tools.do("lvm", "vgcreate", "-q", "-y", "--config", config, scratch.vg, below.address)
        argv = ("lvm", "lvcreate", "-q", "-y", "-Wn", "-Zn", "--config", config, "-l", "100%FREE", "-n", "lv", scratch.vg)
        self._tools.do(*argv)
        inventory = self._look()
        kernel_name = next((one.kernel_name for one in known(inventory.dm) or () if one.name == scratch.dm_name), "")
        device = next((one for one in known(inventory.devices) or () if one.name == kernel_name), None)
        if device is None:
            raise Refused(f"lvcreate made {scratch.vg}/lv, and device-mapper shows no {scratch.dm_name}")
        address = f"/dev/mapper/{scratch.dm_name}"
        return Place(layer=Layer.LV, address=address, size=min(device.size, below.size), device=kernel_name)

    def export(self, below: Place, served: Served, *, tool: Tool) -> Place:
        """A target that takes initiators from 127.0.0.1 alone: the LUN comes after the ACL."""
        tid = next(one for one in range(_FIRST_TID, _FIRST_TID + 10000) if one not in served.tids)
        admin = ("tgtadm", "-C", str(served.control_port), "--lld", "iscsi")
        at = ("--tid", str(tid))
        self._tools.do(*admin, "--op", "new", "--mode", "target", *at, "-T", self._scratch.iqn)
        self._tools.do(*admin, "--op", "bind", "--mode", "target", *at, "-I", "127.0.0.1")
        self._tools.do(*admin, "--op", "new", "--mode", "logicalunit", *at, "--lun", "1", "-b", below.address)
        url = f"iscsi://127.0.0.1:{served.portal.port}/{self._scratch.iqn}/1"
        return replace(below, layer=Layer.TARGET, address=url, tool=tool, device="")


def objection(place: Place, inventory: Inventory, *, own: str) -> str:
    """Why a device must not be written to: somebody has it mounted, stands on it, or LVM says that it is a PV. "" where nothing is
    against it. `own` is the file that its loop device has to be on, where it is one."""
    if not place.device:
        return ""
    devices = inventory.devices
    mounts = inventory.mounts
    if isinstance(devices, Unavailable):
        return f"cannot tell who uses {place.address}: {devices}"
    if isinstance(mounts, Unavailable):
        return f"cannot tell what is mounted: {mounts}"
    device = next((one for one in devices if one.name == place.device), None)
    if device is None:
        return f"{place.address} is gone"
    if mount := next((one for one in mounts if one.device == device.device), None):
        return f"{place.address} is mounted at {mount.point}"
    if device.holders:
        return f"{place.address} is in use by {', '.join(device.holders)}"
    return _loop_objection(place, device, inventory, own)


def _loop_objection(place: Place, device: BlockDevice, inventory: Inventory, own: str) -> str:
    lvm = inventory.lvm
    if not isinstance(lvm, Unavailable) and (
        pv := next((one for one in lvm.physical_volumes if one.device == device.device), None)
    ):
        return f"{place.address} is a PV of {pv.vg or 'LVM'}"
    if place.layer is not Layer.LOOP:
        return ""
    state = known(inventory.loops)
    file = next((one.backing_file for one in state.devices if one.name == device.name), "") if state is not None else ""
    return "" if file == own else f"{place.address} is on {file or 'no file that is known'}, and not on {own}"
