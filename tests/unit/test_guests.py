"""Which guests a host has, and which of them has a disk."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from sctune.guest_disks import GuestIndex
from sctune.host.base import Completed, FileEntry, FileKind, FileStat, Process
from sctune.host.bundle import read_bundle, write_bundle
from sctune.host.capture import CaptureHost
from sctune.host.recording import RecordingHost
from sctune.model.guest import Guest, GuestDisk, GuestOrigin, Guests
from sctune.model.process import Processes
from sctune.probes.guests import VIRSH, instance_path, parse_list, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.test_guest_xml import DISK_44, STATUS, VOLUME_31, VOLUME_44
from tests.unit.test_multipath_map import BLOCKS, MAP, SDB, SDD

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.host.answers import Answers

BY_ID = "/dev/disk/by-id/scsi-360000000000000000e00000000040001"
RUN = "/run/libvirt/qemu/i-133F3E53.xml"
WORK = "/var/lib/eucalyptus/instances/work"
FOLDER = f"{WORK}/ACCT/i-133F3E53"
CONF = {"/etc/eucalyptus/eucalyptus.conf": 'EUCALYPTUS="/"\nINSTANCE_PATH="/var/lib/eucalyptus/instances"\n'}
NOBODY = Processes(tgtd=(), iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())
QEMU = Process(pid=9, ppid=1, name="qemu-kvm", state="S", argv=("qemu-kvm",), started=1.0, cpu_seconds=0.0, uid=107)


def node(major: int, minor: int) -> FileStat:
    return FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=1, mtime=0.0, rdevice=(major, minor))


def entry(name: str, kind: FileKind = FileKind.DIRECTORY) -> FileEntry:
    return FileEntry(name=name, stat=FileStat(kind=kind, size=9, allocated=9, device=1, inode=1, mtime=0.0))


def instances(top: str = WORK, **files: str) -> FakeHost:
    names = tuple(entry(name.replace("_", "-") + ".xml", FileKind.FILE) for name in files)
    texts: dict[str, str | Unavailable] = {**CONF}
    return FakeHost(
        files=texts | {f"{top}/ACCT/i-133F3E53/{name.replace('_', '-')}.xml": text for name, text in files.items()},
        folders={
            top: (entry("ACCT"), entry("note", FileKind.FILE)),
            f"{top}/ACCT": (entry("i-133F3E53"), entry("cache")),
            f"{top}/ACCT/i-133F3E53": (*names, entry("instance.xml", FileKind.FILE), entry("kernel", FileKind.FILE)),
        },
    )


def look(host: FakeHost, processes: Processes | Unavailable = NOBODY) -> Guests:
    found = probe(host, processes=lambda: processes)
    assert isinstance(found, Guests), found
    return found


def test_a_host_without_guests() -> None:
    found = probe(FakeHost(), processes=lambda: NOBODY)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.ABSENT
    # libvirt is there, and nobody runs: that is known.
    assert look(FakeHost(files={"/run/libvirt/qemu/x.pid": "1\n"})) == Guests(guests=(), unread=())


@pytest.mark.parametrize("folder", ["/run/libvirt/qemu", "/var/run/libvirt/qemu", "/run/libvirt/libxl"])
def test_a_running_guest_and_what_its_path_leads_to(folder: str) -> None:
    host = FakeHost(files={f"{folder}/i-133F3E53.xml": STATUS}, stats={BY_ID: node(8, 16)})
    (guest,) = look(host).guests
    assert (guest.origin, guest.state, guest.file) == (GuestOrigin.RUNNING, "paused", f"{folder}/i-133F3E53.xml")
    assert [disk.device for disk in guest.disks] == [None, (8, 16), None, None]


def test_a_definition() -> None:
    text = "<domain type='kvm'><name>db</name><devices><disk type='block'><source dev='/dev/vg/lv'/></disk></devices></domain>"
    (guest,) = look(FakeHost(files={"/etc/libvirt/qemu/db.xml": text, "/etc/libvirt/qemu/networks/default.xml": ""})).guests
    assert (guest.name, guest.origin, guest.state) == ("db", GuestOrigin.DEFINED, "")


def test_one_bad_file_hides_no_other() -> None:
    host = FakeHost(files={RUN: STATUS, "/run/libvirt/qemu/bad.xml": "<!DOCTYPE x><domain/>"})
    found = look(host)
    assert [guest.name for guest in found.guests] == ["i-133F3E53"]
    assert [(one.what, one.reason) for one in found.unread] == [("/run/libvirt/qemu/bad.xml", Reason.MALFORMED)]


DENIED = Unavailable(reason=Reason.DENIED, what=RUN)
LIST = " Id   Name         State\n-----------------------------\n 7    i-133F3E53   running\n 12   with blank   paused\n\n"


def done(argv: tuple[str, ...], stdout: str = "", status: int = 0, stderr: str = "") -> Completed:
    return Completed(argv=argv, status=status, stdout=stdout, stderr=stderr, seconds=0.1)


def virsh(answers: dict[tuple[str, ...], Completed | Unavailable]) -> FakeHost:
    return FakeHost(files={RUN: DENIED}, commands={(*VIRSH, *words): answer for words, answer in answers.items()})


def test_virsh_is_asked_where_files_are_denied_and_guests_run() -> None:
    plain = STATUS[STATUS.index("<domain type") : STATUS.index("</domstatus>")]
    answers = {
        ("list",): done(VIRSH, LIST),
        ("dumpxml", "7"): done(VIRSH, plain),
        ("dumpxml", "12"): done(VIRSH, status=1, stderr="error: failed to get domain '12'\n"),
    }
    found = look(virsh(dict(answers)), dataclasses.replace(NOBODY, guests=(QEMU,)))
    assert [(guest.name, guest.origin) for guest in found.guests] == [("i-133F3E53", GuestOrigin.RUNNING)]
    assert found.unread == ()
    assert parse_list(LIST) == ("7", "12")


@pytest.mark.parametrize("processes", [NOBODY, Unavailable(reason=Reason.TIMEOUT, what="process table")])
def test_virsh_is_not_asked_where_no_guest_is_known_to_run(processes: Processes | Unavailable) -> None:
    host = virsh({("list",): done(VIRSH, LIST)})
    assert look(host, processes).unread == (DENIED,)
    assert host.asked == []


def test_virsh_that_hangs_or_fails_leaves_the_guests_unknown() -> None:
    running = dataclasses.replace(NOBODY, guests=(QEMU,))
    hung = Unavailable(reason=Reason.TIMEOUT, what="virsh")
    assert look(virsh({("list",): hung}), running).unread == (DENIED, hung)
    assert look(virsh({("list",): done(VIRSH, LIST), ("dumpxml", "7"): hung}), running).unread == (DENIED, hung)
    failed = look(virsh({("list",): done(VIRSH, status=1, stderr="error: failed to connect\n")}), running)
    assert [(one.reason, one.detail) for one in failed.unread[1:]] == [(Reason.FAILED, "error: failed to connect")]


def test_guests_that_virsh_was_not_asked_for_are_told() -> None:
    table = " Id   Name   State\n-------\n" + "".join(f" {number}    i-{number}   running\n" for number in range(1, 67))
    gone = done(VIRSH, status=1, stderr="error: failed to get domain\n")
    answers: dict[tuple[str, ...], Completed | Unavailable] = {
        ("list",): done(VIRSH, table),
        **{("dumpxml", str(number)): gone for number in range(1, 67)},
    }
    found = look(virsh(dict(answers)), dataclasses.replace(NOBODY, guests=(QEMU,)))
    assert [(one.reason, one.detail) for one in found.unread] == [(Reason.NOT_COLLECTED, "2 of 66 were not read")]


def test_volumes_in_an_instances_folder() -> None:
    host = instances(vol_391D44BE=VOLUME_31, vol_5062e8f1=VOLUME_44, vol_5062e8f1_libvirt=DISK_44)
    host.stats["/dev/sdd"] = node(8, 48)
    (guest,) = look(host).guests
    assert (guest.name, guest.origin, guest.file) == ("i-133F3E53", GuestOrigin.RECORDED, FOLDER)
    assert [(disk.volume, disk.target, disk.cache, disk.device) for disk in guest.disks] == [
        ("vol-391D44BE", "sdb2", "", (8, 48)),
        ("vol-5062e8f1", "vdb", "none", None),
    ]


def test_before_work_there_were_users_in_the_path_itself() -> None:
    host = instances("/srv/nodes", vol_391D44BE=VOLUME_31)
    host.files["/etc/eucalyptus/eucalyptus.conf"] = "INSTANCE_PATH=/srv/nodes/\n"
    assert [disk.volume for disk in look(host).disks] == ["vol-391D44BE"]


@pytest.mark.parametrize("place", [WORK, f"{WORK}/ACCT", FOLDER])
def test_a_folder_that_hangs_ends_the_walk(place: str) -> None:
    host = instances(vol_391D44BE=VOLUME_31)
    hung = Unavailable(reason=Reason.TIMEOUT, what=place)
    host.folders[place] = hung
    assert look(host) == Guests(guests=(), unread=(hung,))


def test_a_file_that_hangs_ends_the_walk() -> None:
    host = instances(vol_391D44BE="", vol_5062e8f1=VOLUME_44)
    hung = Unavailable(reason=Reason.TIMEOUT, what="vol-391D44BE.xml")
    host.files[f"{FOLDER}/vol-391D44BE.xml"] = hung
    assert look(host) == Guests(guests=(), unread=(hung,))


def test_a_storage_controller_has_the_configuration_and_no_instances() -> None:
    found = probe(FakeHost(files=dict(CONF)), processes=lambda: NOBODY)
    assert isinstance(found, Unavailable)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "/var/lib/eucalyptus/instances"),
        ("#INSTANCE_PATH=/no\n", "/var/lib/eucalyptus/instances"),
        ('INSTANCE_PATH="/a b/c"  # where\nX=1\n', "/a b/c"),
        ("INSTANCE_PATH=/a\n  INSTANCE_PATH='/b/'\n", "/b"),
    ],
)
def test_where_instances_are(text: str, path: str) -> None:
    assert instance_path(text) == path


def disk(domain: str = "i-1", origin: GuestOrigin = GuestOrigin.RUNNING, **more: object) -> GuestDisk:
    plain = GuestDisk(
        domain=domain,
        origin=origin,
        source="/dev/x",
        source_kind="block",
        target="vdb",
        bus="virtio",
        kind="disk",
        serial="",
        volume="",
        driver="qemu",
        image="raw",
        cache="none",
        read_only=False,
        file="/f.xml",
    )
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def guests(*disks: GuestDisk) -> Guests:
    made = (Guest(name=one.domain, origin=one.origin, state="", reason="", file=one.file, disks=(one,)) for one in disks)
    return Guests(guests=tuple(made), unread=())


def test_by_device_whatever_the_path() -> None:
    mine = disk(device=(253, 0), source="/dev/mapper/mpatha")
    other = disk("i-2", device=(8, 48))
    under = dataclasses.replace(SDB, holders=("dm-0",))
    index = GuestIndex((*BLOCKS, MAP), guests(other, mine))
    assert index.stacked_on(under) == (under, MAP)
    assert index.on((under, MAP)) == (mine,)
    assert index.on((SDD,)) == index.above("sdd") == (other,)
    assert index.above("sdz") == ()


def test_by_path_where_there_is_no_number() -> None:
    numberless = disk(source="/dev/sdb")
    assert GuestIndex(BLOCKS, guests(numberless)).on((SDB,)) == (numberless,)
    # A path that leads elsewhere now proves nothing.
    moved = disk(source="/dev/sdb", device=(8, 48))
    assert GuestIndex(BLOCKS, guests(moved)).on((SDB,)) == ()
    assert GuestIndex(BLOCKS, guests(disk())).on(()) == ()
    assert GuestIndex(BLOCKS, None).above("sdb") == ()


def test_one_disk_told_by_several_is_what_the_guest_has_now() -> None:
    recorded = disk(origin=GuestOrigin.RECORDED, volume="vol-1", target="sdb", device=(8, 16))
    running = disk(volume="vol-1", device=(8, 16))
    elsewhere = disk("i-2", GuestOrigin.DEFINED, volume="vol-1", device=(8, 16))
    assert GuestIndex(BLOCKS, guests(recorded, elsewhere, running)).on((SDB,)) == (running, elsewhere)


def test_a_capture_tells_the_same_without_secrets(tmp_path: Path) -> None:
    host = instances(vol_391D44BE=VOLUME_31, vol_5062e8f1_libvirt=DISK_44)
    host.files[RUN] = STATUS
    host.stats[BY_ID] = node(8, 16)
    recording = RecordingHost(host)
    seen = probe(recording, processes=lambda: NOBODY)
    answers: Answers = recording.answers()
    path = str(tmp_path / "c.tar.gz")
    write_bundle(answers, path)
    again = read_bundle(path)
    assert probe(CaptureHost(again), processes=lambda: NOBODY) == seen
    assert isinstance(seen, Guests)
    assert len(seen.disks) == 6
    assert "zQ7" not in repr(again)
    assert "passwd" not in repr(again)
