"""What this host can see of the inside of volumes: devices that carry what a volume's user wrote. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import candidates
from sctune.findings import Subject, SubjectKind
from sctune.model.block import BlockKind
from sctune.probes.block import whole_disk
from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.lvm import PhysicalVolume

SCANNED = "LVM_SCANS_VOLUMES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A device that carries a volume's content. `on_disk`: it is the disk of an iSCSI session, not the LV itself."""

    subject: Subject
    on_disk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`devices` maps kernel names (dm-3, sdb) to what they carry; `names` are the kernel names of device-mapper's names;
    `active` the device-mapper names of LVs that lie in a volume and are active here, by the volume."""

    devices: dict[str, Inside]
    names: dict[str, str]
    active: dict[Subject, tuple[str, ...]]

    def of_path(self, path: str) -> Inside | None:
        """What a device in /dev carries; a partition what its disk does."""
        name = path.rpartition("/")[2]
        return self.devices.get(whole_disk(self.names.get(name, name), self.devices))

    def of_pv(self, pv: PhysicalVolume) -> Inside | None:
        """What the PV's device carries."""
        return None if pv.missing else self.of_path(pv.path)


def contents(inventory: Inventory) -> Contents:
    """Found from the volumes down to the session's disks and up through what is stacked on each (partitions, multipath)."""
    blocks = {device.name: device for device in known(inventory.devices) or ()}
    dm = {device.kernel_name: device for device in known(inventory.dm) or ()}
    found: dict[str, Inside] = {}
    active: dict[Subject, list[str]] = {}
    for name, inside, vg in _roots(inventory, {device.device: device.name for device in blocks.values()}):
        pending = [name]
        while pending:
            current = pending.pop()
            if current in found or current not in blocks:
                continue
            found[current] = inside
            for holder in blocks[current].holders:
                uuid = dm[holder].uuid if holder in dm else ""
                if not uuid.startswith("LVM-"):
                    pending.append(holder)
                elif uuid[4:36] != vg:
                    active.setdefault(inside.subject, []).append(dm[holder].name)
    return Contents(
        devices=found,
        names={device.name: device.kernel_name for device in dm.values()},
        active={subject: tuple(sorted(set(names))) for subject, names in active.items()},
    )


def _roots(inventory: Inventory, names: dict[tuple[int, int], str]) -> Iterator[tuple[str, Inside, str]]:
    """Each device that is a volume as its user has it, and the uuid of the VG it is itself an LV of."""
    chains = known(inventory.chains)
    for chain in chains.chains if chains else ():
        if not (chain.ours or chain.exports):
            continue
        vg = chain.lv.vg_uuid.replace("-", "") if chain.lv is not None else ""
        for device in _own(chain):
            if device in names:
                yield names[device], Inside(subject=chain.subject, on_disk=False), vg
        for link in chain.disks:
            yield link.disk.name, Inside(subject=chain.subject, on_disk=True), vg
    # Where instances run, volumes are disks of a cloud's targets on other hosts.
    backends = candidates(configured=inventory.config.backend, cloud=known(inventory.cloud), lvs=())
    sessions = {s.number: s for s in known(inventory.sessions) or () if any(backend.is_target(s.target) for backend in backends)}
    for disk in known(inventory.devices) or ():
        session = sessions.get(disk.session) if disk.kind is BlockKind.DISK and disk.session is not None else None
        if session is not None:
            yield disk.name, Inside(subject=Subject(kind=SubjectKind.SESSION, id=session.identity), on_disk=True), ""


def _own(chain: Chain) -> Iterator[tuple[int, int]]:
    if chain.lv is not None:
        if chain.lv.device is not None:
            yield chain.lv.device
        for snapshot in chain.snapshots:
            if snapshot.lv.device is not None:
                yield snapshot.lv.device
        return
    # A loop device that is served as it is. (One with an LV on it carries the volume's own PV.)
    served = {export.lun.backing_path for export in chain.exports}
    for loop in chain.loops:
        if f"/dev/{loop.name}" in served:
            yield loop.device
