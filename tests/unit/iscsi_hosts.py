"""Hosts with an initiator: the trees that were recorded in tests/data/vm, and records to compose others from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sctune.check import Check, Look, Result
from sctune.checks import initiator, initiator_drift, initiator_timeouts
from sctune.config.model import Config
from sctune.findings import Subject, SubjectKind
from sctune.host.base import FileKind, FileStat, Process
from sctune.inventory import Inventory
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.dm import DmDevice, DmTarget, MultipathPath, MultipathStatus
from sctune.model.initiator import (
    InitiatorConfiguration,
    InitiatorTimeouts,
    IscsiConnection,
    IscsiSession,
    NodeRecord,
)
from sctune.model.multipath import Multipath, MultipathConfiguration, ScsiIdentity
from sctune.model.process import Processes
from sctune.model.system import Unit
from sctune.probes.multipath_conf import parse as parse_multipath
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

VM = Path(__file__).parent.parent / "data" / "vm"
IQN = "iqn.2009-06.com.eucalyptus.lab:store1"
INITIATOR = "iqn.1993-08.org.debian:01:5ca1ab1e"
_NOT_READ = re.compile(r"cat: .*: (.*)")


def recorded_tree(state: str) -> FakeHost:
    """The iSCSI and disk folders of /sys in a recorded state of the test machine."""
    host = FakeHost()
    for name in ("sys-iscsi-session", "sys-iscsi-connection", "sys-iscsi-host", "sys-sd"):
        path = None
        lines: list[str] = []

        def keep(path: str | None, lines: list[str]) -> None:
            if path is None:
                return
            text = "\n".join(lines)
            refused = _NOT_READ.fullmatch(text)
            answer: str | Unavailable = text + "\n"
            if refused:
                answer = Unavailable(reason=Reason.FAILED, what=path, detail=refused[1])
            host.files[path] = answer

        for line in (VM / state / f"{name}.txt").read_text().splitlines():
            if line.startswith("== "):
                keep(path, lines)
                path, lines = line[3:], []
            elif line.startswith("link "):
                keep(path, lines)
                path, lines = None, []
                _, link, target = line.split(" ", 2)
                host.links[link] = target
            elif line.startswith("list "):
                keep(path, lines)
                path, lines = None, []
            else:
                lines.append(line)
        keep(path, lines)
    return host


def file_stat(mode: int, *, inode: int = 1, kind: FileKind = FileKind.FILE, mtime: float = 0.0) -> FileStat:
    return FileStat(kind=kind, size=1, allocated=4096, device=1, inode=inode, mtime=mtime, mode=mode)


def unavailable(reason: Reason, what: str = "what was asked") -> Unavailable:
    return Unavailable(reason=reason, what=what)


def connection(**changes: Any) -> IscsiConnection:
    values: dict[str, Any] = {
        "name": "connection1:0",
        "address": "10.0.0.5",
        "port": 3260,
        "persistent_address": "10.0.0.5",
        "persistent_port": 3260,
        "noop_interval": 5,
        "noop_timeout": 5,
        "state": "up",
        "local": False,
    }
    return IscsiConnection(**(values | changes))


def session(*connections: IscsiConnection, **changes: Any) -> IscsiSession:
    values: dict[str, Any] = {
        "number": 1,
        "target": IQN,
        "tpgt": 1,
        "interface": "default",
        "initiator": INITIATOR,
        "state": "LOGGED_IN",
        "recovery_timeout": 120,
        "abort_timeout": 15,
        "lu_reset_timeout": 30,
        "connections": connections or (connection(),),
        "disks": ("sda",),
        "creator": 154,
    }
    return IscsiSession(**(values | changes))


def timeouts(replacement: int | None = 120, interval: int | None = 5, timeout: int | None = 5) -> InitiatorTimeouts:
    return InitiatorTimeouts(
        replacement_timeout=replacement,
        noop_interval=interval,
        noop_timeout=timeout,
        login_timeout=15,
        startup="manual",
        chap=False,
    )


def record(settings: InitiatorTimeouts | None = None, **changes: Any) -> NodeRecord:
    values: dict[str, Any] = {
        "path": f"/etc/iscsi/nodes/{IQN}/10.0.0.5,3260,1/default",
        "target": IQN,
        "address": "10.0.0.5",
        "port": 3260,
        "interface": "default",
        "timeouts": settings or timeouts(),
    }
    return NodeRecord(**(values | changes))


def configuration(settings: InitiatorTimeouts | None = None, **changes: Any) -> InitiatorConfiguration:
    values: dict[str, Any] = {"path": "/etc/iscsi/iscsid.conf", "timeouts": settings or timeouts()}
    return InitiatorConfiguration(**(values | changes))


def disk(name: str = "sda", *holders: str, state: str = "running") -> BlockDevice:
    return BlockDevice(
        name=name,
        kind=BlockKind.DISK,
        device=(8, 0),
        size=1 << 30,
        read_only=False,
        removable=False,
        rotational=None,
        scheduler="mq-deadline",
        schedulers=("mq-deadline", "none"),
        read_ahead=131072,
        nr_requests=256,
        write_cache="write through",
        logical_block_size=512,
        slaves=(),
        holders=holders,
        device_state=state,
    )


def dm_device(kernel_name: str, uuid: str, name: str = "mpatha", *, targets: tuple[DmTarget, ...] = ()) -> DmDevice:
    return DmDevice(name=name, kernel_name=kernel_name, uuid=uuid, device=(253, 0), size=1 << 30, suspended=False, targets=targets)


def of_paths(active: int, failed: int = 0, *, queues: bool = False) -> tuple[DmTarget, ...]:
    """The target of a multipath map."""
    paths = tuple(MultipathPath(device=(8, 16 * n), active=n < active, failures=0) for n in range(active + failed))
    status = MultipathStatus(paths=paths, queues=queues)
    return (DmTarget(start=0, length=1 << 30, kind="multipath", status=status),)


def multipath_of(*texts: str, vendor: str = "IET", builtin: Any = None) -> Multipath:
    """The configuration of a host with one disk, sda: a reading for each text."""
    readings = tuple(
        MultipathConfiguration(files=("/etc/multipath.conf",), sections=parse_multipath(text, "/etc/multipath.conf"))
        for text in texts or ("",)
    )
    identity = ScsiIdentity(disk="sda", vendor=vendor, product="VIRTUAL-DISK", revision="0001")
    empty = MultipathConfiguration(files=(), sections=())
    return Multipath(readings=readings, builtin=empty if builtin is None else builtin, identities=(identity,))


def under(paths: int = 2, text: str = "", *, queues: bool = True, **changes: Any) -> dict[str, Any]:
    """The parts of a host whose sda is under mpatha, which has so many working paths."""
    device = dm_device("dm-3", "mpath-36001", targets=of_paths(paths, queues=queues))
    return {"block": (disk("sda", "dm-3"),), "dm": (device,), "multipath": multipath_of(text), **changes}


NO_PROCESSES = Processes(tgtd=(), iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())


def run(check: Check, config: Config | None = None, **parts: Any) -> Result:
    """The check on an inventory of these parts; what is not given is absent, as on a host that has nothing of it."""
    inventory = Inventory(FakeHost(), config or Config(), strict=True)
    for name in check.needs:
        inventory.parts[name] = parts.pop(name, unavailable(Reason.ABSENT, name))
    assert not parts, f"{check.name} does not say that it needs {sorted(parts)}"
    return check.run(Look(inventory=inventory, config=inventory.config))


CHECKS: dict[str, Check] = {
    check.name: check for module in (initiator, initiator_timeouts, initiator_drift) for check in module.CHECKS
}
RUNNING = Process(pid=154, ppid=1, name="iscsid", state="S", argv=("iscsid",), started=10.0, cpu_seconds=0.0, uid=0)
WITH_ISCSID = Processes(tgtd=(), iscsid=(RUNNING,), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())
REPLACEMENT = "node.session.timeo.replacement_timeout"
INTERVAL = "node.conn[0].timeo.noop_out_interval"
TIMEOUT = "node.conn[0].timeo.noop_out_timeout"
SESSION = Subject(kind=SubjectKind.SESSION, id=f"{IQN},10.0.0.5:3260,{INITIATOR}")


def setting(name: str) -> Subject:
    return Subject(kind=SubjectKind.SETTING, id=name)


def found(result: Result) -> list[tuple[str, Subject]]:
    return [finding.identity for finding in result.findings]


def unit(name: str, active: str, main_pid: int = 0) -> Unit:
    return Unit(name=name, load="loaded", active=active, sub="", enabled="enabled", main_pid=main_pid)


def judge(check: str = "iscsi-timeouts", config: Config | None = None, **parts: Any) -> Result:
    given: dict[str, Any] = {"sessions": (), "node_records": (), "initiator_configuration": configuration(), "block": (disk(),)}
    return run(CHECKS[check], config, **(given | parts))


MULTIPATH: dict[str, Any] = under()
