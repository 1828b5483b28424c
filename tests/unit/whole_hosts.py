"""Whole hosts as they were recorded (tests/data/vm): every question a look asks is answered from the recording of one state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sctune.host.base import Completed, FileKind, FileStat, Process, TgtMode
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.synthetic import LVM_VERSION
from tests.unit.iscsi_hosts import recorded_tree
from tests.unit.lvm_hosts import recorded_dm
from tests.unit.storage_hosts import DATA, VM, load_tree, recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

STATES = sorted(folder.name for folder in VM.iterdir() if folder.is_dir())
REFUSED = Unavailable(reason=Reason.FAILED, what="/var/run/tgtd/socket.0", detail="connection refused: the daemon is gone")


@dataclass
class RecordedHost(FakeHost):
    """Answers `lvm fullreport` with the recorded report, whatever its options are."""

    lvm: dict[str, Completed] = field(default_factory=dict)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        if argv[0] == "lvm" and argv[1] in self.lvm:
            return self.lvm[argv[1]]
        return super().run(argv, timeout=timeout)


def whole(state: str) -> RecordedHost:
    """The recorded state as a host."""
    folder = VM / state
    storage, initiator = recorded(state), recorded_tree(state)
    load_tree(storage, text(VM / "healthy", "sys-vd"))  # recorded once: the same in all states
    host = RecordedHost(
        files={**storage.files, **initiator.files},
        links={**storage.links, **initiator.links},
        stats=storage.stats,
        folders=storage.folders,
        spaces=storage.spaces,
        dm_answers=storage.dm_answers,
        name="lab",
        boot=float(text(folder, "proc-uptime").split()[0]),
    )
    host.files |= {
        "/etc/eucalyptus/eucalyptus-version": "4.4.2\n",
        "/etc/iscsi/iscsid.conf": text(VM / "healthy", "iscsid.conf"),
        "/proc/vmstat": text(DATA / "host", "healthy-proc-vmstat"),
        "/proc/meminfo": text(DATA / "host", "healthy-proc-meminfo"),
    }
    for line in text(DATA / "host", "healthy-sysctl-vm-dirty").splitlines():
        name, _, value = line.partition(" = ")
        host.files["/proc/sys/" + name.replace(".", "/")] = value + "\n"
    host.table = process_table(state)
    # The settings are those of the same version elsewhere: nothing was set in the machine either.
    settings = text(DATA / "lvm", "lvmconfig-2.03.16")
    host.lvm = {"version": completed("lvm version", LVM_VERSION), "lvmconfig": completed("lvm lvmconfig", settings)}
    stderr = folder / "lvm-fullreport-readonly.stderr"
    host.lvm["fullreport"] = completed(
        "lvm fullreport", text(folder, "lvm-fullreport-readonly"), stderr.read_text() if stderr.exists() else ""
    )
    add_tgt(host, state)
    add_nodes(host, state)
    return host


def text(folder: object, name: str) -> str:
    with open(f"{folder}/{name}.txt") as file:
        return file.read()


def completed(command: str, stdout: str, stderr: str = "") -> Completed:
    return Completed(argv=tuple(command.split()), status=0, stdout=stdout, stderr=stderr, seconds=0.1)


def process_table(state: str) -> tuple[Process, ...]:
    """`ps` of the recording; tgtd's start to the clock tick from its stat file."""
    folder = VM / state
    boot = int(text(folder, "proc-uptime").split("btime ")[1].split()[0])
    ticks = {int(line.split()[0]): int(line.rpartition(")")[2].split()[19]) for line in text(folder, "proc-tgtd-stat").splitlines()}
    found = []
    for line in text(folder, "ps").splitlines()[1:]:
        pid, ppid, status, _, month, day, time, year, *argv = line.split()
        began = datetime.strptime(f"{year} {month} {day} {time} +0000", "%Y %b %d %H:%M:%S %z").timestamp() - boot
        number = int(pid)
        found.append(
            Process(
                pid=number,
                ppid=int(ppid),
                name=argv[0].rpartition("/")[2][:15],
                state=status[0],
                argv=tuple(argv),
                started=ticks[number] / 100 if number in ticks else began,
                cpu_seconds=1.0,
                uid=0,
            )
        )
    return tuple(found)


def add_tgt(host: FakeHost, state: str) -> None:
    folder = VM / state
    host.files |= {"/var/run/tgtd/socket.0": "", "/run/tgtd/socket.0": ""}
    alive = bool(text(folder, "tgtadm-sys-show"))
    for mode in TgtMode:
        if mode is not TgtMode.CONNECTION:
            name = "sys-stat" if mode is TgtMode.STATISTICS else f"{mode.value}-show"
            host.tgt_answers[mode, 0, None] = text(folder, f"tgtadm-{name}") if alive else REFUSED


def add_nodes(host: FakeHost, state: str) -> None:
    """What udev made in /dev, and where sysfs has each device's size by its number."""
    for device in recorded_dm(state):
        node = FileStat(
            kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=device.device[1] + 100, mtime=1.0, rdevice=device.device
        )
        host.stats[f"/dev/mapper/{device.name}"] = host.stats[f"/dev/{device.kernel_name}"] = node
        host.files[f"/sys/dev/block/{device.device[0]}:{device.device[1]}/size"] = f"{device.size // 512}\n"
        vg, _, lv = device.name.replace("--", "\0").partition("-")
        if "-" not in lv:
            host.stats[f"/dev/{vg}/{lv}".replace("\0", "-")] = node
    for row in json.loads(text(VM / state, "losetup-json-all"))["loopdevices"]:
        number = int(row["name"].removeprefix("/dev/loop"))
        host.stats[row["name"]] = FileStat(
            kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=number, mtime=1.0, rdevice=(7, number)
        )
