"""A record of the inventory as a link of a chain: what is worth telling of it, and where that was read. Pure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.choose import GENERIC
from sctune.chain_lio import target_link
from sctune.guest_disks import guest_index
from sctune.lvm_view import by_uuid, snapshot_view
from sctune.model.dm import SnapshotState
from sctune.model.guest import GuestOrigin
from sctune.model.lio import LioLun, LioTarget
from sctune.model.target import Lun
from sctune.model.tree import Layer, Link, Mark
from sctune.records import replace
from sctune.store_view import filesystems, used_ratio
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from sctune.findings import Evidence, Value
    from sctune.inventory import Inventory
    from sctune.model.chain import Export, LocalDisk, SnapshotLink
    from sctune.model.dm import DmDevice
    from sctune.model.guest import GuestDisk
    from sctune.model.initiator import IscsiSession
    from sctune.model.loop import LoopDevice
    from sctune.model.lvm import LogicalVolume, PhysicalVolume
    from sctune.model.process import Copy
    from sctune.model.store import StoreFile
    from sctune.model.target import Nexus
    from sctune.multipath_map import MapPath, MultipathMap

_LVM = "lvm fullreport"
_SYSFS = "/sys/block"
_TGT = "tgtd (show target)"


class Links:
    """Makes the links of one look."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._stores = {path: group for group in filesystems(known(inventory.stores) or ()) for path in group.paths}
        report = known(inventory.lvm)
        self._vgs = {vg.uuid: vg for vg in (report.volume_groups if report else ())}
        state = known(inventory.loops)
        self._loops = {loop.name: loop for loop in (state.devices if state else ())}
        self._blocks = {device.name: device for device in known(inventory.block) or ()}
        guests = known(inventory.guests)
        self._guest_states = {
            guest.name: f"{guest.state} ({guest.reason})" if guest.reason else guest.state
            for guest in (guests.guests if guests else ())
            if guest.state
        }
        self._guest_index = guest_index(inventory)
        self._by_number = {device.device: device for device in self._blocks.values()}

    def file(self, file: StoreFile) -> Link:
        """A backing file, and the file system it lies on."""
        facts: dict[str, Value] = {"size": file.apparent, "allocated_bytes": file.allocated}
        store = self._stores.get(file.path.rpartition("/")[0])
        if store is not None:
            facts["file_system"] = f"{store.mount.filesystem} on {store.mount.point}" if store.mount else store.name
            space = store.space
            if not isinstance(space, Unavailable):
                facts["available"] = space.available
                facts["file_system_used"] = used_ratio(space)
        return Link(
            layer=Layer.FILE,
            name=file.path,
            facts=_facts(facts),
            source="stat(2), statvfs(3)",
            see=(f"ls -ls {quote(file.path)}", f"df {quote(file.path.rpartition('/')[0])}"),
        )

    def loop(self, loop: LoopDevice) -> Link:
        """A loop device; what its file should be stands below it."""
        facts: dict[str, Value] = {"size": loop.size, "direct_io": loop.direct_io}
        if loop.offset or loop.sizelimit:
            facts |= {"offset": loop.offset, "sizelimit": loop.sizelimit}
        facts |= {name: True for name, said in (("read_only", loop.read_only), ("autoclear", loop.autoclear)) if said}
        facts["backing_file"] = loop.backing_file + (" (deleted)" if loop.deleted else "")
        return Link(
            layer=Layer.LOOP,
            name=f"/dev/{loop.name}",
            facts=_facts(facts),
            source=f"{_SYSFS}/{loop.name}/loop",
            device=loop.name,
            see=(f"losetup --list /dev/{loop.name}",),
        )

    def pv(self, pv: PhysicalVolume) -> Link:
        """A PV, present or missing."""
        if pv.missing:
            note = "LVM finds it on no device" + (f"; it was on {pv.last_path}" if pv.last_path else "")
            see = ("pvs -o +pv_uuid,pv_missing",)
            return Link(layer=Layer.PV, name=pv.uuid, mark=Mark.MISSING, note=note, source=_LVM, see=see)
        facts: dict[str, Value] = {"uuid": pv.uuid, "size": pv.size, "free_bytes": pv.free}
        device = self._by_number.get(pv.device) if pv.device else None
        # A loop device's own counters stand on its own link.
        own = device.name if device is not None and device.name not in self._loops else ""
        return Link(
            layer=Layer.PV,
            name=pv.path,
            facts=_facts(facts),
            source=_LVM,
            device=own,
            see=(f"pvs -o +pv_uuid {quote(pv.path)}",),
        )

    def vg(self, lv: LogicalVolume) -> Link:
        """The VG of an LV."""
        vg = self._vgs.get(lv.vg_uuid)
        facts: dict[str, Value] = {}
        if vg is not None:
            facts = {"size": vg.size, "free_bytes": vg.free, "extent_size": vg.extent_size, "seqno": vg.seqno}
        return Link(layer=Layer.VG, name=lv.vg, facts=_facts(facts), source=_LVM, see=(f"vgs {quote(lv.vg)}",))

    def lv(self, lv: LogicalVolume, dm: DmDevice | None) -> Link:
        """An LV and its device in the kernel."""
        facts: dict[str, Value] = {"size": lv.size, "attributes": lv.attr, "active": lv.active}
        if lv.pool:
            facts |= {"pool": lv.pool, "data_used": lv.data_percent}
        if lv.tags:
            facts["tags"] = lv.tags
        if system := GENERIC.lv_name(lv.vg, lv.name, lv.tags).system:
            facts["named_by"] = system
        if dm is not None:
            facts |= {"device": f"/dev/{dm.kernel_name}", "mapper_name": dm.name, "suspended": dm.suspended}
        return Link(
            layer=Layer.LV,
            name=lv.full_name,
            facts=_facts(facts),
            source=_LVM + (f", {_SYSFS}/{dm.kernel_name}/dm" if dm is not None else ""),
            mark=Mark.BROKEN if dm is not None and dm.suspended else Mark.FINE,
            note="suspended: all I/O waits" if dm is not None and dm.suspended else "",
            device=dm.kernel_name if dm is not None else "",
            see=(f"lvs -a -o +devices {quote(lv.vg)}", *((f"dmsetup status {quote(dm.name)}",) if dm is not None else ())),
        )

    def snapshot(self, link: SnapshotLink) -> Link:
        """A snapshot; a COW snapshot with the loop devices of its COW store on it."""
        view = snapshot_view(link.lv, by_uuid(self._inventory.dm), None)
        facts: dict[str, Value] = {"lv": link.lv.full_name, "size" if link.lv.pool else "cow_store_size": link.lv.size}
        if view.state is not None:
            facts["state"] = view.state.value
        if view.fill is not None:
            facts["cow_store_used"] = view.fill.ratio
        lost = view.state not in (None, SnapshotState.ACTIVE)
        cow = tuple(self._cow_store(name) for name in link.cow_loops)
        return Link(
            layer=Layer.SNAPSHOT,
            name=link.subject.id,
            facts=_facts(facts),
            source=view.source,
            mark=Mark.BROKEN if lost else Mark.FINE,
            note="its contents are lost" if lost else "",
            device=link.dm.kernel_name if link.dm is not None else "",
            see=(f"lvs {quote(link.lv.full_name)}",),
            above=cow,
        )

    def _cow_store(self, name: str) -> Link:
        loop = self._loops.get(name)
        facts: dict[str, Value] = {"backing_file": loop.backing_file, "size": loop.size} if loop else {}
        return Link(
            layer=Layer.COW_STORE,
            name=f"/dev/{name}",
            facts=_facts(facts),
            source=f"{_SYSFS}/{name}/loop",
            device=name,
            see=(f"losetup --list /dev/{name}",),
        )

    def copy(self, copy: Copy) -> Link:
        """A running copy."""
        process = copy.process
        seconds = max(0.0, self._inventory.clock.boot - process.started)
        facts: dict[str, Value] = {"reads": copy.source, "writes": copy.destination, "running_seconds": seconds}
        return Link(
            layer=Layer.COPY,
            name=f"{copy.tool.value} (pid {process.pid})",
            facts=_facts(facts),
            source="process table",
            see=(f"ps -o pid,lstart,args -p {process.pid}",),
        )

    def target(self, export: Export, disks: tuple[LocalDisk, ...]) -> Link:
        """A target with the LUN on it, and on that who is logged in."""
        target, lun = export.target, export.lun
        local = tuple(self.session(disk) for disk in disks if disk.session.target == target.iqn)
        if isinstance(target, LioTarget):
            assert isinstance(lun, LioLun)  # noqa: S101 - a LUN is of its target's kind
            return target_link(target, lun, local)
        assert isinstance(lun, Lun)  # noqa: S101 - as above
        port = f" --control-port {target.control_port}" if target.control_port else ""
        facts: dict[str, Value] = {"tid": target.tid, "state": target.state, "acl": target.acls, "accounts": target.accounts}
        nexuses = tuple(self._nexus(nexus) for nexus in target.nexuses)
        return Link(
            layer=Layer.TARGET,
            name=target.iqn,
            facts=_facts(facts),
            source=_TGT,
            see=(f"tgtadm{port} --lld iscsi --mode target --op show",),
            above=(self._lun(lun, target.control_port, target.tid, nexuses + local),),
        )

    def _lun(self, lun: Lun, port: int, tid: int, above: tuple[Link, ...]) -> Link:
        facts: dict[str, Value] = {"backing_path": lun.backing_path, "backing_type": lun.backing_type, "read_only": lun.read_only}
        return Link(
            layer=Layer.LUN,
            name=f"LUN {lun.number}",
            facts=_facts(facts),
            source=_TGT,
            mark=Mark.FINE if lun.online else Mark.BROKEN,
            note="" if lun.online else "offline: it answers nothing",
            lun=(port, tid, lun.number),
            above=above,
        )

    def _nexus(self, nexus: Nexus) -> Link:
        addresses = tuple(connection.address for connection in nexus.connections)
        facts: dict[str, Value] = {"address": addresses, "sid": nexus.sid}
        return Link(layer=Layer.NEXUS, name=nexus.initiator, facts=_facts(facts), source=_TGT)

    def session(self, local: LocalDisk) -> Link:
        """A session of this host's own initiator, with its disk on it."""
        session, disk = local.session, local.disk
        facts: dict[str, Value] = {"portal": session.portal, "state": session.state, "recovery_timeout": session.recovery_timeout}
        dead = session.state != "LOGGED_IN"
        return Link(
            layer=Layer.SESSION,
            name=session_name(session),
            facts=_facts(facts),
            source=f"/sys/class/iscsi_session/session{session.number}",
            mark=Mark.BROKEN if dead else Mark.FINE,
            note=f"{session.state}: not logged in" if dead else "",
            see=(f"iscsiadm -m session -r {session.number} -P 3",),
            above=(self.disk(disk.name, guests=self._guest_index.above(disk.name)),),
        )

    def disk(self, name: str, *, guests: tuple[GuestDisk, ...] = (), above: tuple[Link, ...] = ()) -> Link:
        """A SCSI disk, with what is on it."""
        device = self._blocks[name]
        facts: dict[str, Value] = {"size": device.size, "state": device.device_state, "scheduler": device.scheduler}
        holders = tuple(holder for holder in device.holders if holder not in self._loops)
        if holders:
            facts["held_by"] = holders
        bad = device.device_state not in (None, "running")
        return Link(
            layer=Layer.DISK,
            name=f"/dev/{name}",
            facts=_facts(facts),
            source=f"{_SYSFS}/{name}",
            mark=Mark.BROKEN if bad else Mark.FINE,
            note=f"{device.device_state}" if bad else "",
            device=name,
            see=(f"lsblk /dev/{name}",),
            above=above or tuple(self.guest(guest) for guest in guests),
        )

    def multipath(self, over: MultipathMap, guests: tuple[GuestDisk, ...]) -> Link:
        """A multipath map, with who has it."""
        good = [path for path in over.paths if path.active is not False and path.device_state in (None, "running")]
        facts: dict[str, Value] = {
            "wwid": over.wwid,
            "paths": tuple(f"{path.name or 'gone'} {_path_state(path)}" for path in over.paths),
            "without_a_path": None if over.queues is None else "I/O waits" if over.queues else "I/O fails",
        }
        return Link(
            layer=Layer.MULTIPATH,
            name=f"/dev/mapper/{over.name}",
            facts=_facts(facts),
            source="dmsetup status",
            mark=Mark.FINE if good else Mark.BROKEN,
            note="" if good else "no path is left",
            device=over.kernel_name,
            see=(f"multipath -ll {quote(over.name)}",),
            above=tuple(self.guest(guest) for guest in guests),
        )

    def guest(self, disk: GuestDisk) -> Link:
        """A guest that has the volume."""
        state = self._guest_states.get(disk.domain, "")
        facts: dict[str, Value] = {
            "in_the_guest": disk.target,
            "source": disk.source,
            "bus": disk.bus,
            "cache": disk.cache,
            "serial": disk.serial,
            "state": state,
            "told_by": _TOLD[disk.origin],
        }
        failed = "ioerror" in state
        return Link(
            layer=Layer.GUEST,
            name=disk.domain,
            facts=_facts(facts),
            source=disk.file,
            mark=Mark.BROKEN if failed else Mark.FINE,
            note="paused: a disk failed under it" if failed else "",
            see=(f"virsh domblklist {quote(disk.domain)} --details",),
        )

    def remote_target(self, local: LocalDisk, above: tuple[Link, ...], guests: tuple[GuestDisk, ...]) -> Link:
        """A target of another host, with the session that leads to it, its disk, and what is on that."""
        session = self.session(local)
        disk = self.disk(local.disk.name, guests=guests, above=above)
        facts: dict[str, Value] = {"portal": local.session.portal, "lun": local.disk.target_lun}
        return Link(
            layer=Layer.TARGET,
            name=local.session.target,
            facts=_facts(facts),
            source=f"/sys/class/iscsi_session/session{local.session.number}",
            above=(replace(session, above=(disk,)),),
        )


def session_name(session: IscsiSession) -> str:
    """A session as a link is called."""
    return f"session{session.number} of this host"


_TOLD = {
    GuestOrigin.RUNNING: "libvirt, of the running guest",
    GuestOrigin.DEFINED: "libvirt's definition of the guest",
    GuestOrigin.RECORDED: "the node controller's file",
}


def _path_state(path: MapPath) -> str:
    used = "" if path.active is None else "active" if path.active else "failed"
    return " ".join(word for word in (used, path.device_state or "") if word) or "not known"


def _facts(facts: dict[str, Value]) -> Evidence:
    """Facts in reading order, without a source of their own: a link has one for all of them."""
    return tuple(facts.items())
