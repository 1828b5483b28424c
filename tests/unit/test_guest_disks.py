"""Which disks guests have, and when disks of sessions came."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sctune.host.base import Process
from sctune.probes import disk_arrivals, guest_disks
from sctune.probes.guest_disks import named_devices
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import NO_PROCESSES, disk, session, unavailable

BY_PATH = "/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-06.com.eucalyptus.lab:store7-lun-1"
# As libvirt writes them: 2.x and earlier, 6.0 and later.
DRIVE = ("-drive", f"file={BY_PATH},format=raw,if=none,id=drive-virtio-disk1,cache=none")
BLOCKDEV = ("-blockdev", '{"driver":"host_device","filename":"/dev/sdb","node-name":"libvirt-2-storage","cache":{"direct":true}}')


def guest(*argv: str, pid: int = 800) -> Process:
    words = ("/usr/bin/qemu-system-x86_64", *argv)
    return Process(pid=pid, ppid=1, name="qemu-system-x86", state="S", argv=words, started=1.0, cpu_seconds=1.0, uid=107)


def test_devices_in_the_arguments() -> None:
    argv = guest(*DRIVE, *BLOCKDEV, "-drive", "file=/var/lib/instances/i-1/disk,if=none", "-device", "x,/dev/sdb").argv
    assert named_devices(argv) == (BY_PATH, "/dev/sdb")
    assert named_devices(("/dev/shm/qemu", "-S")) == ()


def test_links_lead_to_the_disk_and_open_files_tell_the_rest() -> None:
    host = FakeHost(
        links={
            BY_PATH: "../../sdc",
            "/proc/800/fd/0": "/dev/null",
            "/proc/800/fd/7": "socket:[4711]",
            "/proc/800/fd/9": "/dev/sdd",
            "/proc/800/fd/12": "/dev/dm-3 (deleted)",
            "/proc/800/fd/13": "/var/lib/instances/i-1/disk",
        }
    )
    found = guest_disks.probe(host, processes=replace(NO_PROCESSES, guests=(guest(*DRIVE, *BLOCKDEV),)), sessions=(session(),))
    assert not isinstance(found, Unavailable)
    (one,) = found
    assert (one.named, one.disks) == ((BY_PATH, "/dev/sdb"), ("sdc", "sdb"))
    assert one.opened == ("null", "dm-3", "sdd")


def test_a_guest_that_has_ended_is_left_out_and_one_that_may_not_be_asked_is_not() -> None:
    class Locked(FakeHost):
        def list(self, path: str) -> tuple[str, ...] | Unavailable:
            return unavailable(Reason.DENIED if path == "/proc/800/fd" else Reason.ABSENT, path)

    processes = replace(NO_PROCESSES, guests=(guest(), guest(pid=801)))
    found = guest_disks.probe(Locked(), processes=processes, sessions=(session(),))
    assert not isinstance(found, Unavailable)
    assert [one.process.pid for one in found] == [800]
    assert isinstance(found[0].opened, Unavailable)


def test_without_sessions_no_guest_is_looked_at() -> None:
    host = FakeHost(links={"/proc/800/fd/9": "/dev/sdd"})
    processes = replace(NO_PROCESSES, guests=(guest(),))
    assert guest_disks.probe(host, processes=processes, sessions=()) == ()
    assert guest_disks.probe(host, processes=processes, sessions=unavailable(Reason.ABSENT)) == ()


def test_where_no_process_of_ours_shows_them() -> None:
    xen = FakeHost(files={"/proc/xen/capabilities": "control_d\n"})
    inside = FakeHost(files={"/proc/xen/capabilities": "\n"})
    sessions = (session(),)
    assert isinstance(guest_disks.probe(xen, processes=NO_PROCESSES, sessions=sessions), Unavailable)
    assert guest_disks.probe(inside, processes=NO_PROCESSES, sessions=sessions) == ()
    contained = guest_disks.probe(inside, processes=replace(NO_PROCESSES, contained=True), sessions=sessions)
    assert isinstance(contained, Unavailable)
    table = unavailable(Reason.TIMEOUT, "process table")
    assert guest_disks.probe(inside, processes=table, sessions=sessions) is table


@pytest.mark.parametrize(
    ("record", "expected"),
    [("N:sda\nI:5000123456\nE:ID_BUS=scsi\n", {"sda": 5000.123456}), ("N:sda\n", {}), (None, {})],
)
def test_when_a_disk_came(record: str | None, expected: dict[str, float]) -> None:
    host = FakeHost(files={"/sys/power/suspend_stats/success": "0\n"})
    if record is not None:
        host.files["/run/udev/data/b8:0"] = record
    assert disk_arrivals.probe(host, sessions=(session(),), devices=(disk(),)) == expected
    assert disk_arrivals.probe(host, sessions=(session(disks=("sdz",)),), devices=(disk(),)) == {}


def test_after_a_sleep_nobody_knows() -> None:
    host = FakeHost(files={"/sys/power/suspend_stats/success": "1\n", "/run/udev/data/b8:0": "I:5000\n"})
    assert isinstance(disk_arrivals.probe(host, sessions=(session(),), devices=(disk(),)), Unavailable)
    denied = unavailable(Reason.DENIED)
    assert disk_arrivals.probe(host, sessions=denied, devices=()) is denied
    assert disk_arrivals.probe(host, sessions=(session(),), devices=denied) is denied
    assert disk_arrivals.probe(host, sessions=(), devices=()) == {}
