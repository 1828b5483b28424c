"""Writes named texts as a folder or as a tar of one, whole or not at all, readable by the owner only."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.durable import sync_folder
from sctune.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Form(StrEnum):
    """What a capture is written as."""

    FOLDER = "folder"
    TAR = ""
    GZIP = "gz"
    XZ = "xz"


_SUFFIXES = ((".tar.gz", Form.GZIP), (".tgz", Form.GZIP), (".tar.xz", Form.XZ), (".txz", Form.XZ), (".tar", Form.TAR))
_LAST_GZIP_TIME = 2**32 - 1  # the header has 32 bits (RFC 1952), and a host's clock may be anywhere
_ROOM = "Nothing was written; make room, or name another place."


def form_of(path: str) -> Form:
    """The form a name asks for: .tar, .tar.gz, .tgz, .tar.xz, or a folder where it ends in a slash. Raises UserError."""
    if path.endswith("/") and path.strip("/"):
        return Form.FOLDER
    for suffix, form in _SUFFIXES:
        if path.endswith(suffix) and os.path.basename(path) != suffix:
            return form
    raise UserError(
        f"cannot tell what to write as {path!r}",
        "Name a file that ends in .tar.gz, .tgz, .tar.xz or .tar, or a folder with a slash at its end.",
    )


def refuse_early(path: str) -> None:
    """Raises UserError where `pack` is bound to fail, so that a wrong name does not cost a look at the host."""
    form = form_of(path)
    target = path.rstrip("/")
    folder = os.path.dirname(target) or "."
    if not os.path.isdir(folder):
        raise UserError(f"cannot write {path}: there is no folder {folder}", "Make it first, or name another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {path}: {folder} does not let us", "Name a folder of your own.")
    if form is Form.FOLDER:
        if os.path.lexists(target):
            raise UserError(f"cannot write {path}: it exists", "Name a folder that does not exist yet, or remove it.")
    elif os.path.isdir(target):
        raise UserError(f"cannot write {path}: it is a folder", "Name a file.")
    elif os.path.exists(target) and not os.path.isfile(target):
        raise UserError(f"cannot write {path}: it is no regular file", "Name a file.")


def pack(path: str, members: Iterable[tuple[str, bytes]], *, mtime: int) -> None:
    """Writes (name, content) members in their order; `mtime` (seconds since the epoch) is set on all of them.

    Everything is written beside its place, synced and renamed: a reader sees all of it or what was there before.
    Raises UserError.
    """
    refuse_early(path)
    target = path.rstrip("/")
    form = form_of(path)
    try:
        if form is Form.FOLDER:
            _pack_folder(target, members)
        else:
            _pack_tar(target, members, form, min(max(0, mtime), _LAST_GZIP_TIME))
        sync_folder(os.path.dirname(target) or ".")
    except OSError as error:
        raise UserError(f"cannot write {path}: {os.strerror(error.errno or 0)}", _ROOM) from error


def _pack_tar(target: str, members: Iterable[tuple[str, bytes]], form: Form, mtime: int) -> None:
    import gzip
    import lzma
    from typing import IO, cast

    # mkstemp makes it 0600 and never follows a link.
    descriptor, temporary = tempfile.mkstemp(prefix=".sctune-capture-", dir=os.path.dirname(target) or ".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if form is Form.GZIP:
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=mtime) as packed:
                    _write_tar(cast("IO[bytes]", packed), members, mtime)
            elif form is Form.XZ:
                with lzma.LZMAFile(file, "wb", preset=3) as packed_xz:
                    _write_tar(cast("IO[bytes]", packed_xz), members, mtime)
            else:
                _write_tar(file, members, mtime)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _write_tar(file: object, members: Iterable[tuple[str, bytes]], mtime: int) -> None:
    import io
    import tarfile

    with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:  # type: ignore[arg-type]
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), 0o600, mtime
            member.uname = member.gname = "root"
            tar.addfile(member, io.BytesIO(data))
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header for a listing nobody asks for


def _pack_folder(target: str, members: Iterable[tuple[str, bytes]]) -> None:
    temporary = tempfile.mkdtemp(prefix=".sctune-capture-", dir=os.path.dirname(target) or ".")
    made = {temporary}
    try:
        for name, data in members:
            place = os.path.join(temporary, name)
            _make_folder(os.path.dirname(place), made)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        _sync_file_system(temporary)
        os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _make_folder(folder: str, made: set[str]) -> None:
    """As os.makedirs, which gives the mode to the last folder only."""
    missing: list[str] = []
    while folder not in made:
        missing.append(folder)
        folder = os.path.dirname(folder)
    for name in reversed(missing):
        os.mkdir(name, 0o700)
        made.add(name)


def _sync_file_system(folder: str) -> None:
    """syncfs(2): one call instead of one a file, of which a capture of a big host has a hundred thousand. Never sync(2),
    which waits for every disk of the host, the dead ones too."""
    import ctypes

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
