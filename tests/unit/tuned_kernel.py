"""A kernel that is written to as the real one is: what it rounds, refuses, and changes beside what was written.

Sources: Linux mm/page-writeback.c (the handlers of vm.dirty_*), block/blk-sysfs.c, block/blk-mq.c (blk_mq_update_nr_requests),
block/elevator.c (elevator_switch).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sctune.config.model import Config
from sctune.inventory import Inventory
from sctune.model.sysctl import SETTINGS
from sctune.tuning.operations import FileState, WriteFile, WriteValue
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.tuning.operations import Operation

SYS = "/proc/sys/"
DEFAULTS = {key: "0" for key in SETTINGS} | {
    "vm.dirty_ratio": "20",
    "vm.dirty_background_ratio": "10",
    "vm.swappiness": "60",
    "net.core.somaxconn": "4096",
    "net.ipv4.tcp_rmem": "4096\t131072\t6291456",
    "net.ipv4.tcp_wmem": "4096\t16384\t4194304",
    "net.ipv4.tcp_slow_start_after_idle": "1",
}
MEMORY = 64 << 30


@dataclass
class Disk:
    """A block device. `tags` is what its driver has; `schedulers` () where it has no elevator."""

    rotational: bool = True
    schedulers: tuple[str, ...] = ("none", "mq-deadline")
    scheduler: str = "mq-deadline"
    read_ahead_kb: int = 128
    nr_requests: int = 64
    tags: int = 64
    max_sectors_kb: int = 512
    max_hw_sectors_kb: int = 1024
    path: str = "../devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block"

    def default_requests(self) -> int:
        """What a scheduler comes with: twice what the driver has, of 128 at most."""
        return self.tags if self.scheduler == "none" else 2 * min(self.tags, 128)


@dataclass
class Kernel:
    """The machine: `written` counts writes of values and files."""

    sysctl: dict[str, str] = field(default_factory=lambda: dict(DEFAULTS))
    disks: dict[str, Disk] = field(default_factory=dict)
    huge_pages: str = "madvise"
    governors: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    memory: int = MEMORY
    page_kib: int = 4
    name: str = "storage-1"
    written: int = 0

    def host(self) -> FakeHost:
        """Its answers."""
        files: dict[str, str] = {SYS + key.replace(".", "/"): f"{value}\n" for key, value in self.sysctl.items()}
        kib = self.memory // 1024
        files["/proc/meminfo"] = f"MemTotal: {kib} kB\nMemFree: {kib} kB\nDirty: 0 kB\nWriteback: 0 kB\n"
        files["/sys/kernel/mm/transparent_hugepage/enabled"] = _bracketed(("always", "madvise", "never"), self.huge_pages)
        files["/sys/devices/system/cpu/online"] = "0\n"
        for policy, governor in self.governors.items():
            folder = f"/sys/devices/system/cpu/cpufreq/{policy}"
            files[f"{folder}/scaling_governor"] = f"{governor}\n"
            files[f"{folder}/scaling_available_governors"] = "performance powersave schedutil \n"
        for number, (name, disk) in enumerate(self.disks.items()):
            files |= _disk_files(name, number, disk)
        links = {f"/sys/block/{name}": f"{disk.path}/{name}" for name, disk in self.disks.items()}
        present = {"/etc/sysctl.d/README": "x"} | self.files | self.extra
        return FakeHost(files={**files, **present}, links=links, name=self.name)

    def inventory(self, config: Config | None = None) -> Inventory:
        return Inventory(self.host(), config or Config(), strict=True)

    def read(self, path: str) -> str:
        text = self.host().files[path]
        assert isinstance(text, str)
        words = text.split()
        chosen = [word[1:-1] for word in words if word.startswith("[")]
        return chosen[0] if chosen else " ".join(words)

    def write(self, path: str, value: str) -> None:
        """Raises OSError where the kernel refuses."""
        self.written += 1
        if path.startswith(SYS):
            self._sysctl(path.removeprefix(SYS).replace("/", "."), value)
        elif path.startswith("/sys/block/"):
            _, _, _, name, _, attribute = path.split("/")
            self._queue(self.disks[name], attribute, value)
        elif path.endswith("/enabled"):
            self.huge_pages = value
        elif path.endswith("/scaling_governor"):
            self.governors[path.split("/")[-2]] = value
        else:
            raise OSError(errno.ENOENT, path)

    def _sysctl(self, key: str, value: str) -> None:
        if key not in self.sysctl:
            raise OSError(errno.ENOENT, key)
        old = self.sysctl[key]
        if key.endswith("_bytes") and key.startswith("vm.dirty") and int(value) < (8192 if key == "vm.dirty_bytes" else 1):
            raise OSError(errno.EINVAL, key)
        if key.endswith("_ratio") and not 0 <= int(value) <= 100:
            raise OSError(errno.EINVAL, key)
        self.sysctl[key] = "\t".join(value.split())  # as the kernel prints several numbers
        background = "background" in key
        # The background handlers zero the other on every write, the others only when the value differs.
        if key.startswith("vm.dirty") and key.endswith(("_bytes", "_ratio")) and (background or int(value) != int(old)):
            other = key.replace("_bytes", "_ratio") if key.endswith("_bytes") else key.replace("_ratio", "_bytes")
            self.sysctl[other] = "0"

    def _queue(self, disk: Disk, attribute: str, value: str) -> None:
        if attribute == "scheduler":
            if value not in disk.schedulers:
                raise OSError(errno.EINVAL, value)
            if value != disk.scheduler:
                disk.scheduler = value
                disk.nr_requests = disk.default_requests()
        elif attribute == "read_ahead_kb":
            disk.read_ahead_kb = int(value) // self.page_kib * self.page_kib
        elif attribute == "nr_requests":
            if disk.scheduler == "none" and int(value) > disk.tags:
                raise OSError(errno.EINVAL, value)
            disk.nr_requests = max(4, int(value))
        elif attribute == "max_sectors_kb":
            if not self.page_kib <= int(value) <= disk.max_hw_sectors_kb:
                raise OSError(errno.EINVAL, value)
            disk.max_sectors_kb = int(value)
        else:
            raise OSError(errno.EACCES, attribute)

    def do(self, operation: Operation) -> None:
        """Makes a change, and reads it back."""
        if isinstance(operation, WriteValue):
            self.write(operation.path, operation.value)
            assert self.read(operation.path) in (" ".join(operation.value.split()), *operation.accepts), operation
        elif isinstance(operation, WriteFile):
            self._file(operation.path, operation.after)
        else:
            self._tool(operation.argv)

    def undo(self, operation: Operation) -> None:
        if isinstance(operation, WriteValue):
            for path, value in operation.restore or ((operation.path, operation.before),):
                self.write(path, value)
        elif isinstance(operation, WriteFile):
            self._file(operation.path, operation.before)
        else:
            for argv in operation.undo:
                self._tool(argv)

    def _file(self, path: str, state: FileState | None) -> None:
        self.written += 1
        if state is None:
            self.files.pop(path, None)
        else:
            self.files[path] = state.content.decode()

    def _tool(self, argv: tuple[str, ...]) -> None:
        assert argv[:2] == ("sysctl", "-w"), argv
        for assignment in argv[2:]:
            key, _, value = assignment.partition("=")
            self.write(SYS + key.replace(".", "/"), value)

    def snapshot(self) -> object:
        """All that a person could see of it."""
        return {path: text for path, text in self.host().files.items()}

    def udev(self, rules: str, name: str) -> None:
        """Runs rules on one device, as when it comes."""
        for line in rules.splitlines():
            if line and not line.startswith("#"):
                self._rule(line, name)

    def _rule(self, line: str, name: str) -> None:
        given = {"ACTION": "add", "SUBSYSTEM": "block", "ENV{DEVTYPE}": "disk", "KERNEL": name}
        given["DEVPATH"] = "/" + f"{self.disks[name].path}/{name}".replace("../", "")
        for part in line.split(", "):
            key, operator, value = _parsed(part)
            if operator == "=":
                path = f"/sys/block/{name}/{key[5:-1]}"
                wanted = self.read(f"/sys/block/{name}/{value[6:-1]}") if value.startswith("$attr{") else value
                try:
                    self.write(path, wanted)
                except OSError:
                    return  # udev logs it, and goes on
                continue
            text = self.host().files.get(f"/sys/block/{name}/{key[5:-1]}") if key.startswith("ATTR{") else given[key]
            if not isinstance(text, str):
                return
            if any(fnmatchcase(text.strip(), pattern) for pattern in value.split("|")) is (operator == "!="):
                return


def _parsed(part: str) -> tuple[str, str, str]:
    for operator in ("==", "!=", "="):
        key, found, value = part.partition(operator)
        if found:
            assert value.startswith('"') and value.endswith('"'), part
            return key, operator, value[1:-1]
    raise AssertionError(part)


def _bracketed(words: Iterable[str], chosen: str) -> str:
    return " ".join(f"[{word}]" if word == chosen else word for word in words) + "\n"


def _disk_files(name: str, number: int, disk: Disk) -> dict[str, str]:
    folder = f"/sys/block/{name}"
    files = {
        f"{folder}/size": "2048000\n",
        f"{folder}/dev": f"8:{16 * number}\n",
        f"{folder}/ro": "0\n",
        f"{folder}/removable": "0\n",
        f"{folder}/queue/rotational": f"{int(disk.rotational)}\n",
        f"{folder}/queue/read_ahead_kb": f"{disk.read_ahead_kb}\n",
        f"{folder}/queue/max_sectors_kb": f"{disk.max_sectors_kb}\n",
        f"{folder}/queue/max_hw_sectors_kb": f"{disk.max_hw_sectors_kb}\n",
        f"{folder}/queue/scheduler": _bracketed(disk.schedulers, disk.scheduler) if disk.schedulers else "none\n",
    }
    if disk.schedulers:
        files[f"{folder}/queue/nr_requests"] = f"{disk.nr_requests}\n"
    return files
