"""A machine in a folder that can be tuned: files, a kernel that does with values what Linux does, and the tools of a storage host.

Values lie in files below /proc and /sys, replaced in one step as the kernel's are, so that another process sees them too. `Faulty`
stops the world, or fails, at any of the system calls by which something is changed.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from typing import TYPE_CHECKING, Any

from sctune.host.base import Completed
from sctune.tuning.calls import Calls
from sctune.tuning.execute import Request
from sctune.tuning.journal import Journal
from sctune.tuning.operations import FileState, RunTool, WriteFile, WriteValue
from sctune.tuning.writer import LiveWriter
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sctune.tuning.operations import Operation

BOOT_ID = "proc/sys/kernel/random/boot_id"
RECORD = "/var/lib/iscsi/nodes/iqn.2012-01.com.example:v1/127.0.0.1,3260,1/default"
REPLACEMENT = "node.session.timeo.replacement_timeout"
ISCSID = (
    b"# initiator\r\nnode.startup = manual\r\nnode.session.auth.password = Hunter2x\r\n#node.x = 1\n\nnode.session.timeo.x = 120"
)
REQUEST = Request(profile="storage-controller", user="root", options=(("live_only", "false"),))
_RIVALS = {"dirty_bytes": "dirty_ratio", "dirty_background_bytes": "dirty_background_ratio"}
CHANGING = (
    "create",
    "append",
    "write",
    "truncate",
    "sync",
    "sync_folder",
    "set_mode",
    "set_owner",
    "set_label",
    "set_attribute",
    "rename",
    "unlink",
    "make_folder",
    "remove_folder",
    "put_value",
    "run",
)


class Kernel(Calls):
    """The values below a root, and the tools."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.root = root

    def put_value(self, path: str, data: bytes) -> None:
        value = data.decode().removesuffix("\n")
        folder, name = os.path.split(path)
        others: dict[str, str] = {}
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if name == "scheduler":
            choices = [word.strip("[]") for word in self._text(path).split()]
            if value not in choices:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            value = " ".join(f"[{word}]" if word == value else word for word in choices)
            others["nr_requests"] = "256"
        elif name == "read_ahead_kb":
            value = str(int(value) // 4 * 4)
        elif name in _RIVALS:
            if value == "0":
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            others[_RIVALS[name]] = "0"
        elif name in _RIVALS.values():
            others[next(key for key, rival in _RIVALS.items() if rival == name)] = "0"
        elif name == "tcp_rmem":
            value = "\t".join(value.split())
        # A kernel does all of it in one write, which no signal cuts in two. A child that is killed here can be cut: so the value
        # is first, since one that reads as before while its rival has changed is what no kernel ever shows.
        self._set(path, value)
        for other, text in others.items():
            self._set(f"{folder}/{other}", text)

    def _text(self, path: str) -> str:
        with open(path) as file:
            return file.read()

    def _set(self, path: str, value: str) -> None:
        beside = f"{self.root}.kernel"
        with open(beside, "w") as file:
            file.write(value + "\n")
        os.rename(beside, path)

    def finds(self, tool: str) -> bool:
        return tool in ("udevadm", "iscsiadm", "false")

    def run(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
        if argv[0] == "udevadm":  # knows the rules it has read last
            try:
                names = sorted(name for name in os.listdir(f"{self.root}/etc/udev/rules.d") if name.endswith(".rules"))
            except FileNotFoundError:
                names = []
            self._set(f"{self.root}/run/udev-rules", " ".join(names))
        elif argv[0] == "iscsiadm":
            key, value = argv[-3], argv[-1]
            lines = self._text(self.root + RECORD).splitlines()
            changed = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in lines]
            self._set(self.root + RECORD, "\n".join(changed))
        elif argv[0] == "false":
            return Completed(argv=tuple(argv), status=1, stdout="", stderr="iscsiadm: password = Hunter2x refused\n", seconds=0.0)
        else:
            return Unavailable(reason=Reason.ABSENT, what=argv[0], detail="not installed")
        return Completed(argv=tuple(argv), status=0, stdout="", stderr="", seconds=0.0)


class Killed(BaseException):
    """What SIGKILL is to a process: nothing of it goes on."""


class Faults(Calls):
    """To be put before a machine's calls: something happens at the `at`-th changing call (counted from 1). The process dies
    (`number` None: raised here, with `really` by SIGKILL), or that call fails with errno `number`, with `lasting` every one on
    files after it too."""

    at = 0
    number: int | None = None
    lasting = False
    really = False
    count = 0
    dead = False

    def get_value(self, path: str) -> bytes:
        if self.dead:
            raise Killed
        return super().get_value(path)


def _faulty(name: str) -> Callable[..., Any]:
    def call(self: Faults, *arguments: Any) -> Any:
        if self.dead:
            raise Killed
        self.count += 1
        if self.count == self.at or (self.lasting and self.count > self.at and name not in ("put_value", "run", "truncate")):
            if name == "write":  # a part of it gets there
                Calls.write(self, arguments[0], arguments[1][: len(arguments[1]) // 2])
            if self.number is not None:
                if name == "run":
                    return Completed(argv=tuple(arguments[0]), status=6, stdout="", stderr="cannot\n", seconds=0.0)
                raise OSError(self.number, os.strerror(self.number))
            if self.really:
                os.kill(os.getpid(), signal.SIGKILL)
            self.dead = True
            raise Killed
        return getattr(super(Faults, self), name)(*arguments)

    return call


for _name in CHANGING:
    setattr(Faults, _name, _faulty(_name))


class Faulty(Faults, Kernel):
    """The machine in a folder, with a fault."""

    def __init__(self, root: str, *, at: int = 0, number: int | None = None, lasting: bool = False, really: bool = False) -> None:
        super().__init__(root)
        self.at = at
        self.number = number
        self.lasting = lasting
        self.really = really


def machine(root: Path) -> str:
    """Makes the machine in a folder. Returns its root."""
    files: dict[str, bytes] = {
        BOOT_ID: b"first-boot\n",
        "proc/sys/vm/dirty_ratio": b"20\n",
        "proc/sys/vm/dirty_bytes": b"0\n",
        "proc/sys/vm/swappiness": b"60\n",
        "proc/sys/net/ipv4/tcp_rmem": b"4096\t131072\t6291456\n",
        "sys/devices/pci0/block/sda/queue/scheduler": b"[none] mq-deadline\n",
        "sys/devices/pci0/block/sda/queue/nr_requests": b"64\n",
        "sys/devices/pci0/block/sda/queue/read_ahead_kb": b"128\n",
        "sys/devices/s3/iscsi_session/session3/recovery_tmo": b"off\n",
        "etc/iscsi.real/iscsid.conf": ISCSID,
        "etc/sysctl.d/50-old.conf": b"vm.swappiness = 60\n",
        RECORD[1:]: f"# BEGIN RECORD 2.1.8\nnode.name = iqn\n{REPLACEMENT} = 120\nnode.session.auth.password = Hunter2x\n".encode(),
        "run/udev-rules": b"\n",
    }
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "sys/block").mkdir()
    (root / "sys/block/sda").symlink_to("../devices/pci0/block/sda")
    (root / "sys/class/iscsi_session").mkdir(parents=True)
    (root / "sys/class/iscsi_session/session3").symlink_to("/sys/devices/s3/iscsi_session/session3")
    (root / "etc/iscsi").symlink_to("/etc/iscsi.real")
    (root / "etc/iscsi.real/iscsid.conf").chmod(0o600)
    (root / RECORD[1:]).chmod(0o600)
    if os.geteuid() == 0:
        os.chown(root / "etc/iscsi.real/iscsid.conf", 12, 34)
    return str(root)


def state(root: str, path: str) -> FileState | None:
    """A file as a plan knows it."""
    return LiveWriter(root=root).read_file(path)


def everything(root: str) -> tuple[Operation, ...]:
    """Operations of every kind."""
    iscsid = state(root, "/etc/iscsi/iscsid.conf")
    assert iscsid is not None
    after = FileState(
        content=iscsid.content.replace(b"120", b"7200"), mode=iscsid.mode, uid=iscsid.uid, gid=iscsid.gid, label=iscsid.label
    )
    return (
        new_file("/etc/tmpfiles.d/90-sctune.conf", b"w /sys/x - - - - 1\n"),
        WriteValue(
            setting="vm.dirty_bytes",
            path="/proc/sys/vm/dirty_bytes",
            value="1073741824",
            before="0",
            restore=(("/proc/sys/vm/dirty_ratio", "20"),),
        ),
        WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="10", before="60"),
        WriteValue(
            setting="net.ipv4.tcp_rmem",
            path="/proc/sys/net/ipv4/tcp_rmem",
            value="4096 131072 16777216",
            before="4096\t131072\t6291456",
        ),
        WriteFile(setting="iscsid.conf", path="/etc/iscsi/iscsid.conf", before=iscsid, after=after),
        new_file("/etc/udev/rules.d/90-sctune.rules", b"# rules\n"),
        RunTool(setting="udev", argv=("udevadm", "control", "--reload"), undo=(("udevadm", "control", "--reload"),), check={}),
        WriteValue(setting="sda/scheduler", path="/sys/block/sda/queue/scheduler", value="mq-deadline", before="none"),
        WriteValue(setting="sda/nr_requests", path="/sys/block/sda/queue/nr_requests", value="512", before="64"),
        WriteValue(
            setting="sda/read_ahead_kb", path="/sys/block/sda/queue/read_ahead_kb", value="777", before="128", accepts=("776",)
        ),
        node_record("7200", "120"),
        WriteFile(
            setting="50-old.conf",
            path="/etc/sysctl.d/50-old.conf",
            before=state(root, "/etc/sysctl.d/50-old.conf"),
            after=None,
        ),
        WriteValue(
            setting="session3/recovery_tmo", path="/sys/class/iscsi_session/session3/recovery_tmo", value="7200", before="off"
        ),
    )


def new_file(path: str, content: bytes) -> WriteFile:
    """A file that was not there."""
    after = FileState(content=content, mode=0o644, uid=os.geteuid(), gid=os.getegid())
    return WriteFile(setting=os.path.basename(path), path=path, before=None, after=after)


def node_record(value: str, before: str) -> RunTool:
    """A setting of a node record."""
    update = ("iscsiadm", "-m", "node", "-T", "iqn.2012-01.com.example:v1", "-o", "update", "-n", REPLACEMENT, "-v")
    return RunTool(
        setting=REPLACEMENT,
        argv=(*update, value),
        undo=((*update, before),),
        check={RECORD: f"{REPLACEMENT} = {value}"},
    )


def parts(root: str, calls: Calls | None = None) -> tuple[LiveWriter, Journal, str]:
    """Writer, journal and the path of the lock."""
    calls = calls or Kernel(root)
    return LiveWriter(root=root, calls=calls), Journal(f"{root}/var/lib/sctune/journal", calls), f"{root}/run/sctune.lock"


def snapshot(root: str) -> dict[str, tuple[object, ...]]:
    """All there is on the machine but sctune's own: type, mode, owner, content of each path."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            shown = path.removeprefix(root)
            if shown.startswith(("/var/lib/sctune", "/run/sctune.lock")):
                continue
            one = os.lstat(path)
            content: object = None
            if stat.S_ISLNK(one.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(one.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            values = shown.startswith(("/proc", "/sys", RECORD, "/run"))
            found[shown] = (content, stat.S_IFMT(one.st_mode) if values else one.st_mode, one.st_uid, one.st_gid)
    return found
