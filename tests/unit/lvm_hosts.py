"""Hosts with LVM for tests: recorded ones (tests/data/vm) as inventories, and composed records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from sctune.check import Check, Look, Result
from sctune.config.model import Config
from sctune.host.base import FileKind, FileStat
from sctune.inventory import Inventory
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.dm import DmDevice, DmTarget, PoolMode, SnapshotState, SnapshotStatus, ThinPoolStatus
from sctune.model.loop import LoopDevice, LoopState
from sctune.model.lvm import LogicalVolume, LvmReport, PhysicalVolume, VolumeGroup
from sctune.model.process import Processes
from sctune.probes import lvm_json, lvm_messages
from sctune.probes.dm import join_targets
from sctune.probes.dm_text import parse_report
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DATA = Path(__file__).parent.parent / "data"
MIB = 1024**2
GIB = 1024**3
NO_PROCESSES = Processes(tgtd=(), iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())
ABSENT = Unavailable(reason=Reason.ABSENT, what="not here")
TIMED_OUT = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport", detail="no end within 8 s", pids=(4711,))


def recorded_report(state: str) -> LvmReport:
    """The LVM report of one recorded state."""
    folder = DATA / "vm" / state
    tables = lvm_json.parse((folder / "lvm-fullreport-readonly.txt").read_text())
    stderr = folder / "lvm-fullreport-readonly.stderr"
    messages = lvm_messages.parse(stderr.read_text() if stderr.exists() else "")
    return LvmReport(
        physical_volumes=tuple(
            replace(pv, last_path=messages.last_paths[pv.uuid]) if pv.uuid in messages.last_paths else pv
            for pv in tables.physical_volumes
        ),
        volume_groups=tables.volume_groups,
        logical_volumes=tables.logical_volumes,
        duplicates=messages.duplicates,
        warnings=messages.warnings,
        seconds=0.5,
        internal=tables.internal,
    )


def recorded_dm(state: str) -> tuple[DmDevice, ...]:
    """Device-mapper's devices of one recorded state."""
    folder = DATA / "vm" / state
    table, status = (parse_report((folder / f"dmsetup-{name}.txt").read_text()) for name in ("table", "status"))
    devices = []
    for line in (folder / "dmsetup-info-c.txt").read_text().splitlines():
        fields = dict(word.split("=", 1) for word in line.split(":") if "=" in word)
        targets = join_targets(fields["DM_NAME"], table, status)
        devices.append(
            DmDevice(
                name=fields["DM_NAME"],
                kernel_name=fields["DM_BLKDEVNAME"],
                uuid=fields["DM_UUID"],
                device=(int(fields["DM_MAJOR"]), int(fields["DM_MINOR"])),
                size=sum(target.length for target in targets) if not isinstance(targets, Unavailable) else 0,
                suspended=fields["DM_SUSPENDED"] == "Suspended",
                targets=targets,
            )
        )
    return tuple(devices)


def recorded_loops(state: str) -> LoopState:
    """Loop devices of one recorded state, as `losetup --json` shows them."""
    text = (DATA / "vm" / state / "losetup-json-all.txt").read_text()
    devices = []
    for row in json.loads(text)["loopdevices"]:
        number = int(row["name"].removeprefix("/dev/loop"))
        devices.append(loop(number, row["back-file"], inode=row["back-ino"]))
    return LoopState(devices=tuple(devices), nodes=8, max_loop=8, control=True)


def loop(number: int, backing_file: str, *, inode: int = 0) -> LoopDevice:
    """A loop device over a file of 1 GiB."""
    stat = FileStat(kind=FileKind.FILE, size=GIB, allocated=0, device=1, inode=inode or number + 100, mtime=0.0)
    return LoopDevice(
        name=f"loop{number}",
        number=number,
        backing_file=backing_file,
        deleted=False,
        backing=stat,
        size=GIB,
        offset=0,
        sizelimit=0,
        autoclear=False,
        direct_io=False,
        read_only=False,
        logical_block_size=512,
    )


def inventory(**parts: object) -> Inventory:
    """An inventory with these parts; nothing else is on the host. The chains are joined from them."""
    host = FakeHost()
    made = Inventory(host, Config(), strict=True)
    absent = (
        "stores",
        "tgt",
        "sessions",
        "cloud",
        "lvm_settings",
        "node_records",
        "backings",
        "lio",
        "addresses",
        "units",
    )
    made.parts.update(dict.fromkeys(absent, ABSENT))
    made.parts.update({"block": (), "dm": (), "mounts": (), "loops": LoopState(devices=(), nodes=0, max_loop=0, control=True)})
    made.parts["processes"] = NO_PROCESSES
    made.parts.update(parts)
    return made


def recorded(state: str, **parts: object) -> Inventory:
    """A recorded state as an inventory; parts override."""
    found: dict[str, object] = {"lvm": recorded_report(state), "dm": recorded_dm(state), "loops": recorded_loops(state)}
    return inventory(**{**found, **parts})


def run(check: Check, made: Inventory, config: Config | None = None) -> Result:
    """Runs a check."""
    return check.run(Look(inventory=made, config=config or made.config))


def codes(result: Result) -> list[tuple[str, str, str]]:
    """Code, severity and subject's id of each finding."""
    return [(finding.code, str(finding.severity), finding.subject.id) for finding in result.findings]


def pv(uuid: str, path: str = "/dev/loop0", *, vg: str = "vg", missing: bool = False, last_path: str = "") -> PhysicalVolume:
    """A PV of 1 GiB."""
    device = None if missing else (7, int(path.removeprefix("/dev/loop"))) if path.startswith("/dev/loop") else (8, 0)
    return PhysicalVolume(
        uuid=uuid,
        path="[unknown]" if missing else path,
        device=device,
        vg=vg,
        size=GIB,
        free=0,
        missing=missing,
        duplicate=False,
        last_path=last_path,
    )


def vg(name: str = "vg", *, free: int = 0) -> VolumeGroup:
    """A VG of 1 GiB with 4 MiB extents."""
    return VolumeGroup(
        uuid=f"uuid-{name}",
        name=name,
        seqno=1,
        size=GIB,
        free=free,
        extent_size=4 * MIB,
        pv_count=1,
        missing_pv_count=0,
        lv_count=1,
        snapshot_count=0,
        metadata_free=500,
        metadata_size=1000,
        tags=(),
        exported=False,
        partial=False,
    )


def lv(name: str, *, attr: str = "-wi-a-----", **facts: object) -> LogicalVolume:
    """An LV of 1 GiB in VG `vg`; facts override."""
    fields: dict[str, object] = {
        "uuid": f"uuid-{name}",
        "vg": "vg",
        "vg_uuid": "uuid-vg",
        "path": f"/dev/vg/{name}",
        "dm_path": f"/dev/mapper/vg-{name.replace('-', '--')}",
        "size": GIB,
        "layout": ("linear",),
        "origin": "",
        "pool": "",
        "tags": (),
        "active": attr[4] in "asISmMcCdi",
        "suspended": False,
        "open": False,
        "device": None,
        "snap_percent": None,
        "data_percent": None,
        "metadata_percent": None,
        "snapshot_invalid": None,
        "health": "",
        "segment_types": ("linear",),
        "pv_uuids": (),
        "created": None,
    }
    return LogicalVolume(name=name, attr=attr, **{**fields, **facts})  # type: ignore[arg-type]


def snapshot(name: str, origin: str = "root", *, attr: str = "swi-a-s---", **facts: object) -> LogicalVolume:
    """A COW snapshot of `origin`."""
    return lv(name, attr=attr, origin=origin, **facts)


def report(*lvs: LogicalVolume, vgs: tuple[VolumeGroup, ...] | None = None, **facts: object) -> LvmReport:
    """A report with these LVs."""
    fields: dict[str, object] = {
        "physical_volumes": (pv("PV0"),),
        "volume_groups": (vg(),) if vgs is None else vgs,
        "logical_volumes": lvs,
        "duplicates": (),
        "warnings": (),
        "seconds": 0.1,
    }
    return LvmReport(**{**fields, **facts})  # type: ignore[arg-type]


def dm(of: LogicalVolume, status: SnapshotStatus | ThinPoolStatus | None, *, layer: str = "", kind: str = "snapshot") -> DmDevice:
    """The kernel's device of an LV with one target."""
    return DmDevice(
        name=f"vg-{of.name}{layer}",
        kernel_name="dm-0",
        uuid="LVM-" + (of.vg_uuid + of.uuid).replace("-", "") + layer,
        device=(253, 0),
        size=GIB,
        suspended=False,
        targets=(DmTarget(start=0, length=GIB, kind=kind, status=status),),
    )


def used(share: float) -> SnapshotStatus:
    """An active snapshot with that much of a COW store of 1,000 MiB used."""
    return SnapshotStatus(state=SnapshotState.ACTIVE, used=round(share * 1000 * MIB), total=1000 * MIB, metadata=4096)


def broken(state: SnapshotState) -> SnapshotStatus:
    """A snapshot that is not active any more."""
    return SnapshotStatus(state=state, used=None, total=None, metadata=None)


def pool(data: int, metadata: int = 10, *, mode: PoolMode = PoolMode.RW, needs_check: bool = False) -> ThinPoolStatus:
    """A thin pool's status; of 1,000 blocks of data and of metadata so many are used."""
    return ThinPoolStatus(
        mode=mode,
        data_used=data,
        data_total=1000,
        metadata_used=metadata,
        metadata_total=1000,
        needs_check=needs_check,
        queue_if_no_space=True,
    )


def block(name: str, kind: BlockKind, *, size: int = 1 << 30, slaves: tuple[str, ...] = (), **facts: object) -> BlockDevice:
    """A block device; facts override."""
    fields: dict[str, object] = {
        "device": (8, 0),
        "read_only": False,
        "removable": False,
        "rotational": None,
        "scheduler": None,
        "schedulers": (),
        "read_ahead": None,
        "nr_requests": None,
        "write_cache": None,
        "logical_block_size": 512,
        "holders": (),
    }
    return BlockDevice(name=name, kind=kind, size=size, slaves=slaves, **{**fields, **facts})  # type: ignore[arg-type]


def loops(*numbers: int) -> tuple[BlockDevice, ...]:
    """Attached loop devices with these numbers, as block devices."""
    return tuple(block(f"loop{number}", BlockKind.LOOP) for number in numbers)
