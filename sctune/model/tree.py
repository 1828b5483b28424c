"""A chain as it is shown: a tree of links from the backing file up to what uses the volume."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.findings import Evidence, Finding


class Layer(StrEnum):
    """What a link is."""

    FILE = "file"
    LOOP = "loop"
    PV = "pv"
    VG = "vg"
    LV = "lv"
    SNAPSHOT = "snapshot"
    COW_STORE = "cow_store"
    COPY = "copy"
    TARGET = "target"
    LUN = "lun"
    NEXUS = "nexus"
    SESSION = "session"
    DISK = "disk"
    MULTIPATH = "multipath"
    GUEST = "guest"


class Mark(StrEnum):
    """Whether a link holds."""

    FINE = "fine"
    MISSING = "missing"  # it should be there and is not
    BROKEN = "broken"  # it is there and does not work
    UNKNOWN = "unknown"  # it could not be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of a chain.

    `name` is what the host calls it today, `facts` what was read of it (units by their names, as in a finding's evidence) and
    `source` from where. `note` says what is missing or why it is not known. `device` is its name in /sys/block, whose counters are
    its own, "" where it has none; `lun` the same for a LUN: (control port, target id, LUN). `findings` are what the doctor found
    about it. `see` are commands that show the same by hand. `above` are the links that stand on it.
    """

    layer: Layer
    name: str
    facts: Evidence = ()
    source: str = ""
    mark: Mark = Mark.FINE
    note: str = ""
    device: str = ""
    lun: tuple[int, int, int] | None = None
    findings: tuple[Finding, ...] = ()
    see: tuple[str, ...] = ()
    above: tuple[Link, ...] = ()
