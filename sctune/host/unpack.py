"""Reads a capture into memory, from a folder or a tar that may be damaged or made to hurt.

Nothing is ever extracted: names are keys, so ".." and absolute names lead nowhere; links, devices and sparse files are passed
over; sizes are checked before anything is read, decompressed bytes are counted, and a header may not be large either.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

from sctune.errors import UserError

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator

LARGEST_MEMBER = 64 * 1024 * 1024
LARGEST_CAPTURE = 512 * 1024 * 1024
_LARGEST_STREAM = 4 * 1024 * 1024 * 1024
_HEADER_BUDGET = 1024 * 1024
_MEMBER_COST = 512  # what a member costs beside its bytes
_CHUNK = 1024 * 1024
SCRIPT = "sctune-capture.txt"
"""The one member of what sctune-capture.sh wrote, which is no archive."""
SCRIPT_MARK = b"sctune-script\t"
_LARGEST_SCRIPT = 128 * 1024 * 1024
_TOPS = frozenset({"capture.json", "index.tsv", "files", "output"})
OWN_FOLDERS = frozenset({"sos_commands", "sos_reports", "sos_logs", "sos_strings"})
"""What sos has at the top of its archives, beside the host's own folders."""
_REMAKE = "Make it again with 'sctune capture -o FILE' on the host, or copy it again."


class Hostile(Exception):
    """More than a capture ever holds."""


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpack(path: str) -> dict[str, bytes]:
    """The members of a capture by name, the one folder that may be around them taken off. Raises UserError, SosFound."""
    try:
        # Non-blocking: a FIFO without a writer would stop us here.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        raise UserError(f"cannot read {path}: {os.strerror(number) if number else error}", "Name a capture.") from error
    with os.fdopen(descriptor, "rb", closefd=True) if stat.S_ISREG(os.fstat(descriptor).st_mode) else _Closing(descriptor) as file:
        mode = os.fstat(descriptor).st_mode
        try:
            if stat.S_ISDIR(mode):
                found = _folder(path)
            elif stat.S_ISREG(mode) and not isinstance(file, _Closing):
                found = _tar(file, path)
            else:
                raise UserError(f"{path} is neither a file nor a folder", "Name what 'sctune capture -o FILE' wrote.")
        except (UserError, SosFound):
            raise
        except Hostile as error:
            raise UserError(f"{path} is no sound capture: {error}", _REMAKE) from error
        except Exception as error:  # tarfile, zlib and lzma raise a dozen kinds on damaged input
            raise UserError(f"{path} is no capture, or it is damaged or cut off ({first_line(error)})", _REMAKE) from error
    return _without_top(found)


class _Closing:
    """Closes a descriptor that is no file's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> _Closing:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


class SosFound(Exception):
    """It is no capture but a sos archive, for `sctune.host.sos`."""


def _without_top(found: dict[str, bytes]) -> dict[str, bytes]:
    tops = sorted(name.removesuffix("capture.json") for name in found if name.endswith("capture.json"))
    if not tops or tops[0] == "":
        return found
    return {name.removeprefix(tops[0]): data for name, data in found.items() if name.startswith(tops[0])}


def _wanted(name: str) -> bool:
    """A capture's own name, or such a name under one folder."""
    first, _, rest = name.partition("/")
    second = rest.partition("/")[0]
    if name == "capture.json" or rest == "capture.json":
        return True
    return first in _TOPS or second in _TOPS


def is_sos(name: str) -> bool:
    """Whether it is a name in a sos archive: of its own folders, or in the folder that sos puts around them all."""
    parts = name.split("/", 2)
    return parts[0] in OWN_FOLDERS or parts[0].startswith("sosreport-") or (len(parts) > 1 and parts[1] in OWN_FOLDERS)


def _folder(path: str) -> dict[str, bytes]:
    names = set(os.listdir(path))
    if "capture.json" not in names and names & OWN_FOLDERS:
        raise SosFound
    if "capture.json" not in names:
        raise UserError(
            f"{path} is no capture: there is no capture.json in it",
            "Name what 'sctune capture -o FILE' wrote; for the root of a file tree use --root.",
        )
    found: dict[str, bytes] = {}
    total = 0
    for name, place, size in _files(path, "", 0):
        total += size + _MEMBER_COST
        if total > LARGEST_CAPTURE:
            raise Hostile(f"it is larger than {LARGEST_CAPTURE // 2**20} MiB")
        if size > LARGEST_MEMBER:
            raise Hostile(f"{name} is larger than {LARGEST_MEMBER // 2**20} MiB")
        with open(os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            # One byte more than it said: a file that grows meanwhile is not read for ever.
            found[name] = file.read(size + 1)
    return found


def _files(folder: str, prefix: str, depth: int) -> Iterator[tuple[str, str, int]]:
    """Regular files below a folder: name, path, size. Links are not followed."""
    if depth > 64:
        raise Hostile("its folders are nested too deep")
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if depth == 0 and entry.name not in _TOPS:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, name + "/", depth + 1)
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.path, entry.stat(follow_symlinks=False).st_size


def _tar(file: _Reads, path: str) -> dict[str, bytes]:
    import tarfile

    raw = decompressed(file)
    head = _exactly(raw, len(SCRIPT_MARK))
    if head == SCRIPT_MARK:
        return {SCRIPT: head + _text(raw)}
    stream = Stream(_Prefixed(head, raw))
    found: dict[str, bytes] = {}
    total = 0
    with tarfile.TarFile(fileobj=stream, mode="r", encoding="utf-8", errors="surrogateescape") as tar:  # type: ignore[arg-type]
        while (member := next_member(tar, stream)) is not None:
            name = member.name.removeprefix("./")
            if is_sos(name):
                raise SosFound
            # isreg() is true of sparse files, whose size is only claimed.
            if not member.isreg() or member.issparse() or not _wanted(name):
                continue
            total += member.size + _MEMBER_COST
            if member.size > LARGEST_MEMBER or total > LARGEST_CAPTURE:
                raise Hostile(f"{name[:80]} is larger than a capture's members ever are")
            stream.seek(member.offset_data)
            data = stream.take(member.size)
            if len(data) != member.size:
                raise Hostile("it is cut off")
            found[name] = data
        # To the end: the checksum of a compressed file stands there.
        while stream.take(_CHUNK):
            pass
    return found


def _exactly(raw: _Reads, size: int) -> bytes:
    """So many bytes; fewer at the end only."""
    data = b""
    while len(data) < size and (more := raw.read(size - len(data))):
        data += more
    return data


def _text(raw: _Reads) -> bytes:
    """The rest of a text."""
    parts: list[bytes] = []
    size = 0
    while data := raw.read(_CHUNK):
        parts.append(data)
        size += len(data)
        if size > _LARGEST_SCRIPT:
            raise Hostile(f"it is larger than {_LARGEST_SCRIPT // 2**20} MiB")
    return b"".join(parts)


def next_member(tar: tarfile.TarFile, stream: Stream) -> tarfile.TarInfo | None:
    """The next header. What tarfile would keep of it for a listing is dropped."""
    stream.budget = _HEADER_BUDGET
    member = tar.next()
    tar.members.clear()  # type: ignore[attr-defined]
    tar.pax_headers.clear()  # type: ignore[attr-defined]
    return member


class Stream:
    """A file that only goes forward (one byte back, which tarfile wants), counted, for tarfile's headers and our reads."""

    def __init__(self, raw: _Reads) -> None:
        self._raw = raw
        self._position = 0
        self._last = b""
        self._back = False
        self.budget = _HEADER_BUDGET

    def tell(self) -> int:
        return self._position

    def seek(self, target: int, whence: int = 0) -> int:
        if whence != 0:
            raise OSError("a stream has no end yet")
        if target == self._position - 1 and self._last and not self._back:
            self._back = True
            self._position = target
        elif target < self._position:
            raise OSError("cannot go back in a stream")
        while self._position < target and self.take(min(_CHUNK, target - self._position)):
            pass
        return self._position

    def read(self, size: int = -1) -> bytes:
        """For tarfile: a header, never much."""
        self.budget -= size
        if size < 0 or self.budget < 0:
            raise Hostile("it has a header that is larger than any")
        return self.take(size)

    def take(self, size: int) -> bytes:
        """Up to `size` bytes; fewer at the end only."""
        if size == 0:
            return b""
        parts: list[bytes] = []
        missing = size
        if self._back:
            parts.append(self._last)
            self._back = False
            missing -= 1
        while missing > 0 and (data := self._raw.read(min(missing, _CHUNK))):
            parts.append(data)
            missing -= len(data)
        taken = b"".join(parts)
        self._position += len(taken)
        self._last = taken[-1:] or self._last
        if self._position > _LARGEST_STREAM:
            raise Hostile("it unpacks to more than a capture ever holds")
        return taken


def decompressed(file: _Reads) -> _Reads:
    head = file.read(6)
    rewound = _Prefixed(head, file)
    if head.startswith(b"\x1f\x8b"):
        import gzip

        return gzip.GzipFile(fileobj=rewound, mode="rb")  # type: ignore[call-overload,no-any-return]
    if head == b"\xfd7zXZ\x00":
        return _Xz(rewound)
    if head.startswith(b"BZh"):
        import bz2

        return bz2.BZ2File(rewound, mode="rb")  # type: ignore[call-overload,no-any-return]
    return rewound


class _Prefixed:
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, file: _Reads) -> None:
        self._head = head
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._file.read(size)
        head, self._head = self._head[:size], self._head[size:]
        return head


class _Xz:
    """xz(1) with a limit on memory: a header of a few bytes may ask for a dictionary of 4 GiB. `xz -9` asks for 65 MiB."""

    def __init__(self, file: _Reads) -> None:
        import lzma

        self._file = file
        self._decompressor = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=256 * 1024 * 1024)

    def read(self, size: int, /) -> bytes:
        while not self._decompressor.eof:
            data = b""
            if self._decompressor.needs_input and not (data := self._file.read(65536)):
                raise EOFError("cut off")
            if unpacked := self._decompressor.decompress(data, max_length=size):
                return unpacked
        return b""
