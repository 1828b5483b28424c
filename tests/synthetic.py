"""A healthy storage controller of any size, made of text: what Eucalyptus 4.4 builds, volume by volume.

Composed after real output (tests/data): the numbers grow, the forms are the tools'. Tests use it to see that nothing healthy
is called ill, bench/ to see how cost grows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sctune.host.base import Completed, DmQuery, FileEntry, FileKind, FileStat, FilesystemSpace, Process, TgtMode
from tests.fakes import FakeHost, absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.unavailable import Unavailable

GIB = 1 << 30
FILE_SIZE = GIB + (4 << 20)
STORE = "/var/lib/eucalyptus/volumes"
STORE_DEVICE = (8 << 8) | 16
LVM_VERSION = """  LVM version:     2.03.16(2) (2022-05-18)
  Library version: 1.02.185 (2022-05-18)
  Driver version:  4.47.0
"""


@dataclass
class SyntheticHost(FakeHost):
    """A `FakeHost` that also answers `lvm fullreport` whatever its options are, and lists folders from an index."""

    lvm_report: str = ""

    def __post_init__(self) -> None:
        self.tree: dict[str, set[str]] = {}
        for file in (*self.files, *self.links):
            path = file
            while path.count("/") > 1:
                parent, _, name = path.rpartition("/")
                names = self.tree.setdefault(parent, set())
                if name in names:
                    break
                names.add(name)
                path = parent

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        names = self.tree.get(path.rstrip("/"))
        return tuple(sorted(names)) if names else absent(path)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        command = tuple(argv[:2])
        if command == ("lvm", "fullreport"):
            return Completed(argv=tuple(argv), status=0, stdout=self.lvm_report, stderr="", seconds=0.1)
        if command == ("lvm", "version"):
            return Completed(argv=tuple(argv), status=0, stdout=LVM_VERSION, stderr="", seconds=0.01)
        return super().run(argv, timeout=timeout)


def uuid(kind: str, number: int) -> str:
    """An LVM uuid of its shape: 6-4-4-4-4-4-6."""
    digits = f"{kind}{number:031d}"
    return "-".join((digits[:6], digits[6:10], digits[10:14], digits[14:18], digits[18:22], digits[22:26], digits[26:]))


def name_of(number: int) -> str:
    return f"vol-{number + 0x10000000:08X}"


def storage_controller(volumes: int) -> SyntheticHost:
    """A host with `volumes` volumes, each exported to one initiator."""
    files: dict[str, str | Unavailable] = {
        "/etc/eucalyptus/eucalyptus-version": "4.4.2\n",
        "/etc/hostname": "synthetic\n",
        "/sys/module/loop/parameters/max_loop": "0\n",
        "/proc/self/mountinfo": (
            "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
            f"40 22 8:16 / {STORE} rw,noatime shared:2 - ext4 /dev/sdb rw\n"
        ),
        "/proc/mounts": f"/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sdb {STORE} ext4 rw,noatime 0 0\n",
        "/proc/meminfo": "MemTotal:       65842364 kB\nMemFree:        32921182 kB\nMemAvailable:   60842364 kB\n"
        "Dirty:               120 kB\nWriteback:             0 kB\n",
        "/proc/vmstat": "nr_free_pages 8230295\nnr_dirty_threshold 262144\nnr_dirty_background_threshold 131072\n",
        "/proc/sys/vm/dirty_ratio": "0\n",
        "/proc/sys/vm/dirty_bytes": "1073741824\n",
        "/proc/sys/vm/dirty_background_ratio": "0\n",
        "/proc/sys/vm/dirty_background_bytes": "536870912\n",
        "/proc/sys/vm/dirty_expire_centisecs": "3000\n",
        "/proc/sys/vm/dirty_writeback_centisecs": "500\n",
        "/sys/class/misc/device-mapper/dev": "10:236\n",
        "/sys/class/misc/loop-control/dev": "10:237\n",
        "/proc/uptime": "2000.00 1900.00\n",
        "/proc/./uptime": "2000.50 1900.40\n",
        "/proc/900/task/900/schedstat": "5000000000 100000000 1000\n",
        "/proc/900/schedstat": "5001000000 100000000 1001\n",
        "/var/run/tgtd/socket.0": "",
        "/run/tgtd/socket.0": "",
    }
    _disk(files, "sda", 8, 0, "[mq-deadline] none")
    _disk(files, "sdb", 8, 16, "[mq-deadline] none")
    host_links: dict[str, str] = {}
    stats: dict[str, FileStat | Unavailable] = {
        "/dev/loop-control": FileStat(kind=FileKind.OTHER, size=0, allocated=0, device=5, inode=1, mtime=0.0),
        STORE: FileStat(kind=FileKind.DIRECTORY, size=4096, allocated=4096, device=STORE_DEVICE, inode=2, mtime=1.7e9),
    }
    entries: list[FileEntry] = []
    status: list[str] = []
    table: list[str] = []
    report: list[dict[str, object]] = []
    targets: list[str] = []
    for number in range(volumes):
        _volume(number, files, stats, entries)
        status.append(f"{_dm_name(number)}: 0 {GIB // 512} linear \n")
        table.append(f"{_dm_name(number)}: 0 {GIB // 512} linear 7:{number} 2048\n")
        report.append(_vg(number))
        targets.append(_target(number))
    tgtd = Process(
        pid=900,
        ppid=1,
        name="tgtd",
        state="S",
        argv=("tgtd", "-f", "--iscsi", "portal=10.1.0.5:3260"),
        started=100.0,
        cpu_seconds=1.0,
        uid=0,
    )
    cloud = Process(
        pid=901, ppid=1, name="eucalyptus-clou", state="S", argv=("eucalyptus-cloud",), started=100.0, cpu_seconds=9.0, uid=0
    )
    host = SyntheticHost(
        files=files,
        links=host_links,
        stats=stats,
        folders={STORE: tuple(entries)},
        spaces={
            STORE: FilesystemSpace(
                total=(volumes + 1) * 4 * GIB,
                free=(volumes + 1) * 3 * GIB,
                available=(volumes + 1) * 3 * GIB,
                inodes=10**7,
                inodes_free=9 * 10**6,
            )
        },
        table=(tgtd, cloud),
        dm_answers={DmQuery.STATUS: "".join(status), DmQuery.TABLE: "".join(table)},
        tgt_answers={
            (TgtMode.TARGET, 0, None): "".join(targets),
            (TgtMode.PORTAL, 0, None): "Portal: 10.1.0.5:3260,1\n",
            (
                TgtMode.SYSTEM,
                0,
                None,
            ): "System:\n    State: ready\n    debug: off\nLLDs:\n    iscsi: ready\nBacking stores:\n    rdwr\n",
            (TgtMode.ACCOUNT, 0, None): "Account list:\n    eucalyptus\n",
        },
        lvm_report=json.dumps({"report": report}),
        name="synthetic",
    )
    return host


def _disk(files: dict[str, str | Unavailable], name: str, major: int, minor: int, scheduler: str) -> None:
    base = f"/sys/block/{name}"
    files |= {
        f"{base}/dev": f"{major}:{minor}\n",
        f"{base}/size": f"{8 << 31}\n",
        f"{base}/ro": "0\n",
        f"{base}/removable": "0\n",
        f"{base}/queue/rotational": "1\n",
        f"{base}/queue/scheduler": f"{scheduler}\n",
        f"{base}/queue/read_ahead_kb": "4096\n",
        f"{base}/queue/nr_requests": "128\n",
        f"{base}/queue/write_cache": "write through\n",
        f"{base}/queue/logical_block_size": "512\n",
    }


def _volume(
    number: int, files: dict[str, str | Unavailable], stats: dict[str, FileStat | Unavailable], entries: list[FileEntry]
) -> None:
    volume = name_of(number)
    backing = FileStat(
        kind=FileKind.FILE, size=FILE_SIZE, allocated=GIB // 4, device=STORE_DEVICE, inode=1000 + number, mtime=1.7e9, uid=0
    )
    stats[f"{STORE}/{volume}"] = backing
    entries.append(FileEntry(name=volume, stat=backing))
    loop, dm = f"/sys/block/loop{number}", f"/sys/block/dm-{number}"
    files |= {
        f"{loop}/dev": f"7:{number}\n",
        f"{loop}/size": f"{FILE_SIZE // 512}\n",
        f"{loop}/ro": "0\n",
        f"{loop}/removable": "0\n",
        f"{loop}/loop/backing_file": f"{STORE}/{volume}\n",
        f"{loop}/loop/offset": "0\n",
        f"{loop}/loop/sizelimit": "0\n",
        f"{loop}/loop/autoclear": "0\n",
        f"{loop}/loop/dio": "1\n",
        f"{loop}/queue/logical_block_size": "512\n",
        f"{loop}/queue/scheduler": "[none] mq-deadline\n",
        f"{loop}/queue/rotational": "1\n",
        f"{loop}/queue/read_ahead_kb": "4096\n",
        f"{loop}/queue/nr_requests": "128\n",
        f"{loop}/queue/write_cache": "write back\n",
        f"{loop}/holders/dm-{number}": "",
        f"{dm}/dev": f"253:{number}\n",
        f"{dm}/size": f"{GIB // 512}\n",
        f"{dm}/ro": "0\n",
        f"{dm}/removable": "0\n",
        f"{dm}/dm/name": f"{_dm_name(number)}\n",
        f"{dm}/dm/uuid": f"LVM-{uuid('V', number)}{uuid('L', number)}".replace("-", "").replace("LVM", "LVM-", 1) + "\n",
        f"{dm}/dm/suspended": "0\n",
        f"{dm}/queue/logical_block_size": "512\n",
        f"{dm}/queue/scheduler": "none\n",
        f"{dm}/queue/rotational": "1\n",
        f"{dm}/queue/read_ahead_kb": "4096\n",
        f"{dm}/queue/nr_requests": "128\n",
        f"{dm}/queue/write_cache": "write back\n",
        f"{dm}/slaves/loop{number}": "",
        f"/sys/dev/block/253:{number}/size": f"{GIB // 512}\n",
        f"/run/udev/data/b253:{number}": "I:200000000\n",
    }
    node = FileStat(
        kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=5000 + number, mtime=1.7e9, mode=0o660, rdevice=(253, number)
    )
    stats[_lv_path(number)] = node
    stats[f"/dev/mapper/{_dm_name(number)}"] = node


def _vg_name(number: int) -> str:
    return f"euca-ebs-storage-vg-{name_of(number)}"


def _lv_path(number: int) -> str:
    return f"/dev/{_vg_name(number)}/euca-{name_of(number)}"


def _dm_name(number: int) -> str:
    return f"{_vg_name(number).replace('-', '--')}-{f'euca-{name_of(number)}'.replace('-', '--')}"


def _vg(number: int) -> dict[str, object]:
    """One VG of `lvm fullreport --units b --nosuffix`."""
    vg, volume = _vg_name(number), name_of(number)
    return {
        "vg": [
            {
                "vg_uuid": uuid("V", number), "vg_name": vg, "vg_attr": "wz--n-", "vg_exported": "", "vg_partial": "",
                "vg_size": str(GIB), "vg_free": "0", "vg_extent_size": str(4 << 20), "pv_count": "1", "vg_missing_pv_count": "0",
                "lv_count": "1", "snap_count": "0", "vg_seqno": "2", "vg_tags": "", "vg_mda_free": "520192",
                "vg_mda_size": "1044480", "vg_extent_count": "256", "vg_free_count": "0",
            }
        ],
        "pv": [
            {
                "pv_uuid": uuid("P", number), "pv_name": f"/dev/loop{number}", "pv_major": "7", "pv_minor": str(number),
                "vg_name": vg, "pv_size": str(GIB), "pv_free": "0", "pv_attr": "a--", "pv_missing": "", "pv_duplicate": "",
                "dev_size": str(FILE_SIZE), "pv_in_use": "used",
            }
        ],
        "lv": [
            {
                "lv_uuid": uuid("L", number), "lv_name": f"euca-{volume}", "vg_name": vg, "vg_uuid": uuid("V", number),
                "lv_full_name": f"{vg}/euca-{volume}", "lv_path": _lv_path(number),
                "lv_dm_path": f"/dev/mapper/{_dm_name(number)}", "lv_attr": "-wi-ao----", "lv_size": str(GIB),
                "lv_layout": "linear", "lv_role": "public", "origin": "", "pool_lv": "", "lv_tags": volume, "lv_active": "active",
                "lv_suspended": "", "lv_device_open": "open", "lv_kernel_major": "253", "lv_kernel_minor": str(number),
                "snap_percent": "", "data_percent": "", "metadata_percent": "", "lv_snapshot_invalid": "unknown",
                "lv_health_status": "", "lv_time": "2026-11-22 05:35:15 +0000", "lv_merge_failed": "unknown",
                "lv_check_needed": "unknown", "lv_merging": "", "lv_when_full": "", "lv_live_table": "live table present",
            }
        ],
        "pvseg": [{"pvseg_start": "0", "pvseg_size": "256", "pv_uuid": uuid("P", number), "lv_uuid": uuid("L", number)}],
        "seg": [
            {
                "segtype": "linear", "lv_uuid": uuid("L", number), "devices": f"/dev/loop{number}(0)", "seg_start_pe": "0",
                "seg_pe_ranges": f"/dev/loop{number}:0-255", "metadata_devices": "", "seg_monitor": "",
            }
        ],
    }  # fmt: skip


def _target(number: int) -> str:
    tid = number + 1
    return f"""Target {tid}: iqn.2009-06.com.eucalyptus.one:store{tid}
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: {tid}
            Initiator: iqn.1994-05.com.redhat:node{number % 20} alias: node{number % 20}
            Connection: 0
                IP Address: 10.1.0.{number % 20 + 10}
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     {tid:04x}0000
            SCSI SN: beaf{tid}0
            Size: 0 MB, Block size: 1
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: null
            Backing store path: None
            Backing store flags: 
        LUN: 1
            Type: disk
            SCSI ID: IET     {tid:04x}0001
            SCSI SN: beaf{tid}1
            Size: 1074 MB, Block size: 512
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: rdwr
            Backing store path: {_lv_path(number)}
            Backing store flags: 
    Account information:
        eucalyptus
    ACL information:
        ALL
"""  # noqa: W291 -- tgtadm prints that trailing blank
