"""The files that set the kernel's settings at boot, and who wins.

Sources: sysctl.d(5) and systemd's src/sysctl/sysctl.c; sysctl(8) and sysctl.conf(5) of procps (`sysctl --system`).
Both read the folders below, where a file masks all of its name in later folders, and apply the files in the order of their names,
whatever folder they lie in. /etc/sysctl.conf is read by procps alone, last; systemd reads it where a link in one of the folders
leads to it, as Debian's 99-sysctl.conf does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.sysctl import SETTINGS, SysctlLine, SysctlState
from sctune.records import replace
from sctune.sysctl import matches
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from sctune.host.base import Host

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""What masks, the strongest first."""
CONF = "/etc/sysctl.conf"
_VENDOR = ("/usr/lib/", "/lib/")
_BOOTED = "/run/systemd/system"  # sd_booted(3)
_CONTAINERS = ("/run/systemd/container", "/.dockerenv", "/run/.containerenv")


def probe(host: Host, keys: Collection[str] = SETTINGS) -> SysctlState | Unavailable:
    """What the files say of these settings, and what is in force."""
    live: dict[str, str] = {}
    unreadable: list[Unavailable] = []
    for key in keys:
        text = host.read("/proc/sys/" + key.replace(".", "/"))
        if isinstance(text, str):
            live[key] = text.strip()
        elif text.reason is not Reason.ABSENT:
            unreadable.append(text)
    if not live and unreadable:
        return unreadable[0]
    files = _files(host)
    if isinstance(files, Unavailable):
        return files
    lines: list[SysctlLine] = []
    for _, path in sorted(files.items()):
        lines += _read(host, path, unreadable, keys)
    conf = _read(host, CONF, unreadable, keys)
    systemd = _exists(host, _BOOTED)
    if systemd is False:
        lines += conf
    linked = {_without_place(line) for line in lines}
    return SysctlState(
        lines=tuple(lines),
        unread_at_boot=tuple(line for line in conf if _without_place(line) not in linked) if systemd else (),
        live=live,
        unreadable=tuple(unreadable),
        applied=systemd is True or not any(_exists(host, path) for path in _CONTAINERS),
    )


def parse(text: str, file: str) -> tuple[SysctlLine, ...]:
    """The assignments and exclusions of one file. What is neither is passed over, as systemd does.

    A leading `-` before an assignment only says that a failure does not matter; alone it excludes the key from patterns.
    """
    lines: list[SysctlLine] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        key, equals, value = line.partition("=")
        if not equals and not line.startswith("-"):
            continue
        name = normalise(key.strip().removeprefix("-").strip())
        if name:
            setting = " ".join(value.split()) if equals else None
            lines.append(SysctlLine(key=name, value=setting, file=file, line=number, vendor=file.startswith(_VENDOR)))
    return tuple(lines)


def normalise(key: str) -> str:
    """A key with dots between its parts: where the first separator is a slash, slashes separate and dots belong to names."""
    first = next((letter for letter in key if letter in "/."), ".")
    return key.translate(str.maketrans("/.", "./")) if first == "/" else key


def _files(host: Host) -> dict[str, str] | Unavailable:
    """Name -> path of the files that count. Folders that are not there are the rule, not the exception."""
    found: dict[str, str] = {}
    seen = False
    for folder in FOLDERS:
        names = host.list(folder)
        if isinstance(names, Unavailable):
            if names.reason is Reason.ABSENT or (names.reason is Reason.NOT_COLLECTED and seen):
                continue
            return names
        seen = True
        for name in names:
            if name.endswith(".conf"):
                found.setdefault(name, f"{folder}/{name}")
    return found


def _read(host: Host, path: str, unreadable: list[Unavailable], keys: Collection[str]) -> tuple[SysctlLine, ...]:
    """The lines of a file that say something of these settings."""
    text = host.read(path)
    if isinstance(text, Unavailable):
        # A link to /dev/null masks a file, and a file tree cannot read what is in /dev.
        if text.reason is not Reason.ABSENT and host.readlink(path) != "/dev/null":
            unreadable.append(text)
        return ()
    return tuple(line for line in parse(text, path) if any(matches(line.key, key) for key in keys))


def _exists(host: Host, path: str) -> bool | None:
    answer = host.stat(path)
    if not isinstance(answer, Unavailable):
        return True
    return False if answer.reason is Reason.ABSENT else None


def _without_place(line: SysctlLine) -> SysctlLine:
    """The same line wherever it was read: what tells a link to a file from a file of its own."""
    return replace(line, file="", vendor=False)
