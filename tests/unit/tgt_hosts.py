"""Composed records of a host with tgt, for tests of its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sctune.check import Check, Look, Result
from sctune.config.model import Config
from sctune.host.base import FileKind, FileStat, Process
from sctune.inventory import Inventory
from sctune.model.lvm import LvmReport
from sctune.model.process import Processes
from sctune.model.system import Unit
from sctune.model.target import (
    Backing,
    Connection,
    Lun,
    Nexus,
    PersistedTarget,
    Portal,
    Target,
    TgtConfiguration,
    TgtDaemon,
    TgtState,
)
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import chains
from tests.unit.storage_hosts import loops

if TYPE_CHECKING:
    from sctune.findings import Finding

IQN = "iqn.2026-01.org.example:one"
SOCKET = "/var/run/tgtd/socket.0"
BOOT = 100_000.0


NO_LVM = LvmReport(physical_volumes=(), volume_groups=(), logical_volumes=(), duplicates=(), warnings=(), seconds=0.0)


def unavailable(reason: Reason, what: str = SOCKET, detail: str = "") -> Unavailable:
    return Unavailable(reason=reason, what=what, detail=detail)


NO_TGT = unavailable(Reason.ABSENT, "/var/run/tgtd")
DENIED = unavailable(Reason.DENIED)
HUNG = unavailable(Reason.TIMEOUT, detail="connected, no answer in 3 s")


def lun(number: int = 1, **facts: Any) -> Lun:
    values: dict[str, Any] = {
        "kind": "disk" if number else "controller",
        "size_text": "1074 MB",
        "block_size": 512,
        "online": True,
        "read_only": False,
        "thin_provisioning": False,
        "backing_type": "rdwr" if number else "null",
        "backing_path": f"/srv/volumes/{number}" if number else "",
        "backing_flags": "",
    }
    return Lun(number=number, **(values | facts))


def target(*disks: Lun, iqn: str = IQN, **facts: Any) -> Target:
    """A target with its controller and `disks` (one unless said), open to one address."""
    values: dict[str, Any] = {
        "tid": 1,
        "driver": "iscsi",
        "state": "ready",
        "control_port": 0,
        "nexuses": (),
        "luns": (lun(0), *(disks or (lun(),))),
        "accounts": (),
        "outgoing_accounts": (),
        "acls": ("10.0.0.9",),
    }
    return Target(iqn=iqn, **(values | facts))


def nexus(address: str = "10.0.0.9") -> Nexus:
    return Nexus(sid=1, initiator="iqn.i", alias="", connections=(Connection(cid=0, address=address),))


def daemon(*targets: Target, portals: tuple[str, ...] = ("0.0.0.0",), **facts: Any) -> TgtDaemon:
    values: dict[str, Any] = {"control_port": 0, "state": "ready", "accounts": (), "backing_types": ("rdwr",)}
    listening = tuple(Portal(address=address, port=3260, tpgt=1) for address in portals)
    return TgtDaemon(targets=targets, portals=listening, **(values | facts))


def state(*daemons: TgtDaemon, unanswered: tuple[Unavailable, ...] = (), stale: tuple[int, ...] = ()) -> TgtState:
    return TgtState(daemons=daemons, unanswered=unanswered, stale=stale)


def process(name: str = "tgtd", pid: int = 100, **facts: Any) -> Process:
    values: dict[str, Any] = {"ppid": 1, "state": "S", "argv": (name,), "started": 500.0, "cpu_seconds": 1.0, "uid": 0}
    return Process(pid=pid, name=name, **(values | facts))


def processes(*tgtd: Process, tgtadm: tuple[Process, ...] = ()) -> Processes:
    return Processes(tgtd=tgtd, iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=tgtadm, lvm=())


def unit(name: str = "tgt.service", **facts: Any) -> Unit:
    values: dict[str, Any] = {"load": "loaded", "active": "active", "sub": "running", "enabled": "enabled", "main_pid": 0}
    return Unit(name=name, **(values | facts))


def configured(*iqns: str, paths: tuple[str, ...] = ("/srv/volumes/1",)) -> TgtConfiguration:
    return TgtConfiguration(
        files=("/etc/tgt/targets.conf",),
        unread=(),
        targets=tuple(
            PersistedTarget(
                iqn=iqn,
                file="/etc/tgt/conf.d/one.conf",
                backing_paths=paths,
                initiator_addresses=(),
                initiator_names=(),
                chap=False,
                backing_type="",
            )
            for iqn in iqns
        ),
    )


def stat(kind: FileKind = FileKind.FILE, **facts: Any) -> FileStat:
    values: dict[str, Any] = {"size": 1 << 30, "allocated": 0, "device": 1, "inode": 2, "mtime": 0.0}
    return FileStat(kind=kind, **(values | facts))


def there(path: str = "/srv/volumes/1", **facts: Any) -> Backing:
    return Backing(path=path, **({"stat": stat()} | facts))


def gone(path: str = "/srv/volumes/1", reason: Reason = Reason.ABSENT) -> Backing:
    return Backing(path=path, stat=unavailable(reason, path))


def look(config: Config | None = None, /, **parts: object) -> Look:
    """A host where tgt is installed, its service runs and serves one healthy target; `parts` override."""
    used = config or Config()
    inventory = Inventory(FakeHost(boot=BOOT), used, strict=True)
    defaults: dict[str, object] = {
        "tgt": state(daemon(target())),
        "processes": processes(process()),
        "chains": chains(),
        "sessions": (),
        "units": (unit(),),
        "tgt_configuration": configured(),
        "lio": unavailable(Reason.ABSENT, "/sys/kernel/config/target/iscsi"),
        "lio_state": unavailable(Reason.ABSENT, "/sys/kernel/config/target/iscsi"),
        "lio_saved": unavailable(Reason.ABSENT, "/etc/target/saveconfig.json"),
        "backings": (there(),),
        "dm": unavailable(Reason.ABSENT, "device-mapper"),
        "loops": loops(),
        "lvm": NO_LVM,
        "block": (),
        "mounts": (),
        "addresses": ("127.0.0.1", "10.0.0.5", "::1", "fe80::1"),
    }
    inventory.parts.update(defaults | parts)
    return Look(inventory=inventory, config=used)


def run(check: Check, config: Config | None = None, /, **parts: object) -> Result:
    return check.run(look(config, **parts))


def codes(result: Result) -> list[tuple[str, str, str]]:
    return sorted((finding.code, str(finding.severity), finding.subject.id) for finding in result.findings)


def only(result: Result) -> Finding:
    assert len(result.findings) == 1, result.findings
    return result.findings[0]


def facts(finding: Finding) -> dict[str, object]:
    return dict(finding.evidence)
