"""How much old metadata LVM keeps: the folder backup/archive_dir of lvm.conf(5), /etc/lvm/archive where nothing else is set.

lvm.conf is read for it and no command asked: the built-in value is the same in all versions (DEFAULT_ARCHIVE_SUBDIR in
lib/config/defaults.h), and what a command costs is more than all the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.lvm import LvmArchive
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import FileStat, Host

_CONFIGURATION = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf")
DEFAULT = "/etc/lvm/archive"
_SET = re.compile(r'^[^#\n"]*\barchive_dir\s*=\s*"([^"\n]+)"', re.MULTILINE)
_NAME = re.compile(r"(.+)_\d+-\d+\.vg")
"""VG_00000-1234567890.vg (lib/format_text/archive.c)."""
_FEW = 64
"""So many are looked at one by one; a child that lists the folder costs more."""


def probe(host: Host) -> LvmArchive | Unavailable:
    """The archive. Absent where there is no such folder: nothing was ever archived here, or the host has no LVM."""
    folder = folder_of(*(text for path in _CONFIGURATION if isinstance(text := host.read(path), str)))
    names = host.list(folder)
    if isinstance(names, Unavailable):
        return names
    if len(names) <= _FEW:
        stats: dict[str, FileStat | Unavailable] = {name: host.stat(f"{folder}/{name}") for name in names if _NAME.fullmatch(name)}
    else:
        entries = host.list_files(folder)
        if isinstance(entries, Unavailable):
            return entries
        stats = {entry.name: entry.stat for entry in entries if _NAME.fullmatch(entry.name)}
    refused = next((stat for stat in stats.values() if isinstance(stat, Unavailable) and stat.reason is not Reason.ABSENT), None)
    if refused is not None:
        return refused
    found = {name: stat for name, stat in stats.items() if not isinstance(stat, Unavailable)}
    return LvmArchive(
        folder=folder,
        files=len(found),
        size=sum(stat.size for stat in found.values()),
        vgs=tuple(sorted({match[1] for name in found if (match := _NAME.fullmatch(name)) is not None})),
        oldest=min((stat.mtime for stat in found.values()), default=None),
    )


def folder_of(*configurations: str) -> str:
    """The folder that lvm.conf names, the last of several files that do."""
    named = [match[1] for text in configurations for match in _SET.finditer(text)]
    folder = named[-1] if named else DEFAULT
    return folder.rstrip("/") if folder.startswith("/") and len(folder) > 1 else DEFAULT
