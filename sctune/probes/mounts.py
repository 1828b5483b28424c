"""The mount table: /proc/self/mountinfo (proc(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.store import Mount
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import Host

_PATH = "/proc/self/mountinfo"
_FIRST = "/proc/1/mountinfo"


def probe(host: Host) -> tuple[Mount, ...] | Unavailable:
    """Every mount of our own mount namespace, in the kernel's order."""
    text = host.read(_PATH)
    if isinstance(text, Unavailable):
        return text
    return parse(text)


def probe_host(host: Host) -> tuple[Mount, ...] | Unavailable:
    """Every mount of the first process' namespace, where it has our root file system; of our own where it has another one (it is
    beside us in a container) or cannot be read.

    For a service that the service manager keeps from writing (ProtectSystem=): in its own table the host is mounted read-only."""
    ours = probe(host)
    text = host.read(_FIRST)
    if isinstance(ours, Unavailable) or isinstance(text, Unavailable):
        return ours
    theirs = parse(text)
    if isinstance(theirs, Unavailable):
        return ours
    own, first = find_mount(ours, "/"), find_mount(theirs, "/")
    return theirs if own is not None and first is not None and own.device == first.device else ours


def parse(text: str) -> tuple[Mount, ...] | Unavailable:
    """The lines of mountinfo: `36 35 98:0 /root /point options [optional…] - type source super-options`.

    A line that is not one makes the whole answer malformed: half a mount table would put paths on the wrong mount.
    """
    mounts = []
    for line in text.split("\n"):
        if not line:
            continue
        mount = _parse_line(line)
        if mount is None:
            return Unavailable(reason=Reason.MALFORMED, what=_PATH, detail=f"not a line of mountinfo: {line[:80]!r}")
        mounts.append(mount)
    return tuple(mounts)


def _parse_line(line: str) -> Mount | None:
    fields = line.split(" ")
    try:
        # The optional fields end with a lone hyphen, and none of them is one.
        separator = fields.index("-", 6)
        major, minor = fields[2].split(":")
        filesystem, source = fields[separator + 1], fields[separator + 2]
        superblock = fields[separator + 3] if len(fields) > separator + 3 else ""
        device = (int(major), int(minor))
    except (ValueError, IndexError):
        return None
    # dict.fromkeys: in order, each once. A "ro" on either side makes the mount read-only.
    options = tuple(dict.fromkeys(option for option in (*fields[5].split(","), *superblock.split(",")) if option))
    return Mount(point=unescape(fields[4]), device=device, filesystem=filesystem, source=unescape(source), options=options)


def unescape(field: str) -> str:
    r"""Undoes the kernel's octal escapes (\040 for a space; also \011, \012, \043, \134): mangle_path() in fs/seq_file.c."""
    if "\\" not in field:
        return field
    first, *rest = field.split("\\")
    parts = [first]
    for part in rest:
        code = part[:3]
        if len(code) == 3 and all(digit in "01234567" for digit in code) and int(code, 8) < 0x80:
            parts.append(chr(int(code, 8)) + part[3:])
        else:
            parts.append("\\" + part)
    return "".join(parts)


def find_mount(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that holds an absolute, normalised path: the longest mount point above it; of those at one point the last,
    which lies over the others. None where the table does not even have a root."""
    best: Mount | None = None
    for mount in mounts:
        point = mount.point
        if (point in ("/", path) or path.startswith(point + "/")) and (best is None or len(point) >= len(best.point)):
            best = mount
    return best
