"""A profile of tuned as it is written: its sections and their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.schema import Bound

if TYPE_CHECKING:
    from sctune.tuning.schema import Setting

SIGNS = {None: "", Bound.RAISE: ">", Bound.LOWER: "<"}
"""How tuned says that a number may only be raised or lowered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One option, and the setting that it is of."""

    setting: Setting
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A section. `type` is the plug-in, where it is another than the name; `devices` which devices it is for."""

    name: str
    lines: tuple[Line, ...]
    type: str = ""
    devices: str = ""
    note: str = ""
