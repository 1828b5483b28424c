"""A host that has something of everything, so that every probe asks it all its questions. Only `plan` looks at it.

Names stand for all of their kind: `/sys/block/loop0/size` is asked of it, `/sys/block/loop*/size` is what the script asks. A folder
that is not listed here has two files in it, `sample0` and `sample0.conf`, which stand for whatever is there. A file that is not
here holds `1`. A probe that picks names out of a folder by what they look like needs one of its kind here (FOLDERS), with what it
stands for (NAMES).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import (
    Clock,
    Completed,
    DmQuery,
    FileEntry,
    FileKind,
    FileStat,
    FilesystemSpace,
    HostIdentity,
    LogLines,
    LogQuery,
    Process,
    Source,
    TgtMode,
)
from sctune.probes.io_waiting import READINGS, path_of
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

STORE = "/var/lib/eucalyptus/volumes"
LOST = "/dev/sample-vg/sample-lv"
TGTD = 4242
KERNEL = "6.1.0"
LUNS = (f"{STORE}/vol-1", LOST)
"""What is behind the sample's exports: such paths are different on every host, and the script takes them from tgtd's own answer."""

NAMES = {
    "sample0": "*",
    "sample0.conf": "*.conf",
    **{f"sample{number}.conf": "*.conf" for number in range(1, 6)},
    "sample0_00000-1.vg": "*.vg",
    "sample0.xml": "*.xml",
    "loop0": "loop*",
    "loop1": "loop*",
    "dm-0": "dm-*",
    "dm-1": "dm-*",
    "md0": "md*",
    "nvme0n1": "nvme*",
    "sda": "sd*",
    "sda1": "*",
    "dev-sda1": "dev-*",
    "vda": "*",
    "sr0": "sr*",
    "zram0": "*",
    "session1": "session*",
    "connection1:0": "connection*",
    "cpu0": "cpu*",
    "policy0": "policy*",
    "host3": "host*",
    "eth0": "*",
    "b253:0": "b*",
    "253:0": "*",
    "8:1": "*",
    "iqn.2000-01.sample:t": "*",
    "192.0.2.1,3260,1": "*",
    "192.0.2.1,3260": "*",
    "192.0.2.1:3260": "*",
    "tpgt_1": "tpgt_*",
    "iblock_0": "iblock_*",
    "fileio_0": "fileio_*",
    "pscsi_0": "pscsi_*",
    "rd_mcp_0": "rd_mcp_*",
    "user_0": "user_*",
    "iqn.2000-01.sample:i": "*",
    "lun_0": "lun_*",
    "backstore": "*",
    "default": "*",
    "wwn-0x1": "*",
    "sample-lv": "*",
    str(TGTD): "@TGTD@",
    KERNEL: "@KERNEL@",
}
"""What each of its names stands for, as a whole part of a path: a pattern of the shell with one star; @TGTD@ for pids of tgtd,
@KERNEL@ for the release of the kernel that runs."""

FOLDERS: dict[str, tuple[str, ...]] = {
    "/sys/block": ("dm-0", "dm-1", "loop0", "loop1", "md0", "nvme0n1", "sda", "sr0", "vda", "zram0"),
    "/sys/block/dm-0/slaves": ("loop0",),
    "/sys/block/dm-1/slaves": ("sda",),
    "/sys/block/md0/slaves": ("sda1",),
    "/sys/block/md0/md": ("dev-sda1",),
    "/sys/class/iscsi_session": ("session1",),
    "/sys/class/iscsi_connection": ("connection1:0",),
    "/sys/class/iscsi_host": ("host3",),
    "/sys/class/net": ("eth0",),
    "/sys/devices/system/cpu": ("cpu0", "cpufreq"),
    "/sys/devices/system/cpu/cpufreq": ("policy0",),
    "/lib/modules": (KERNEL,),
    "/sys/kernel/config/target/iscsi": ("iqn.2000-01.sample:t",),
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t": ("tpgt_1",),
    "/sys/kernel/config/target/core": ("fileio_0", "iblock_0", "pscsi_0", "rd_mcp_0", "user_0"),
    **{f"/sys/kernel/config/target/core/{hba}_0": ("backstore",) for hba in ("fileio", "iblock", "pscsi", "rd_mcp", "user")},
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t/tpgt_1/lun": ("lun_0",),
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t/tpgt_1/lun/lun_0": ("backstore",),
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t/tpgt_1/acls": ("iqn.2000-01.sample:i",),
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t/tpgt_1/acls/iqn.2000-01.sample:i": ("lun_0",),
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t/tpgt_1/acls/iqn.2000-01.sample:i/lun_0": ("backstore",),
    "/sys/kernel/config/target/iscsi/iqn.2000-01.sample:t/tpgt_1/np": ("192.0.2.1:3260",),
    "/etc/iscsi/nodes": ("iqn.2000-01.sample:t",),
    "/var/lib/iscsi/nodes": ("iqn.2000-01.sample:t",),
    "/etc/iscsi/nodes/iqn.2000-01.sample:t": ("192.0.2.1,3260", "192.0.2.1,3260,1"),
    "/var/lib/iscsi/nodes/iqn.2000-01.sample:t": ("192.0.2.1,3260", "192.0.2.1,3260,1"),
    "/etc/iscsi/nodes/iqn.2000-01.sample:t/192.0.2.1,3260,1": ("default",),
    "/var/lib/iscsi/nodes/iqn.2000-01.sample:t/192.0.2.1,3260,1": ("default",),
    "/dev/disk/by-id": ("wwn-0x1",),
    "/var/run/tgtd": ("socket.0",),
    # A file of one folder hides those of its name in the others.
    "/run/modprobe.d": ("sample1.conf",),
    "/usr/local/lib/modprobe.d": ("sample2.conf",),
    "/usr/lib/modprobe.d": ("sample3.conf",),
    "/lib/modprobe.d": ("sample4.conf",),
    "/run/sysctl.d": ("sample1.conf",),
    "/usr/local/lib/sysctl.d": ("sample2.conf",),
    "/usr/lib/sysctl.d": ("sample3.conf",),
    "/lib/sysctl.d": ("sample4.conf",),
    "/etc/lvm/archive": ("sample0_00000-1.vg",),
    **{f"{folder}/libvirt/{driver}": ("sample0.xml",) for folder in ("/run", "/var/run", "/etc") for driver in ("qemu", "libxl")},
}

_NODE = "node.name = iqn.2000-01.sample:t\nnode.session.auth.password = sample\n"
_TARGET = """Target 1: iqn.2000-01.sample:t
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
    LUN information:
        LUN: 1
            Type: disk
            SCSI ID: IET     00010001
            SCSI SN: beaf11
            Size: 1074 MB, Block size: 512
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: rdwr
            Backing store path: {lun}
            Backing store flags:{space}
    Account information:
    ACL information:
        ALL
"""
GUEST = f"<domain><name>sample</name><devices><disk type='block'><source dev='{LOST}'/></disk></devices></domain>\n"
_STALLS = "".join(f"{kind} avg10=0.00 avg60=50.00 avg300=0.00 total=0\n" for kind in ("some", "full"))
FILES = {
    f"/lib/modules/{KERNEL}/modules.dep": "kernel/drivers/scsi/iscsi_tcp.ko: kernel/drivers/scsi/libiscsi.ko\n",
    "/sys/block/dm-0/dev": "253:0\n",
    "/sys/block/dm-1/dev": "253:1\n",
    "/sys/block/md0/dev": "9:0\n",
    "/sys/block/nvme0n1/dev": "259:0\n",
    "/sys/block/sda/dev": "8:0\n",
    "/sys/block/sr0/dev": "11:0\n",
    "/sys/block/vda/dev": "254:0\n",
    "/sys/block/zram0/dev": "252:0\n",
    "/sys/block/dm-0/dm/name": "sample-lv\n",
    "/sys/block/dm-0/dm/uuid": "LVM-" + "0" * 64 + "\n",
    "/sys/block/dm-0/dm/suspended": "0\n",
    # multipath.conf is read where there is a map, multipath-tools asked where a disk under it may be in its own table.
    "/sys/block/dm-1/dm/name": "mpatha\n",
    "/sys/block/dm-1/dm/uuid": "mpath-360\n",
    "/sys/block/dm-1/dm/suspended": "0\n",
    "/etc/multipath.conf": "",
    "/etc/multipath/conf.d/sample0.conf": "",
    "/sys/block/loop0/loop/backing_file": f"{STORE}/vol-1\n",
    "/sys/block/sda/device/state": "running\n",
    "/sys/block/sda/device/iorequest_cnt": "0x1\n",
    "/sys/block/sda/device/iodone_cnt": "0x1\n",
    "/sys/block/sda/device/ioerr_cnt": "0x0\n",
    "/sys/class/iscsi_session/session1/state": "LOGGED_IN\n",
    "/sys/class/iscsi_connection/connection1:0/persistent_address": "192.0.2.1\n",
    "/sys/kernel/config/target/core/fileio_0/backstore/info": f"Status: ACTIVATED\n        File: {LUNS[0]}  Size: 1  Mode: "
    "O_DSYNC\n",
    "/sys/kernel/config/target/core/iblock_0/backstore/udev_path": f"{LOST}\n",
    "/etc/target/saveconfig.json": f'{{"storage_objects": [{{"plugin": "block", "name": "a", "dev": "{LOST}"}}]}}',
    "/etc/rtslib-fb-target/saveconfig.json": "{}",
    "/sys/power/suspend_stats/success": "0\n",
    "/proc/self/mountinfo": f"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 8:1 / {STORE} rw - ext4 /dev/sda1 rw\n",
    "/proc/meminfo": "MemTotal: 4 kB\nMemFree: 4 kB\nDirty: 0 kB\nWriteback: 0 kB\n",
    "/proc/pressure/io": _STALLS,
    **{path_of(reading): "procs_blocked 0\n" for reading in range(READINGS)},
    "/proc/uptime": "1.00 1.00\n",
    "/proc/./uptime": "1.00 1.00\n",
    f"/proc/{TGTD}/task/{TGTD}/schedstat": "1 1 1\n",
    f"/proc/{TGTD}/schedstat": "1 1 1\n",
    "/proc/pressure/memory": _STALLS,
    "/proc/net/unix": "0: 00000002 00000000 00010000 0001 01 1 @tgtd.ipc_abstract_namespace.0\n",
    "/sys/kernel/mm/transparent_hugepage/enabled": "[always] never\n",
    "/etc/iscsi/iscsid.conf": _NODE,
    "/etc/iscsi/nodes/iqn.2000-01.sample:t/192.0.2.1,3260": _NODE,
    "/etc/iscsi/nodes/iqn.2000-01.sample:t/192.0.2.1,3260,1/default": _NODE,
    "/var/lib/iscsi/nodes/iqn.2000-01.sample:t/192.0.2.1,3260": _NODE,
    "/var/lib/iscsi/nodes/iqn.2000-01.sample:t/192.0.2.1,3260,1/default": _NODE,
    "/etc/cinder/cinder.conf": "[DEFAULT]\n",
    "/etc/tgt/targets.conf": "include /etc/tgt/conf.d/*\n",
}
ABSENT = frozenset({"/sys/block/loop1/loop/backing_file", "/sys/block/loop1/loop/offset"})
"""What it has not: a device that an old kernel tells nothing of."""

_STAT = FileStat(kind=FileKind.FILE, size=1 << 30, allocated=1 << 30, device=0x801, inode=2, mtime=1.0)
_FOLDER = FileStat(kind=FileKind.DIRECTORY, size=4096, allocated=4096, device=0x801, inode=3, mtime=1.0, mode=0o755)
_NODE_STAT = FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=4, mtime=1.0, rdevice=(253, 0))

FAILURES = {
    "run": (3, "unrecognised option --nolocking --reportformat\n"),
    "run, older": (2, "No such command.\n"),
    "run, other fields": (5, "Unrecognised field\n"),
}
"""How commands of LVM fail that are too old for what they are asked, by the kind of what is then missing: status and stderr."""


class SampleHost:
    """Answers everything, but what is in `missing`: those questions (kind, what) find nothing, and commands among them fail in one
    of the ways of FAILURES."""

    source = Source.CAPTURE

    def __init__(self, missing: frozenset[tuple[str, object]]) -> None:
        self.missing = missing
        self.asked: dict[tuple[str, object], None] = {}

    def close(self) -> None:
        """Nothing was started."""

    def identity(self) -> HostIdentity:
        """Root on a kernel."""
        return HostIdentity(name="sample", kernel=KERNEL, privileged=True)

    def clock(self) -> Clock:
        """An hour after it was booted."""
        return Clock(now=1e9, boot=3600.0)

    def _lacks(self, kind: str, what: object) -> bool:
        self.asked[(kind, what)] = None
        return (kind, what) in self.missing

    def read(self, path: str) -> str | Unavailable:
        """What FILES says, else a number."""
        if self._lacks("read", path) or path in ABSENT or path in FOLDERS:
            return Unavailable(reason=Reason.ABSENT, what=path)
        return GUEST if path.endswith(".xml") else FILES.get(path, "1\n")

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """What FOLDERS says, else two names."""
        if self._lacks("list", path):
            return Unavailable(reason=Reason.ABSENT, what=path)
        return FOLDERS.get(path, ("sample0", "sample0.conf"))

    def readlink(self, path: str) -> str | Unavailable:
        """Where a disk's link leads."""
        if self._lacks("readlink", path):
            return Unavailable(reason=Reason.ABSENT, what=path)
        if path.startswith("/sys/kernel/config/target/iscsi/"):
            return "../../../../../../target/core/iblock_0/backstore"
        if path.startswith("/sys/block/"):
            return "../devices/platform/host3/session1/target3:0:0/3:0:0:1/block/sda"
        return f"{path}/sda1"

    def stat(self, path: str) -> FileStat | Unavailable:
        """A block device under /dev, else a file that everybody may read; folders have an inode of their own each."""
        if self._lacks("stat", path):
            return Unavailable(reason=Reason.ABSENT, what=path)
        if path.startswith("/dev/"):
            return _NODE_STAT
        from sctune.records import replace

        return replace(_FOLDER if path in FOLDERS else _STAT, inode=sum(map(ord, path)), mode=0o755)

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """A moment."""
        return Unavailable(reason=Reason.ABSENT, what=path) if self._lacks("lstat_mtime", path) else 1.0

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """Files, devices, and the store's folder. What is asked here is another on every host, and the script finds it out."""
        return tuple(
            Unavailable(reason=Reason.ABSENT, what=path)
            if self._lacks("stat_file", path)
            else _NODE_STAT
            if path.startswith("/dev/")
            else _FOLDER
            if path == STORE
            else _STAT
            for path in paths
        )

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """What is said of an instance's volume. The script finds such files as it finds what is in a store."""
        return tuple(GUEST for _ in paths)

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """One volume."""
        return (FileEntry(name="vol-1", stat=_STAT),)

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """Plenty."""
        return FilesystemSpace(total=1 << 40, free=1 << 39, available=1 << 39, inodes=1000, inodes_free=900)

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """The daemons that probes look closer at."""
        return tuple(
            Process(pid=pid, ppid=1, name=name, state="S", argv=(name,), started=1.0, cpu_seconds=1.0, uid=0)
            for pid, name in ((TGTD, "tgtd"), (4343, "iscsid"), (4444, "multipathd"), (4545, "java"))
        )

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """Success, with a version in it, or a failure."""
        words = tuple(argv)
        failures = [failure for kind, failure in FAILURES.items() if self._lacks(kind, words)]
        status, stderr = failures[0] if failures else (0, "")
        return Completed(argv=words, status=status, stdout="" if failures else "1.0.85\n", stderr=stderr, seconds=0.1)

    def dm(self, query: DmQuery) -> str | Unavailable:
        """One linear device."""
        self._lacks("dm", query.value)
        return "sample-lv: 0 2048 linear 7:0 2048\n" if query is DmQuery.TABLE else "sample-lv: 0 2048 linear \n"

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """Two targets, one on a file and one on a device."""
        self._lacks("tgt", (mode.value, tid is not None))
        if mode is not TgtMode.TARGET or tid is not None:
            return ""
        # Two on one host: a file and a device.
        first, second = (_TARGET.format(lun=lun, space=" ") for lun in LUNS)
        return first + second.replace("Target 1", "Target 2").replace(":t", ":u")

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Nothing that is wanted was logged."""
        if self._lacks("log", (path, query.pattern)):
            return Unavailable(reason=Reason.ABSENT, what=path)
        return LogLines(lines=(), begins=1e9 - 3600.0, whole=True, size=100, zone="UTC +0000")

    def kernel_log(self) -> str | Unavailable:
        """Nothing was logged."""
        self._lacks("kernel_log", "")
        return ""
