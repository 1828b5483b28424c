"""Composed hosts for the tests of chains: records of each layer that fit together unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sctune.chain import join
from sctune.config.model import Config
from sctune.host.base import FileKind, FileStat, Process
from sctune.inventory import Inventory
from sctune.model.cloud import Cloud
from sctune.model.lvm import LogicalVolume, LvmReport, PhysicalVolume
from sctune.model.process import Copy, CopyTool, Processes
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit import tgt_hosts
from tests.unit.serving_hosts import STORE
from tests.unit.serving_hosts import lv as plain_lv
from tests.unit.storage_hosts import a_file, dm, loop, loops, store, store_file

if TYPE_CHECKING:
    from sctune.model.chain import Chain, Chains, LocalDisk
    from sctune.model.dm import DmDevice
    from sctune.model.loop import LoopDevice
    from sctune.model.target import Target

GIB = 1 << 30
SIZE = GIB + (4 << 20)
IQN = "iqn.2009-06.com.eucalyptus.one:store"
ABSENT = Unavailable(reason=Reason.ABSENT, what="not here")
TIMEOUT = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport", detail="no answer in 8 s", pids=(4711,))
NOBODY = Processes(tgtd=(), iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())


def mapper(vg: str, name: str) -> str:
    return f"{vg.replace('-', '--')}-{name.replace('-', '--')}"


def lv(vg: str, name: str, number: int, *pvs: str, **facts: Any) -> LogicalVolume:
    """An active LV: its uuid and minor number are made of `number`."""
    fields: dict[str, Any] = {
        "uuid": f"{number:032d}",
        "vg_uuid": f"vg-{vg}",
        "dm_path": f"/dev/mapper/{mapper(vg, name)}",
        "device": (253, number),
        "pv_uuids": pvs,
    }
    return replace(plain_lv(name, GIB, vg), **(fields | facts))


def snapshot(vg: str, name: str, number: int, origin: str, *pvs: str) -> LogicalVolume:
    return lv(vg, name, number, *pvs, origin=origin, attr="swi-a-s---", snap_percent=0.1, snapshot_invalid=False)


def pv(uuid: str, number: int, vg: str, **facts: Any) -> PhysicalVolume:
    """A PV on a loop device."""
    fields: dict[str, Any] = {"path": f"/dev/loop{number}", "device": (7, number), "size": GIB, "free": 0}
    return PhysicalVolume(uuid=uuid, vg=vg, **({"missing": False, "duplicate": False} | fields | facts))


def report(*records: LogicalVolume | PhysicalVolume, **facts: Any) -> LvmReport:
    fields: dict[str, Any] = {
        "physical_volumes": tuple(record for record in records if isinstance(record, PhysicalVolume)),
        "logical_volumes": tuple(record for record in records if isinstance(record, LogicalVolume)),
    }
    empty: dict[str, Any] = {"volume_groups": (), "duplicates": (), "warnings": (), "seconds": 0.1}
    return LvmReport(**(empty | fields | facts))


def device(record: LogicalVolume, **facts: Any) -> DmDevice:
    """The kernel's device of an LV."""
    number = record.device[1] if record.device else 0
    uuid = f"LVM-{record.vg_uuid.replace('-', '')}{record.uuid.replace('-', '')}"
    return dm(mapper(record.vg, record.name), number, **({"uuid": uuid} | facts))


def backed(number: int, name: str, *, folder: str = STORE, inode: int | None = None, **facts: Any) -> LoopDevice:
    """A loop device on a file of the store."""
    stat = a_file(SIZE, inode=1000 + number if inode is None else inode)
    return loop(number, size=SIZE, **({"backing_file": f"{folder}/{name}", "backing": stat} | facts))


def target(number: int, path: str, iqn: str | None = None) -> Target:
    return tgt_hosts.target(tgt_hosts.lun(1, backing_path=path), iqn=iqn or f"{IQN}{number}", tid=number)


def node(*number: int) -> FileStat:
    major, minor = number
    return FileStat(
        kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=major * 1000 + minor, mtime=1.0, rdevice=(major, minor)
    )


def files(*names: str) -> tuple[object, ...]:
    """The store with these files; the inode of the first is 1001, as `backed(1, …)` expects."""
    return (store(files=tuple(store_file(name, SIZE, inode=1000 + n) for n, name in enumerate(names, 1)), path=STORE),)


def copy(source: str, destination: str) -> Copy:
    argv = ("dd", f"if={source}", f"of={destination}", "bs=1M")
    process = Process(pid=9, ppid=1, name="dd", state="D", argv=argv, started=1.0, cpu_seconds=0.0, uid=0)
    return Copy(process=process, tool=CopyTool.DD, source=source, destination=destination)


def inventory(*targets: Target, config: Config | None = None, host: FakeHost | None = None, **parts: Any) -> Inventory:
    """A host of these parts; what is not named is absent."""
    made = Inventory(host or FakeHost(), config or Config(), strict=True)
    names = ("lvm", "stores", "dm", "block", "sessions", "cloud", "tgt", "mounts")
    made.parts.update(dict.fromkeys(names, ABSENT))
    made.parts |= {"loops": loops(), "processes": NOBODY}
    if targets:
        made.parts["tgt"] = tgt_hosts.state(tgt_hosts.daemon(*targets))
    made.parts.update(parts)
    return made


def chains(*targets: Target, **parts: Any) -> Chains:
    return join(inventory(*targets, **parts))


def by_id(found: Chains) -> dict[str, Chain]:
    named = {chain.id: chain for chain in found.chains}
    assert len(named) == len(found.chains)
    return named


def euca(version: str = "4.4.2") -> Cloud:
    return Cloud(version=version, volumes_folder=STORE, properties=())


def where(disk: LocalDisk) -> tuple[int, str]:
    return disk.session.number, disk.disk.name
