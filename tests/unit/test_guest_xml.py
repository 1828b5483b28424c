"""XML of guests: what is read of it, what is refused, and that nothing else leaves the host."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.host.guest_xml import LIMIT, reduce
from sctune.host.masking import MASK
from sctune.host.redact import redact_file
from sctune.model.guest import Guest, GuestDisk, GuestOrigin
from sctune.probes.guest_xml import parse_domain, parse_volume, volume_of
from sctune.unavailable import Reason, Unavailable

STATUS = (Path(__file__).parents[1] / "data/guests/i-133F3E53-status.xml").read_text()
# As node/xml.c of Eucalyptus 3.1 writes it, for Xen, and as 4.x does, for KVM.
VOLUME_31 = """<?xml version="1.0" encoding="UTF-8"?>
<volume>
  <hypervisor type="xen" capability="xen+hw" bitness="64"/>
  <id>vol-391D44BE</id>
  <user>ACCT</user>
  <os platform="linux" virtioRoot="false" virtioDisk="false" virtioNetwork="false"/>
  <backing><root type="image"/></backing>
  <diskPath targetDeviceType="disk" targetDeviceName="sdb2" targetDeviceBus="scsi" sourceType="block">/dev/sdd</diskPath>
</volume>
"""
VOLUME_44 = VOLUME_31.replace("vol-391D44BE", "vol-5062e8f1").replace(
    'sourceType="block">/dev/sdd', 'sourceType="block" serial="vol-5062e8f1-dev-sdb">/dev/disk/by-id/scsi-1'
)
# tools/libvirt.xsl from 3.3.0 on.
DISK_44 = """<?xml version="1.0" encoding="UTF-8"?>
<disk device="disk" type="block">
  <driver name="qemu" cache="none"/>
  <source dev="/dev/disk/by-id/scsi-1"/>
  <target bus="virtio" dev="vdb"/>
  <serial>vol-5062e8f1-dev-sdb</serial>
</disk>
"""


def domain(text: str) -> Guest:
    found = parse_domain(text, file="/run/libvirt/qemu/i.xml", origin=GuestOrigin.RUNNING)
    assert isinstance(found, Guest), found
    return found


def volume(text: str, file: str = "/x/vol-391D44BE.xml") -> GuestDisk:
    found = parse_volume(text, file=file, instance="i-1")
    assert isinstance(found, GuestDisk), found
    return found


def test_a_running_guest() -> None:
    guest = domain(STATUS)
    assert (guest.name, guest.state, guest.reason) == ("i-133F3E53", "paused", "ioerror")
    root, ebs, ceph, drive = guest.disks
    assert (root.source_kind, root.source) == ("file", "/var/lib/eucalyptus/instances/work/ACCT/i-133F3E53/link-to-machine")
    assert (root.image, root.cache, root.serial, root.volume) == ("qcow2", "", "", "")
    assert (ebs.source, ebs.target, ebs.bus) == ("/dev/disk/by-id/scsi-360000000000000000e00000000040001", "vdb", "virtio")
    assert (ebs.serial, ebs.volume, ebs.cache, ebs.driver) == ("vol-5062e8f1-dev-sdb", "vol-5062e8f1", "none", "qemu")
    assert (ceph.source_kind, ceph.volume) == ("network", "6f1c2d3e-0000-4000-8000-123456789abc")
    assert (drive.kind, drive.source, drive.read_only, ebs.read_only) == ("cdrom", "", True, False)


def test_a_definition_and_one_of_virsh_have_no_state() -> None:
    text = STATUS[STATUS.index("<domain type") : STATUS.index("</domstatus>")]
    guest = domain(text)
    assert (guest.state, guest.reason, len(guest.disks)) == ("", "", 4)


def test_volumes_of_the_node_controller() -> None:
    old = volume(VOLUME_31)
    assert (old.volume, old.source, old.target, old.bus, old.serial) == ("vol-391D44BE", "/dev/sdd", "sdb2", "scsi", "")
    assert (old.domain, old.origin, old.kind, old.source_kind) == ("i-1", GuestOrigin.RECORDED, "disk", "block")
    new = volume(VOLUME_44, "/x/vol-5062e8f1.xml")
    assert (new.volume, new.serial) == ("vol-5062e8f1", "vol-5062e8f1-dev-sdb")
    made = volume(DISK_44, "/x/vol-5062e8f1-libvirt.xml")
    assert (made.volume, made.cache, made.target, made.bus) == ("vol-5062e8f1", "none", "vdb", "virtio")
    # The name of the file tells where the text does not.
    assert volume(DISK_44.replace("vol-5062e8f1-dev-sdb", ""), "/x/vol-5062e8f1-libvirt.xml").volume == "vol-5062e8f1"


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        ("vol-5062e8f1-dev-sdb", "vol-5062e8f1"),
        ("vol-5062E8F1-dev-", "vol-5062E8F1"),
        ("vol-0123456789abcdef0-dev-vdc", "vol-0123456789abcdef0"),
        ("vol-0123456789-dev-vdc", ""),
        ("WD-123", ""),
        ("", ""),
        ("6f1c2d3e-0000-4000-8000-123456789abc", "6f1c2d3e-0000-4000-8000-123456789abc"),
    ],
)
def test_what_a_serial_number_tells(serial: str, expected: str) -> None:
    assert volume_of(serial) == expected


BOMB = '<!DOCTYPE domain [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><domain><name>&b;</name></domain>'
EXTERNAL = '<!DOCTYPE domain SYSTEM "file:///etc/shadow"><domain><name>x</name></domain>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        BOMB,
        EXTERNAL,
        "<domain><name>x</domain>",
        "<domain/>",
        "<domstatus/>",
        "<network><name>default</name></network>",
        "<domain><name>&undefined;</name></domain>",
        f"<domain><name>x</name>{' ' * LIMIT}</domain>",
        # As the operator notes have it, whose quotes are no quotes of XML.
        "<domain type=\u201dxen\u201d><name>x</name></domain>",
        "<domain><name>\udcff</name></domain>",
    ],
)
def test_what_is_refused(text: str) -> None:
    found = parse_domain(text, file="/f.xml", origin=GuestOrigin.RUNNING)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.MALFORMED, "/f.xml")
    assert isinstance(parse_volume(text, file="/f.xml", instance="i-1"), Unavailable)


def test_another_encoding_is_not_believed() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><domain><name>ä</name></domain>'
    assert domain(text).name == "ä"


def test_a_capture_has_the_disks_and_nothing_else() -> None:
    kept = redact_file("/run/libvirt/qemu/i-133F3E53.xml", STATUS)
    assert domain(kept) == dataclasses.replace(domain(STATUS), disks=without_options(domain(STATUS)))
    for secret in ("zQ7", "vnc", "passwd", "commandline", "192.0.2.9", "pts", "mirror", "uuid"):
        assert secret not in kept
    assert "scsi-360000000000000000e00000000040001" in kept


def without_options(guest: Guest) -> tuple[GuestDisk, ...]:
    return tuple(dataclasses.replace(disk, source=disk.source.partition(":")[0]) for disk in guest.disks)


@pytest.mark.parametrize("text", [VOLUME_31, VOLUME_44, DISK_44])
def test_what_is_kept_of_a_volumes_file_says_the_same(text: str) -> None:
    assert volume(reduce(text)) == volume(text)


def test_what_cannot_be_read_is_masked_whole() -> None:
    assert reduce("<graphics passwd='zQ7'") == MASK + "\n"
    assert reduce(BOMB) == MASK + "\n"
    assert reduce("") == ""


@given(cut=st.integers(0, len(STATUS)), patch=st.text(max_size=6))
@settings(max_examples=200)
def test_any_part_of_it_is_read_or_refused(cut: int, patch: str) -> None:
    text = STATUS[:cut] + patch + STATUS[cut + len(patch) :]
    for whole in (text, STATUS[:cut]):
        found = parse_domain(whole, file="/f.xml", origin=GuestOrigin.RUNNING)
        assert isinstance(found, Guest) or found.reason is Reason.MALFORMED
        once = reduce(whole)
        assert reduce(once) == once
        again = parse_domain(once, file="/f.xml", origin=GuestOrigin.RUNNING)
        assert isinstance(again, Guest) is isinstance(found, Guest)
