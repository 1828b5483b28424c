"""The things that a benchmark makes and removes, by name: all of them follow from one number. Pure.

The number is random, so that nothing of anybody else has one of these names; whatever has one may be removed.
"""

from __future__ import annotations

import re

import msgspec

from sctune.records import dataclass

FORMAT = 1
_ID = re.compile(r"[0-9a-f]{16}")
_ARCHIVED = re.compile(r"_\d+-\d+\.vg", re.ASCII)
_IQN = "iqn.2026-01.org.sctune:bench-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """One benchmark's things: in the folder `store`, and on the tgtd with this control port (None: on none)."""

    id: str
    store: str
    control_port: int | None = None

    @property
    def folder(self) -> str:
        """Root's alone, so that nobody else can put another file in the place of ours."""
        return f"{self.store.rstrip('/')}/.sctune-bench-{self.id}"

    @property
    def file(self) -> str:
        """The backing file."""
        return f"{self.folder}/volume"

    @property
    def vg(self) -> str:
        """The volume group."""
        return f"sctunebench{self.id}"

    @property
    def dm_name(self) -> str:
        """Its one LV, as device-mapper calls it."""
        return f"{self.vg}-lv"

    def is_metadata(self, name: str) -> bool:
        """Whether a file of LVM's is a copy of the VG's metadata: VG in its backups, VG_NUMBER-NUMBER.vg in its archives."""
        return name.startswith(self.vg) and (name == self.vg or _ARCHIVED.fullmatch(name[len(self.vg) :]) is not None)

    @property
    def iqn(self) -> str:
        """The target."""
        return f"{_IQN}{self.id}"

    @property
    def job(self) -> str:
        """What fio is told that it is called: it can be told by that in the process table."""
        return f"sctune-bench-{self.id}"


class _Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    id: str
    store: str
    control_port: int | None


class NotOurs(Exception):
    """A note that sctune did not write, or a newer one did."""


def encode(scratch: Scratch) -> bytes:
    """The note."""
    note = _Note(format=FORMAT, id=scratch.id, store=scratch.store, control_port=scratch.control_port)
    return msgspec.json.encode(note) + b"\n"


def decode(data: bytes, *, id: str) -> Scratch:
    """A note again; `id` is the number its file is called by. Raises NotOurs."""
    try:
        note = msgspec.json.decode(data, type=_Note)
    except msgspec.DecodeError:
        raise NotOurs("it is no note of sctune's") from None
    port_fits = note.control_port is None or 0 <= note.control_port <= 65535
    if note.format != FORMAT:
        raise NotOurs("a newer sctune wrote it: use that version")
    if note.id != id or not is_id(note.id) or not note.store.startswith("/") or "\0" in note.store or not port_fits:
        raise NotOurs("it does not say what sctune would have written")
    return Scratch(id=note.id, store=note.store, control_port=note.control_port)


def is_id(text: str) -> bool:
    """Whether it is such a number."""
    return _ID.fullmatch(text) is not None
