"""What is kept of LIO over a boot: saveconfig.json of rtslib. Secrets are never kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.host.base import FileStat
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedBackstore:
    """A storage object: `plugin` as the kernel calls it (iblock, fileio, …), `path` its device or file, `stat` stat(2) of that,
    None where it has none."""

    plugin: str
    name: str
    path: str
    stat: FileStat | Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTarget:
    """A portal group of a target. `luns` are (number, plugin, name of the backstore); `initiators` those let in by name. None: not
    said."""

    iqn: str
    tag: int
    luns: tuple[tuple[int, str, str], ...]
    initiators: tuple[str, ...]
    authentication: bool | None
    generate_acls: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LioSaved:
    """The file and what it says. `saved` is when it was written, seconds since the epoch, None where that is not known."""

    file: str
    saved: float | None
    backstores: tuple[SavedBackstore, ...]
    targets: tuple[SavedTarget, ...]
