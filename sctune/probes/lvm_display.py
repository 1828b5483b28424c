"""`vgdisplay -v`: exact sizes in extents, the uuids of LVs and the sequence number, which the tables for people lack. Pure.

    --- Volume group ---
    VG Name               euca-ebs-storage-vg-vol-391D02F1
    Metadata Sequence No  4
    PE Size               4.00 MiB
    Total PE              383

Then a section for each visible LV and for each PV. With -vv LVM's own steps are told between the lines; they have no such titles.
"""

from __future__ import annotations

import re

from sctune.records import dataclass, field

_SECTION = re.compile(r" {2}--- (Volume group|Logical volume|Physical volumes) ---\s*")
_TITLES = (
    *("VG Name", "VG UUID", "Metadata Sequence No", "Cur LV", "Cur PV", "PE Size", "Total PE", "Free  PE / Size"),
    *("LV Name", "LV UUID", "LV Creation host, time", "Current LE", "COW-table LE", "Block device"),
    *("PV Name", "PV UUID", "Total PE / Free PE"),
)
_LINE = re.compile(rf" {{2}}({'|'.join(map(re.escape, sorted(_TITLES, key=len, reverse=True)))}) +(.*)")
_SIZE = re.compile(r"<?(\d{1,9})(?:[.,](\d{1,3}))? ?([KMGT])i?B", re.ASCII)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(slots=True, kw_only=True)
class Group:
    """A VG: its own facts, those of its LVs by name, and those of its PVs by uuid, by the titles that LVM prints."""

    facts: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    devices: dict[str, dict[str, str]] = field(default_factory=dict)

    def number(self, title: str) -> int:
        """A whole number of the VG. Raises ValueError."""
        return number(self.facts.get(title, ""), title)

    @property
    def extent(self) -> int:
        """The size of an extent in bytes. Raises ValueError."""
        text = self.facts.get("PE Size", "")
        match = _SIZE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:40]!r} is no size of an extent")
        unit, digits = _UNITS[match[3]], match[2] or "0"
        return int(match[1]) * unit + int(digits) * unit // int(10 ** len(digits))

    @property
    def free(self) -> int:
        """Free extents. Raises ValueError."""
        return number(self.facts.get("Free  PE / Size", "").partition(" /")[0], "Free  PE / Size")


def number(text: str, title: str) -> int:
    """A whole number under its title. Raises ValueError."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError(f"{title} is {text[:40]!r}")
    return int(text)


def parse(text: str) -> dict[str, Group]:
    """The VGs by name. Raises ValueError where a section is not whole."""
    groups: dict[str, Group] = {}
    group: Group | None = None
    facts: dict[str, str] = {}
    section = ""
    for line in text.split("\n"):
        if match := _SECTION.fullmatch(line):
            section, facts = match[1], {}
            if section == "Volume group":
                group = Group(facts=facts)
        elif group is not None and (match := _LINE.fullmatch(line)):
            title, value = match[1], match[2].strip()
            if section == "Volume group" and title == "VG Name":
                groups[value] = group
            elif section == "Logical volume" and title == "LV Name":
                # Before 2.02.88 the name is the path of the node (lvdisplay_shows_full_device_path).
                group.volumes[value.rpartition("/")[2]] = facts
            elif section == "Physical volumes" and title == "PV Name":
                facts = {}
            elif section == "Physical volumes" and title == "PV UUID":
                group.devices[value] = facts
            facts[title] = value
    for name, one in groups.items():
        if not (
            "VG UUID" in one.facts
            and len(one.volumes) == one.number("Cur LV")
            and len(one.devices) == one.number("Cur PV")
            and all("LV UUID" in volume and "Current LE" in volume for volume in one.volumes.values())
            and all("Total PE / Free PE" in device for device in one.devices.values())
        ):
            raise ValueError(f"vgdisplay does not tell all of {name[:80]}")
    return groups
