"""What follows from sos' commands, each by texts as the tools print them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Clock, DmQuery, FileKind
from sctune.host.sos import devices, listing, processes, sessions, space
from sctune.host.sos.times import boot_time, parse_ctime
from sctune.model.initiator import IscsiSession
from sctune.probes import lvm_display, lvm_sos
from sctune.probes.dm import probe as probe_dm
from sctune.probes.iscsi_sessions import probe as probe_sessions
from sctune.probes.loop import probe as probe_loops
from sctune.unavailable import Reason, Unavailable

from .sos_archives import host

if TYPE_CHECKING:
    from sctune.host.base import Host

RECORDED = Path(__file__).resolve().parent.parent / "data" / "vm"
SYS_BLOCK = """/sys/block:
total 0
drwxr-xr-x  2 0 0 0 Nov 26 07:18 .
lrwxrwxrwx  1 0 0 0 Nov 26 07:19 dm-0 -> ../devices/virtual/block/dm-0
lrwxrwxrwx  1 0 0 0 Nov 26 07:19 loop0 -> ../devices/virtual/block/loop0
lrwxrwxrwx  1 0 0 0 Nov 26 07:19 loop1 -> ../devices/virtual/block/loop1
lrwxrwxrwx  1 0 0 0 Nov 26 07:18 sda -> ../devices/platform/host0/session1/target0:0:0/0:0:0:1/block/sda
"""
PARTITIONS = (
    "major minor  #blocks  name\n\n   7        0    1052672 loop0\n 253        0    1048576 dm-0\n   8        0    1048576 sda\n"
)
UDEV = """
  looking at device '/devices/virtual/block/loop0':
    KERNEL=="loop0"
    ATTR{loop/autoclear}=="0"
    ATTR{loop/dio}=="1"
    ATTR{loop/offset}=="512"
    ATTR{loop/partscan}=="0"
    ATTR{loop/sizelimit}=="0"
    ATTR{ro}=="0"
    ATTR{size}=="2105344"

  looking at parent device '/devices/virtual':
    ATTRS{size}=="1"
"""
UDEV_IDLE = '  looking at device \'/devices/virtual/block/loop1\':\n    ATTR{ro}=="0"\n    ATTR{size}=="0"\n'
LOOP = {"backing_file": "/srv/file", "offset": "0", "sizelimit": "0", "autoclear": "0", "dio": "0", "partscan": "0"}
DM_INFO = "Name     Maj Min Stat Open Targ Event  UUID      \nvg-a b   253   0 LsBw    1    1      0 LVM-abc   \n"
BLOCK = {
    "ls -lanR /sys/block": SYS_BLOCK,
    "udevadm info -a /dev/loop0": UDEV,
    "udevadm info -a /dev/loop1": UDEV_IDLE,
    "dmsetup info -c": DM_INFO,
    "dmsetup table": "vg-a b: 0 2097152 linear 7:0 2048\n",
    "dmsetup status": "vg-a b: 0 2097152 linear \n",
}


def block_host(place: Path, more: dict[str, str] | None = None) -> Host:
    return host(place, {**BLOCK, **(more or {})}, {"proc/partitions": PARTITIONS})


def test_devices(tmp_path: Path) -> None:
    found = block_host(tmp_path)
    assert found.list("/sys/block") == ("dm-0", "loop0", "loop1", "sda")
    assert found.read("/sys/block/dm-0/size") == "2097152\n"
    assert found.read("/sys/block/sda/dev") == "8:0\n"
    assert found.list("/sys/block/dm-0/slaves") == ("loop0",)
    assert "session1" in str(found.readlink("/sys/block/sda"))
    (device,) = (one for one in _known(probe_dm(found)))
    assert (device.name, device.suspended, device.size) == ("vg-a b", True, 1 << 30)


def _known(answer: object) -> tuple:  # type: ignore[type-arg]
    assert isinstance(answer, tuple), answer
    return answer


def test_loop_devices_without_their_files(tmp_path: Path) -> None:
    state = probe_loops(block_host(tmp_path))
    assert not isinstance(state, Unavailable)
    (loop,) = state.devices
    assert (loop.name, loop.offset, loop.direct_io, loop.size, loop.backing_file) == ("loop0", 512, True, 2105344 * 512, "")
    assert isinstance(loop.backing, Unavailable)
    assert state.nodes == 2


def test_loop_devices_with_losetup(tmp_path: Path) -> None:
    state = probe_loops(block_host(tmp_path, {"losetup -a": "/dev/loop0: [65024]:23 (/srv/a (x) (deleted)), offset 512\n"}))
    assert not isinstance(state, Unavailable)
    # Nobody looked at the file: the kernel's mark may be part of its name.
    assert [loop.backing_file for loop in state.devices] == ["/srv/a (x)"]


def test_without_udevadm_a_loop_device_is_not_known(tmp_path: Path) -> None:
    found = host(tmp_path, {"ls -lanR /sys/block": SYS_BLOCK}, {"proc/partitions": PARTITIONS})
    state = probe_loops(found)
    assert isinstance(state, Unavailable)
    assert state.reason is Reason.NOT_COLLECTED
    assert isinstance(host(tmp_path, {"date": "x\n"}).list("/sys/block"), Unavailable)


def test_device_mapper_that_failed(tmp_path: Path) -> None:
    found = host(tmp_path, {"dmsetup status": "/dev/mapper/control: open failed\n"}, changed={"dmsetup status": {"return_code": 1}})
    answer = found.dm(DmQuery.STATUS)
    assert isinstance(answer, Unavailable)
    assert (answer.reason, answer.detail) == (Reason.FAILED, "/dev/mapper/control: open failed")
    assert isinstance(found.dm(DmQuery.TABLE), Unavailable)


def test_settings_are_files(tmp_path: Path) -> None:
    found = host(
        tmp_path,
        {"sysctl -a": 'sysctl: reading key "x"\nvm.dirty_ratio = 20\nnet.ipv4.conf.eth0/1.mtu = 3\nnet.ipv4.tcp_rmem = 1\t2\t3\n'},
    )
    assert found.read("/proc/sys/vm/dirty_ratio") == "20\n"
    assert found.read("/proc/sys/net/ipv4/tcp_rmem") == "1\t2\t3\n"
    assert found.read("/proc/sys/net/ipv4/conf/eth0.1/mtu") == "3\n"
    assert isinstance(found.read("/proc/sys/vm/none"), Unavailable)


def test_what_was_copied_whole_can_be_missing(tmp_path: Path) -> None:
    found = host(
        tmp_path,
        {"date": "x\n"},
        {"etc/lvm/lvm.conf": "", "sys/block/sda/queue/rotational": "1\n"},
        copied=["/etc/lvm", "/sys/block/*/queue/"],
    )
    reasons = {
        "/etc/lvm/none": Reason.ABSENT,
        "/etc/none": Reason.NOT_COLLECTED,
        "/sys/block/sdb/queue/rotational": Reason.ABSENT,
        "/sys/block/sda/queue/secret": Reason.NOT_COLLECTED,
        "/sys/block/sda/size": Reason.NOT_COLLECTED,
    }
    for path, reason in reasons.items():
        answer = found.read(path)
        assert isinstance(answer, Unavailable)
        assert answer.reason is reason, path
    assert found.list("/etc/lvm") == ("lvm.conf",)
    assert isinstance(found.list("/etc"), Unavailable)


def test_times() -> None:
    assert parse_ctime("Thu Nov 26 07:19:19 UTC 2026") == parse_ctime("Thu Nov 26 07:19:19 2026") == 1795677559.0
    assert parse_ctime("Thu Nov  6 07:19:19 AM CET 2026") == parse_ctime("Thu Nov  6 07:19:19 2026")
    assert parse_ctime("Thu 26 Nov 2026") is None
    assert boot_time("cpu 1\nbtime 1795677500\n") == 1795677500.0


def test_clock_and_name(tmp_path: Path) -> None:
    commands = {"date": "Thu Nov 26 08:19:19 CET 2026\n", "date --utc": "Thu Nov 26 07:19:19 UTC 2026\n", "hostname": "sc1\n"}
    found = host(tmp_path, commands, {"proc/stat": "btime 1795677500\n"})
    assert found.clock() == Clock(now=1795677559.0, boot=59.0)
    assert found.identity().name == "sc1"
    assert found.read("/proc/uptime") == "59.00 0.00\n"
    # Without date it is when the archive was written.
    assert host(tmp_path, {"hostname": "x\n"}).clock().now == 1_790_000_000.0


_TGTADM = "tgtadm --op new --mode account --user x --password hunter2"
_PS_HEAD = (
    "F S   UID   PID  PPID  PGID   SID CLS PRI ADDR    SZ WCHAN                                 STARTED TT           TIME CMD\n"
)
_PS_ROW = (
    "{f} {s} {uid:5} {pid:5} {ppid:5}     0     0  TS  19    -  3696 {wchan:20} Thu Nov 26 08:18:{at} 2026 ?      {time:>10}"
    " {cmd}\n"
)
PS = (
    _PS_HEAD
    + _PS_ROW.format(f=4, s="S", uid=0, pid=1, ppid=0, wchan="do_select", at=23, time="00:00:02", cmd="/sbin/init")
    + _PS_ROW.format(
        f=1, s="D", uid=1000, pid=153, ppid=1, wchan="-", at=33, time="1-00:00:01", cmd="tgtadm --user x --password hunter2"
    )
    + _PS_ROW.format(f=1, s="I", uid=0, pid=3, ppid=2, wchan="rescuer_thread", at=23, time="00:00:00", cmd="[rcu_gp]")
)
PS_NAMES = """  PID  PPID USER     GROUP      LWP NLWP START COMMAND         CGROUP
    1     0 root     root         1    1 08:18 init            -
  153     1 euca     euca       153    7 08:18 Web Content     -
"""


def test_processes() -> None:
    table = processes.parse(PS, PS_NAMES, Clock(now=1795677559.0, boot=60.0), 3600.0)
    assert [(one.pid, one.ppid, one.name, one.state, one.threads, one.uid) for one in table] == [
        (1, 0, "init", "S", 1, 0),
        (153, 1, "Web Content", "D", 7, 1000),
        (3, 2, "rcu_gp", "I", 1, 0),
    ]
    assert table[1].started == 14.0
    assert table[1].cpu_seconds == 86401.0
    assert "hunter2" not in repr(table)
    assert table[2].argv == ()


@pytest.mark.parametrize("text", ["", PS.replace("PPID", "PID2"), PS + "half a li", "\n".join(PS.split("\n")[1:])])
def test_half_a_table_of_processes_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="ps"):
        processes.parse(text, PS_NAMES, Clock(now=0.0, boot=1.0), 0.0)


def test_space(tmp_path: Path) -> None:
    blocks = (
        "Filesystem     1K-blocks   Used Available Use% Mounted on\n/dev/vda        65478188 115004  61991360   1% /srv\n"
        "/dev/mapper/long\n                 1000    400       500  45% /a b\nproc                   0      0         0    - /proc\n"
    )
    inodes = "Filesystem      Inodes IUsed   IFree IUse% Mounted on\n/dev/vda       4194304    23 4194281    1% /srv\n"
    mounts = (
        "26 1 0:22 / / rw - ext4 /dev/vdb rw\n27 26 254:0 / /srv rw - ext4 /dev/vda rw\n28 27 0:40 / /srv/nfs rw - nfs s:/x rw\n"
    )
    found = host(
        tmp_path, {"df -al -x autofs": blocks, "df -ali -x autofs": inodes}, {"proc/self": "-> 99", "proc/99/mountinfo": mounts}
    )
    held = found.space("/srv/volumes")
    assert not isinstance(held, Unavailable)
    assert (held.total, held.free, held.available, held.inodes_free) == (65478188 << 10, 65363184 << 10, 61991360 << 10, 4194281)
    # df was not asked for network mounts: their space is not that of what they are mounted on.
    assert isinstance(found.space("/srv/nfs/volumes"), Unavailable)
    assert space.parse(blocks, inodes)["/a b"].total == 1000 << 10


@pytest.mark.parametrize("state", sorted(path.parent.name for path in RECORDED.glob("*/iscsiadm-session-P3.txt")))
def test_sessions_are_those_of_the_kernel(state: str, tmp_path: Path) -> None:
    text = (RECORDED / state / "iscsiadm-session-P3.txt").read_text()
    if not text:
        pytest.skip("iscsiadm did not answer in this state")
    found = probe_sessions(host(tmp_path, {"iscsiadm -m session -P 3": text, "ls -lanR /sys/block": SYS_BLOCK}))
    if "SID:" not in text:
        assert found == () or isinstance(found, Unavailable)
        return
    recorded = (RECORDED / state / "sys-iscsi-session.txt").read_text()
    assert _known(found)
    for one in _known(found):
        assert isinstance(one, IscsiSession)
        assert one.target in recorded
        assert one.state
        assert one.recovery_timeout is not None
        assert one.connections[0].persistent_port == 3260


def test_a_report_of_sessions_that_is_cut_off_is_none() -> None:
    text = (RECORDED / "healthy" / "iscsiadm-session-P3.txt").read_text()
    for lines in (5, 12, 16):
        with pytest.raises(ValueError, match="session"):
            sessions.parse("\n".join(text.split("\n")[:lines]))
    assert sessions.parse("iscsiadm: No active sessions.\n").lists["/sys/class/iscsi_session"] == ()


def test_nodes_of_dev(tmp_path: Path) -> None:
    text = (
        "/dev:\ntotal 0\ndrwxr-xr-x 18 0 0     3300 Nov 26 07:19 .\nbrw-rw----  1 0 6 253,   0 Nov 26 07:18 dm-0\n"
        "crw-rw----  1 0 6  10, 237 Nov 26 2025 loop-control\nbrw-rw----. 1 0 6 system_u:object_r:x:s0 8, 0 Nov 26 07:18 sda\n\n"
        "/dev/vg a:\ntotal 0\nlrwxrwxrwx 1 0 0 7 Nov 26 07:18 lv -> ../dm-0\n"
    )
    found = host(tmp_path, {"ls -lanR /dev": text})
    stat = found.stat("/dev/vg a/lv")
    assert not isinstance(stat, Unavailable)
    assert (stat.kind, stat.rdevice, stat.mode) == (FileKind.BLOCK, (253, 0), 0o660)
    assert getattr(found.stat("/dev/sda"), "rdevice", None) == (8, 0)
    assert found.list("/dev/vg a") == ("lv",)
    gone = found.stat("/dev/none")
    assert isinstance(gone, Unavailable)
    assert gone.reason is Reason.ABSENT
    elsewhere = found.stat("/etc/iscsi/iscsid.conf")
    assert isinstance(elsewhere, Unavailable)
    assert elsewhere.reason is Reason.NOT_COLLECTED


def test_another_ls_is_as_good(tmp_path: Path) -> None:
    found = host(tmp_path, {"ls -alZR /sys/block": SYS_BLOCK.replace("0 0 0 Nov", "root root ? 0 Nov")})
    assert found.list("/sys/block") == ("dm-0", "loop0", "loop1", "sda")


def test_loop_devices_by_what_later_sos_copies(tmp_path: Path) -> None:
    files = {f"sys/block/loop0/loop/{name}": f"{text}\n" for name, text in LOOP.items()} | {"proc/partitions": PARTITIONS}
    found = host(tmp_path, BLOCK, files, copied=["/sys/block/loop*/loop/", "/sys/block/*/queue/"])
    state = probe_loops(found)
    assert not isinstance(state, Unavailable)
    assert [loop.backing_file for loop in state.devices] == ["/srv/file"]


def test_a_folder_that_is_not_understood_is_left_out() -> None:
    assert "/dev" not in listing.parse("/dev:\ntotal 0\nls: cannot access 'x': No such file\n").names


@given(st.text())
def test_parsers_raise_nothing_but_value_errors(text: str) -> None:
    listing.parse(text)
    devices.attributes(text)
    space.parse(text, text)
    for parse in (devices.partitions, devices.dm_rows, sessions.parse):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.parametrize("unit", [" ", "1 ", ":", "a: ", "LVM-", "x" * 64 + " LVM-", "root ", " 1"])
def test_long_lines_take_no_long_time(unit: str) -> None:
    line = unit * (400_000 // len(unit))
    began = time.monotonic()
    for text in (line, f"drwxr-xr-x 1 0 0 {line}", f"/dev:\nbrw-rw---- 1 0 6 {line}", f"{DM_INFO}{line}\n", f"{PS}{line}\n"):
        listing.parse(text)
        space.parse(text, text)
        devices.attributes(text)
        for parse in (devices.partitions, devices.dm_rows, sessions.parse, lvm_display.parse, lvm_sos._dm_uuids):
            with contextlib.suppress(ValueError):
                parse(text)
        with contextlib.suppress(ValueError):
            processes.parse(text, PS_NAMES + line, Clock(now=1.0, boot=1.0), 0.0)
        with contextlib.suppress(ValueError):
            lvm_sos.parse(text, text, f"  LV VG Attr {line}x\n  a b -wi-a----- {line}", text)
    assert time.monotonic() - began < 20.0


@given(st.text(alphabet="abc123 :\n[]/"), st.text(alphabet="abc123 :\n[]/"))
def test_the_process_table_raises_nothing_but_value_errors(first: str, second: str) -> None:
    try:
        processes.parse(PS + first, PS_NAMES + second, Clock(now=1.0, boot=1.0), 0.0)
    except ValueError:
        return


def test_no_secret_of_an_archive_is_told(tmp_path: Path) -> None:
    """Debian's sos leaves CHAP passwords in iscsid.conf, and command lines as they are."""
    secret = "hunter2hunter2"
    found = host(
        tmp_path,
        {
            **BLOCK,
            "dmesg": f"[    1.0] x: iscsiadm --op update --name node.session.auth.password --value {secret}\n",
            "dmsetup table": f"c: 0 8 crypt aes-xts-plain64 {secret.encode().hex() * 4} 0 7:0 0\n",
            "sysctl -a": f"kernel.core_pattern = |/bin/x --password {secret}\n",
            "systemctl show service --all": f"ExecStart=tgtadm --password {secret}\n",
        },
        {
            "etc/iscsi/iscsid.conf": f"node.session.auth.password = {secret}\n",
            "etc/tgt/targets.conf": f"<target iqn.x>\n  incominguser u {secret}\n</target>\n",
            "proc/cmdline": f"root=iscsi:u:{secret}@10.0.0.1::3260::iqn.x quiet\n",
        },
    )
    files = [
        found.read(path)
        for path in ("/etc/iscsi/iscsid.conf", "/etc/tgt/targets.conf", "/proc/cmdline", "/proc/sys/kernel/core_pattern")
    ]
    said = [*files, found.kernel_log(), found.dm(DmQuery.TABLE), found.run(("systemctl", "show", "service", "--all"), timeout=1.0)]
    assert not any(isinstance(one, Unavailable) for one in said)
    for one in said:
        assert secret not in repr(one)
        assert secret.encode().hex() not in repr(one)
