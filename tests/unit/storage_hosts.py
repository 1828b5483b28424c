"""Hosts with storage: what was recorded on the test machine (tests/data/vm), and records to compose others from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result
from sctune.config.model import Config
from sctune.host.base import DmQuery, FileEntry, FileKind, FileStat, FilesystemSpace, Process
from sctune.inventory import Inventory
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.dm import DmDevice
from sctune.model.loop import LoopDevice, LoopState
from sctune.model.process import Processes
from sctune.model.store import Mount, StoreFile, StoreOrigin, VolumeStore
from sctune.model.target import TgtDaemon, TgtState
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import GIB, STORE

if TYPE_CHECKING:
    from sctune.findings import Finding

DATA = Path(__file__).parent.parent / "data"
VM = DATA / "vm"
DEVICE = 0xFE00  # 254:0, the scratch disk of the recordings


def load_tree(host: FakeHost, text: str) -> None:
    """Adds a recording of a tree: `== PATH` and its text, `list FOLDER NAME…`, `link PATH TARGET`."""
    path: str | None = None
    lines: list[str] = []

    def keep() -> None:
        if path is not None:
            host.files[path] = "\n".join(lines) + "\n"

    for line in text.splitlines():
        if line.startswith(("== ", "list ", "link ", "slaves ", "holders ", "holder ")):
            keep()
            path, lines = None, []
            kind, _, rest = line.partition(" ")
            if kind == "==":
                path = rest
            elif kind == "link":
                link, _, target = rest.partition(" ")
                host.links[link] = target
            elif kind == "list":
                folder, *names = rest.split(" ")
                for name in names:
                    host.links[f"{folder}/{name}"] = ""
            elif kind == "slaves":
                folder, _, names_text = rest.partition(": ")
                for name in names_text.split():
                    host.links[f"{folder}/slaves/{name}"] = ""
        elif path is not None:
            lines.append(line)
    keep()


def recorded(state: str) -> FakeHost:
    """A recorded state of the test machine: sysfs of its block devices, device-mapper's answers, udev's records, the store."""
    host = FakeHost()
    folder = VM / state
    for name in ("sys-loop", "sys-loop-module", "sys-dm", "sys-sd", "sys-vd", "udev-data-dm"):
        recording = folder / f"{name}.txt"
        if recording.exists():  # not every state has its own recording of what is the same in all
            load_tree(host, recording.read_text())
    host.dm_answers[DmQuery.STATUS] = (folder / "dmsetup-status.txt").read_text()
    host.dm_answers[DmQuery.TABLE] = (folder / "dmsetup-table.txt").read_text()
    host.files["/proc/self/mountinfo"] = (DATA / "mounts" / "mountinfo.txt").read_text()
    host.files["/sys/class/misc/loop-control/dev"] = "10:237\n"
    host.files["/sys/class/misc/device-mapper/dev"] = "10:236\n"
    host.stats[STORE] = FileStat(kind=FileKind.DIRECTORY, size=4096, allocated=4096, device=DEVICE, inode=131073, mtime=1.0)
    host.spaces[STORE] = space()
    entries = []
    for line in (folder / "stat-volumes.txt").read_text().splitlines():
        path, size, blocks, unit, device, inode, _ = line.rsplit(" ", 6)
        stat = FileStat(
            kind=FileKind.FILE,
            size=int(size),
            allocated=int(blocks) * int(unit),
            device=int(device, 16),
            inode=int(inode),
            mtime=1.0,
        )
        host.stats[path] = stat
        entries.append(FileEntry(name=path.rpartition("/")[2], stat=stat))
    host.folders[STORE] = tuple(entries)
    return host


def space(
    *, total: int = 16 * GIB, available: int = 12 * GIB, free: int | None = None, inodes: int = 1000, inodes_free: int = 900
) -> FilesystemSpace:
    return FilesystemSpace(
        total=total, free=available if free is None else free, available=available, inodes=inodes, inodes_free=inodes_free
    )


def a_file(size: int, *, inode: int = 1, device: int = DEVICE, allocated: int | None = None) -> FileStat:
    return FileStat(
        kind=FileKind.FILE, size=size, allocated=size if allocated is None else allocated, device=device, inode=inode, mtime=1.0
    )


def loop(number: int, **facts: object) -> LoopDevice:
    """A healthy writable loop device of 1 GiB on a file of its own; facts override."""
    size = facts.get("size", GIB)
    assert isinstance(size, int)
    fields: dict[str, object] = {
        "name": f"loop{number}",
        "number": number,
        "backing_file": f"{STORE}/vol-{number:08X}",
        "deleted": False,
        "backing": a_file(size, inode=1000 + number),
        "size": size,
        "offset": 0,
        "sizelimit": 0,
        "autoclear": False,
        "direct_io": False,
        "read_only": False,
        "logical_block_size": 512,
    }
    return LoopDevice(**{**fields, **facts})  # type: ignore[arg-type]


def loops(*devices: LoopDevice, nodes: int | None = None, max_loop: int | None = 0, control: bool = True) -> LoopState:
    return LoopState(devices=devices, nodes=len(devices) if nodes is None else nodes, max_loop=max_loop, control=control)


def block(name: str, kind: BlockKind = BlockKind.LOOP, **facts: object) -> BlockDevice:
    fields: dict[str, object] = {
        "device": (7, 0),
        "size": GIB,
        "read_only": False,
        "removable": False,
        "rotational": False,
        "scheduler": "none",
        "schedulers": ("none",),
        "read_ahead": 131072,
        "nr_requests": 128,
        "write_cache": "write back",
        "logical_block_size": 512,
        "slaves": (),
        "holders": (),
    }
    return BlockDevice(name=name, kind=kind, **{**fields, **facts})  # type: ignore[arg-type]


def mount(point: str = "/var/lib/eucalyptus", **facts: object) -> Mount:
    fields: dict[str, object] = {"device": (254, 0), "filesystem": "ext4", "source": "/dev/vda", "options": ("rw", "relatime")}
    return Mount(point=point, **{**fields, **facts})  # type: ignore[arg-type]


def store_file(name: str, apparent: int, *, allocated: int = 0, inode: int = 1, folder: str = STORE) -> StoreFile:
    return StoreFile(
        path=f"{folder}/{name}", name=name, apparent=apparent, allocated=allocated, device=DEVICE, inode=inode, mtime=1.0
    )


def store(path: str = STORE, **facts: object) -> VolumeStore:
    fields: dict[str, object] = {"origin": StoreOrigin.BACKEND, "mount": mount(), "space": space(), "files": ()}
    return VolumeStore(path=path, **{**fields, **facts})  # type: ignore[arg-type]


def dm(name: str = "vg-lv", number: int = 0, **facts: object) -> DmDevice:
    fields: dict[str, object] = {
        "kernel_name": f"dm-{number}",
        "uuid": f"LVM-{'v' * 32}{number:032d}",
        "device": (253, number),
        "size": GIB,
        "suspended": False,
        "targets": (),
        "activated": 1000.0,
    }
    return DmDevice(name=name, **{**fields, **facts})  # type: ignore[arg-type]


def tgtd(started: float, pid: int = 100) -> Process:
    return Process(pid=pid, ppid=1, name="tgtd", state="S", argv=("tgtd",), started=started, cpu_seconds=0.0, uid=0)


def processes(*daemons: Process) -> Processes:
    return Processes(tgtd=daemons, iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())


def idle_tgtd(**facts: object) -> TgtState:
    """One tgtd that answers and has no targets."""
    daemon = TgtDaemon(control_port=0, state="ready", targets=(), portals=(), accounts=(), backing_types=())
    fields: dict[str, object] = {"daemons": (daemon,), "unanswered": (), "stale": ()}
    return TgtState(**{**fields, **facts})  # type: ignore[arg-type]


def absent(what: str) -> Unavailable:
    return Unavailable(reason=Reason.ABSENT, what=what)


def denied(what: str) -> Unavailable:
    return Unavailable(reason=Reason.DENIED, what=what)


def timeout(what: str) -> Unavailable:
    return Unavailable(reason=Reason.TIMEOUT, what=what, detail="no answer in 2 s", pids=(4711,))


def look(config: Config | None = None, host: FakeHost | None = None, **parts: object) -> Look:
    """A look at an inventory of these parts. What is not named is absent, as on a host without it."""
    used = config or Config()
    inventory = Inventory(host or FakeHost(), used, strict=True)
    names = ("block", "loops", "mounts", "stores", "dm", "lvm", "tgt", "sessions", "processes", "cloud", "chains", "units")
    inventory.parts.update({name: absent(name) for name in names} | parts)
    return Look(inventory=inventory, config=used)


def run(check: Check, **parts: object) -> Result:
    config = parts.pop("config", None)
    assert config is None or isinstance(config, Config)
    return check.run(look(config, None, **parts))


def codes(result: Result) -> list[str]:
    return [finding.code for finding in result.findings]


def only(result: Result) -> Finding:
    assert len(result.findings) == 1, result.findings
    return result.findings[0]


def facts(finding: Finding) -> dict[str, object]:
    return dict(finding.evidence)
