"""Guests' disks in XML: libvirt's status files and definitions (libvirt, docs/formatdomain.rst), and the node controller's files.

What the node controller of Eucalyptus writes into an instance's folder (node/xml.c, gen_volume_xml; tools/libvirt.xsl): vol-ID.xml

    <volume><hypervisor …/><id>vol-5062e8f1</id>…<diskPath targetDeviceType="disk" targetDeviceName="sdb" targetDeviceBus="scsi"
    sourceType="block" serial="vol-5062e8f1-dev-sdb">/dev/disk/by-id/…</diskPath></volume>

and from 3.3 on what was made of it for libvirt, vol-ID-libvirt.xml, whose root is <disk>. `serial` came with 3.3 as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.host.guest_xml import tree
from sctune.model.guest import Guest, GuestDisk, GuestOrigin
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_SERIAL = re.compile(r"(vol-[0-9A-Fa-f]{8}(?:[0-9A-Fa-f]{9})?)-dev-\S*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Where a source's path stands, by the kind of disk (formatdomain.rst, "Hard drives, floppy disks, CDROMs").
_SOURCES = {"file": "file", "block": "dev", "dir": "dir", "network": "name", "volume": "volume"}


def parse_domain(text: str, *, file: str, origin: GuestOrigin) -> Guest | Unavailable:
    """A guest from libvirt's <domstatus> or <domain>."""
    root = _root(text, file)
    if isinstance(root, Unavailable):
        return root
    domain = root if root.tag == "domain" else root.find("domain")
    name = _text(domain, "name") if domain is not None else ""
    if domain is None or not name:
        return _malformed(file, "no domain with a name in it")
    # Not every <disk>: those of backups and of jobs on disks are others.
    disks = (_disk(disk, name, origin, file) for disk in domain.findall("devices/disk"))
    return Guest(
        name=name,
        origin=origin,
        state=root.get("state", "") if root.tag == "domstatus" else "",
        reason=root.get("reason", "") if root.tag == "domstatus" else "",
        file=file,
        disks=tuple(disks),
    )


def parse_volume(text: str, *, file: str, instance: str) -> GuestDisk | Unavailable:
    """The disk of one vol-ID.xml or vol-ID-libvirt.xml in an instance's folder."""
    root = _root(text, file)
    if isinstance(root, Unavailable):
        return root
    named = file.rpartition("/")[2].removesuffix(".xml").removesuffix("-libvirt")
    if root.tag == "disk":
        return _disk(root, instance, GuestOrigin.RECORDED, file, named)
    found = root.find("diskPath")
    if root.tag != "volume" or found is None:
        return _malformed(file, "no disk in it")
    return _disk_path(found, instance, file, _text(root, "id") or named)


def _disk_path(element: Element, instance: str, file: str, volume: str) -> GuestDisk:
    serial = element.get("serial", "")
    return GuestDisk(
        domain=instance,
        origin=GuestOrigin.RECORDED,
        source=(element.text or "").strip(),
        source_kind=element.get("sourceType", ""),
        target=element.get("targetDeviceName", ""),
        bus=element.get("targetDeviceBus", ""),
        kind=element.get("targetDeviceType", "disk"),
        serial=serial,
        volume=volume_of(serial) or volume,
        driver="",
        image="",
        cache="",
        read_only=False,
        file=file,
    )


def _disk(element: Element, domain: str, origin: GuestOrigin, file: str, volume: str = "") -> GuestDisk:
    kind, serial = element.get("type", "file"), _text(element, "serial")
    return GuestDisk(
        domain=domain,
        origin=origin,
        source=_attribute(element, "source", _SOURCES.get(kind, "")),
        source_kind=kind,
        target=_attribute(element, "target", "dev"),
        bus=_attribute(element, "target", "bus"),
        kind=element.get("device", "disk"),
        serial=serial,
        volume=volume_of(serial) or volume,
        driver=_attribute(element, "driver", "name"),
        image=_attribute(element, "driver", "type"),
        cache=_attribute(element, "driver", "cache"),
        read_only=element.find("readonly") is not None,
        file=file,
    )


def volume_of(serial: str) -> str:
    """The volume that a disk's serial number tells: of Eucalyptus `vol-ID-dev-NAME`, of OpenStack the volume's UUID; "" for any
    other."""
    if (found := _SERIAL.fullmatch(serial)) is not None:
        return found[1]
    return serial if _UUID.fullmatch(serial) else ""


def _root(text: str, file: str) -> Element | Unavailable:
    try:
        return tree(text)
    except ValueError as error:
        return _malformed(file, str(error))


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _attribute(element: Element, child: str, name: str) -> str:
    found = element.find(child)
    return found.get(name, "") if found is not None else ""


def _malformed(file: str, detail: str) -> Unavailable:
    return Unavailable(reason=Reason.MALFORMED, what=file, detail=detail[:200])
