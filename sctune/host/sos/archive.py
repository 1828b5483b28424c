"""A sos archive in memory: a tar (plain, gzip, bzip2 or xz) in one pass, or the folder it was unpacked to.

Nothing is extracted, so nothing can lead out: a link is kept as the text it is and followed among the names of the archive, where
its root is the root; a device is a name without content. An archive holds gigabytes of logs: of what no look asks for the name
alone is kept, and of what is larger than any answer that it is so.
"""

from __future__ import annotations

import enum
import os
import stat
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.host.unpack import OWN_FOLDERS, Hostile, Stream, decompressed, first_line, next_member
from sctune.records import dataclass, field

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator

LARGEST_FILE = 4 * 1024 * 1024
"""As `Host.read`: nothing larger is an answer to anything."""
_LARGEST_KEPT = 256 * 1024 * 1024
_MOST_NAMES = 2_000_000
_MOST_LINKS = 40
_CHUNK = 1024 * 1024
_NEVER = 4e9  # 2096: no archive is newer
_TAILED = "sos_strings/"
_AGAIN = "Copy it again, or make it again with 'sos report' on the host."
_WANTED = (
    "sos_commands/",
    "sos_reports/manifest.json",
    "sos_strings/",
    "etc/",
    "proc/",
    "sys/block/",
    "sys/class/",
    "sys/devices/",
    "sys/fs/",
    "sys/kernel/",
    "sys/module/",
    "run/",
    "lib/sysctl.d/",
    "usr/lib/sysctl.d/",
    "usr/local/lib/sysctl.d/",
    "usr/share/zoneinfo/",
    "var/lib/iscsi/",
    "var/lib/dpkg/status",
    "version.txt",
)
_PROCESS_FILES = ("mountinfo", "mounts")


class Missing(enum.Enum):
    """Why a name of the archive has no text."""

    ABSENT = "not in the archive"
    FOLDER = "a folder"
    OTHER = "neither a file nor a folder"
    LARGE = "larger than 4 MiB"
    TAILED = "sos kept the end of it only"


@dataclass(slots=True, kw_only=True)
class Archive:
    """The names of an archive, without the folder around them and without a slash in front. `folders` has the names in each
    folder."""

    files: dict[str, bytes | Missing] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=lambda: {"": set()})
    kept: int = 0
    count: int = 0
    written: float = 0.0
    """When the newest output of a command was written, seconds since the epoch."""

    def place(self, name: str) -> str | Missing:
        """The name that a name leads to, all links followed."""
        pending = [part for part in name.split("/") if part not in ("", ".")][::-1]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                del done[-1:]
                continue
            here = "/".join((*done, part))
            target = self.links.get(here)
            if target is None:
                done.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return Missing.OTHER
            if target.startswith("/"):
                done = []
            pending.extend([piece for piece in target.split("/") if piece not in ("", ".")][::-1])
        return "/".join(done)

    def bytes_of(self, name: str) -> bytes | Missing:
        """What a file holds. What sos cut off at the front because it was too long is no answer: it would be a smaller truth."""
        place = self.place(name)
        if isinstance(place, Missing):
            return place
        if place.startswith(_TAILED) and not name.startswith(_TAILED):
            return Missing.TAILED
        found = self.files.get(place)
        if found is None:
            return Missing.FOLDER if self.is_folder(place) else Missing.ABSENT
        return found

    def text_of(self, name: str) -> str | Missing:
        """The same as text."""
        found = self.bytes_of(name)
        return found if isinstance(found, Missing) else found.decode("utf-8", "surrogateescape")

    def is_folder(self, place: str) -> bool:
        return place in self.folders

    def names_in(self, name: str) -> tuple[str, ...] | Missing:
        """The names in a folder, sorted."""
        place = self.place(name)
        if isinstance(place, Missing):
            return place
        if not self.is_folder(place):
            return Missing.ABSENT if place not in self.files else Missing.OTHER
        return tuple(sorted(self.folders[place]))

    def add_folder(self, name: str) -> None:
        """A folder, and those around it."""
        if name not in self.folders:
            self.folders[name] = set()
            self._note(name)

    def add(self, name: str, content: bytes | Missing) -> None:
        """A file. The last one of a name counts, as in a tar."""
        self._note(name)
        self.files[name] = content
        self.kept += len(content) if isinstance(content, bytes) else 0
        if self.kept > _LARGEST_KEPT:
            raise Hostile(f"what is asked for in it is larger than {_LARGEST_KEPT // 2**20} MiB")

    def add_link(self, name: str, target: str) -> None:
        """A symbolic link, its target as it stands there."""
        self._note(name)
        self.links[name] = target

    def _note(self, name: str) -> None:
        """Puts a name into its folder, which is there then."""
        folder, _, last = name.rpartition("/")
        self.add_folder(folder)
        self.folders[folder].add(last)
        self.count += 1
        if self.count > _MOST_NAMES:
            raise Hostile(f"it has more than {_MOST_NAMES} names")


def wanted(name: str) -> bool:
    """Whether a look may ask for what is in a file of this name."""
    if not name.startswith(_WANTED):
        return False
    if name.startswith("proc/"):
        parts = name.split("/")
        # A folder for each process: of those the mount table alone is asked for.
        return not parts[1].isdecimal() or (len(parts) == 3 and parts[2] in _PROCESS_FILES)
    return True


def read_archive(path: str) -> Archive:
    """Reads an archive or an unpacked one. Raises UserError."""
    try:
        archive = _folder(path) if os.path.isdir(path) else _tar(path)
    except Hostile as error:
        raise UserError(f"{path} is no sound sos archive: {error}", _AGAIN) from error
    except UserError:
        raise
    except Exception as error:  # tarfile, zlib, bz2 and lzma raise a dozen kinds on damaged input
        raise UserError(f"{path} is a sos archive that is damaged or cut off ({first_line(error)})", _AGAIN) from error
    if not any(name.startswith("sos_commands/") for name in archive.files):
        raise UserError(f"{path} is a sos archive without what its commands said: there is nothing in sos_commands", _AGAIN)
    return archive


def _parts(name: str) -> list[str] | None:
    """The parts of a member's name; None for one that no sound archive has."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if ".." in parts or not parts or len(parts) > 128 else parts


def _tar(path: str) -> Archive:
    import tarfile

    # Names are kept whole until it is known which folder is around them.
    found = Archive()
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
        stream = Stream(decompressed(file))
        with tarfile.TarFile(fileobj=stream, mode="r", encoding="utf-8", errors="surrogateescape") as tar:  # type: ignore[arg-type]
            top: str | None = None
            while (member := next_member(tar, stream)) is not None:
                parts = _parts(member.name)
                if parts is None:
                    continue
                if top is None:
                    top = "" if parts[0] in OWN_FOLDERS or parts[0] in ("etc", "proc", "sys", "version.txt") else parts[0]
                if top:
                    if parts[0] != top:
                        continue
                    parts = parts[1:]
                if parts:
                    _take(found, "/".join(parts), top, member, stream)
            # To the end: the checksum of a compressed file stands there.
            while stream.take(_CHUNK):
                pass
    return found


def _take(found: Archive, name: str, top: str, member: tarfile.TarInfo, stream: Stream) -> None:
    if name.startswith("sos_commands/") and member.isreg() and 0 < member.mtime < _NEVER:
        found.written = max(found.written, float(member.mtime))
    if member.isdir():
        found.add_folder(name)
    elif member.issym():
        found.add_link(name, member.linkname)
    elif member.islnk():
        parts = _parts(member.linkname) or []
        found.add_link(name, "/" + "/".join(parts[1:] if top and parts[:1] == [top] else parts))
    elif not member.isreg() or member.issparse():
        found.add(name, Missing.OTHER)
    elif member.size > LARGEST_FILE:
        found.add(name, Missing.LARGE)
    elif not wanted(name):
        found.add(name, Missing.OTHER)
    else:
        stream.seek(member.offset_data)
        data = stream.take(member.size)
        if len(data) != member.size:
            raise EOFError("cut off")
        found.add(name, data)


def _folder(path: str) -> Archive:
    found = Archive()
    for name, place, kind in _walk(path, "", 0):
        if kind == "folder":
            found.add_folder(name)
        elif kind == "link":
            found.add_link(name, os.readlink(place))
        elif kind == "other" or not wanted(name):
            found.add(name, Missing.OTHER)
        else:
            if name.startswith("sos_commands/"):
                found.written = max(found.written, min(os.lstat(place).st_mtime, _NEVER))
            found.add(name, _read(place))
    return found


def _walk(folder: str, prefix: str, depth: int) -> Iterator[tuple[str, str, str]]:
    """Name, place and kind of all below a folder. Links are not followed."""
    if depth > 128:
        raise Hostile("its folders are nested too deep")
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_symlink():
                yield name, entry.path, "link"
            elif entry.is_dir(follow_symlinks=False):
                yield name, entry.path, "folder"
                try:
                    yield from _walk(entry.path, name + "/", depth + 1)
                except PermissionError:
                    continue
            else:
                yield name, entry.path, "file" if entry.is_file(follow_symlinks=False) else "other"


def _read(place: str) -> bytes | Missing:
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except PermissionError:
        return Missing.OTHER
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Missing.OTHER
        data = file.read(LARGEST_FILE + 1)
    return Missing.LARGE if len(data) > LARGEST_FILE else data
