"""XML that describes guests, read safely and cut down to what names their disks. Pure.

libvirt's status files hold passwords of consoles, and a definition may hold anything (arguments of QEMU, cookies, metadata). So
nothing is masked in them: what is not on the list here does not leave the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sctune.host.masking import MASK, mask_values

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LIMIT = 1024 * 1024
"""The longest text that is read, in characters: a guest with all its capabilities has some 20 KiB."""


class _Kept(NamedTuple):
    """What stays of an element: attributes, children, and whether its text does."""

    attributes: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    text: bool = False


_TEXT = _Kept(text=True)
_KEPT = {
    # libvirt: formatdomain.html, and the status files of its drivers.
    "domstatus": _Kept(("state", "reason"), ("domain",)),
    "domain": _Kept(("type", "id"), ("name", "devices")),
    "devices": _Kept((), ("disk",)),
    "disk": _Kept(("type", "device"), ("driver", "source", "target", "serial", "readonly")),
    "driver": _Kept(("name", "type", "cache", "io")),
    "source": _Kept(("file", "dev", "dir", "protocol", "name", "pool", "volume")),
    "target": _Kept(("dev", "bus")),
    "serial": _TEXT,
    "readonly": _Kept(),
    "name": _TEXT,
    # Eucalyptus' node controller: node/xml.c.
    "volume": _Kept((), ("id", "diskPath")),
    "instance": _Kept((), ("name", "disks")),
    "disks": _Kept((), ("diskPath",)),
    "id": _TEXT,
    "diskPath": _Kept(("targetDeviceType", "targetDeviceName", "targetDeviceBus", "sourceType", "serial"), (), text=True),
}
ROOTS = ("domstatus", "domain", "disk", "volume", "instance")
"""The root elements that are known."""


def tree(text: str) -> Element:
    """The document's root. Raises ValueError where it is no XML, has a document type (by whose entities a few lines become
    gigabytes, or name files), is longer than any of these is, or is the description of something else."""
    from xml.etree import ElementTree

    if len(text) > LIMIT:
        raise ValueError(f"longer than {LIMIT} characters")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it has a document type")
    try:
        # Whatever encoding it says it has: it has been decoded already.
        parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314 -- no document type, no entity
        parser.feed(text.encode("utf-8", "surrogateescape"))
        root = parser.close()
    except (ElementTree.ParseError, UnicodeError, ValueError) as error:
        raise ValueError(str(error)) from None
    if root.tag not in ROOTS:
        raise ValueError(f"{root.tag[:40]!r} describes no guest")
    return root


def reduce(text: str) -> str:
    """The text with nothing in it but what names disks, in one line; `MASK` where it cannot be read."""
    if not text.strip():
        return text
    try:
        root = tree(text)
    except ValueError:
        return MASK + "\n"
    return _written(root) + "\n"


def _written(element: Element) -> str:
    from xml.etree import ElementTree

    return ElementTree.tostring(_copy(element, _KEPT[element.tag]), encoding="unicode")


def _copy(element: Element, kept: _Kept) -> Element:
    from xml.etree import ElementTree

    made = ElementTree.Element(element.tag)
    for name in kept.attributes:
        value = element.get(name)
        if value is not None:
            made.set(name, _plain(element, name, value))
    if kept.text and element.text:
        made.text = mask_values(element.text.strip())
    for child in element:
        if child.tag in kept.children:
            made.append(_copy(child, _KEPT[child.tag]))
    return made


def _plain(element: Element, name: str, value: str) -> str:
    """A value without what may be in it beside a name: QEMU takes options of Ceph, the key among them, behind the image's name."""
    if element.tag == "source" and name == "name" and element.get("protocol") == "rbd":
        value = value.partition(":")[0]
    return mask_values(value)
