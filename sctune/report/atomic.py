"""Where a report goes: standard output, or a file that is there whole or not at all.

A file is written beside its place and renamed over it, so that a reader (a web server, a monitoring agent) never sees half a
report and a full disk leaves the old one. What is no regular file (/dev/stdout, /dev/full, a FIFO) is written to as it is.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.durable import sync_folder
from sctune.errors import UserError

if TYPE_CHECKING:
    from sctune.report.layout import Style

_MAX_LINKS = 40  # as the kernel's own limit (path_resolution(7))
_DESCRIPTOR_FOLDERS = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")


class Output:
    """A place for one report. It is looked at when it is named, so that a wrong name costs no look at the host."""

    def __init__(self, path: str | None, *, mode: int | None = None) -> None:
        """Raises UserError where nothing can be written. None and "-" are standard output. `mode`: the file's permissions, whatever
        it had before; None: those it had, or what the umask leaves."""
        self._mode = mode
        self.path = "-" if path is None else path
        self._descriptor = 1 if self.path == "-" else _descriptor(self.path)
        self._target: str | None = None
        if self._descriptor is None:
            self._target = self._find_target()

    @property
    def is_terminal(self) -> bool:
        """Whether a person is looking."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    @property
    def style(self) -> Style:
        """How text for people looks there."""
        from sctune.report.layout import style_for  # programs' formats need none of it

        return style_for(is_terminal=self.is_terminal, environment=os.environ)

    def write_text(self, text: str) -> None:
        """Text for people, in the characters that standard output has. Raises as write."""
        from sctune.report.layout import encode

        self.write(encode(text, getattr(sys.stdout, "encoding", None) or "utf-8"))

    def write(self, data: bytes) -> None:
        """Raises UserError where it cannot be written whole, BrokenPipeError where the reader has gone."""
        try:
            if self._descriptor is not None:
                if self._descriptor == 1:
                    sys.stdout.flush()
                _write_all(self._descriptor, data)
            elif self._target is not None:
                _replace(self._target, data, self._mode)
            else:
                _write_special(self.path, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _refused(self.path, error) from error

    def _find_target(self) -> str | None:
        """The regular file to replace (links followed), or None where the name is of something else."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            found = None
        except OSError as error:
            raise _refused(self.path, error) from error
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise UserError(f"cannot write {_shown(self.path)}: it is a folder", "Name a file in it.")
        if found is not None and not stat.S_ISREG(found.st_mode):
            if not os.access(self.path, os.W_OK):
                raise _refused(self.path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
            return None
        if self.path.endswith("/") or not self.path:
            raise UserError(f"cannot write {_shown(self.path)}: that is not the name of a file", "Name a file.")
        target = os.path.realpath(self.path)
        folder = os.path.dirname(target)
        if not os.path.isdir(folder):
            raise UserError(
                f"cannot write {_shown(self.path)}: there is no folder {_shown(folder)}", "Make it first, or name another file."
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _refused(self.path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        return target


def _descriptor(path: str) -> int | None:
    """The open descriptor a path like /dev/stdout stands for. Renaming over what it leads to would cut off whoever else writes
    there (`sctune doctor --output /dev/stdout >> log`)."""
    for _ in range(_MAX_LINKS):
        folder, name = os.path.split(path)
        if folder in (*_DESCRIPTOR_FOLDERS, f"/proc/{os.getpid()}/fd") and name.isdecimal():
            return int(name)
        try:
            path = os.path.normpath(os.path.join(folder, os.readlink(path)))
        except OSError:
            return None
    return None


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_special(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _replace(target: str, data: bytes, mode: int | None) -> None:
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".sctune-{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        try:
            _keep_owner_and_mode(target, descriptor)
            if mode is not None:
                os.fchmod(descriptor, mode)
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def _keep_owner_and_mode(target: str, descriptor: int) -> None:
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return
    with suppress(PermissionError):
        # chown clears the set-id bits, hence first.
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _refused(path: str, error: OSError) -> UserError:
    hint = _HINTS.get(error.errno or 0, "") if path != "-" else ""
    return UserError(f"cannot write {_shown(path)}: {os.strerror(error.errno or 0).lower()}", hint)


_HINTS = {
    errno.ENOSPC: "Nothing was left behind; make room, or write to another file system.",
    errno.EDQUOT: "Nothing was left behind; make room, or write to another file system.",
    errno.EACCES: "Write to a folder of your own, or run it as root.",
    errno.EROFS: "Write to another file system.",
}


def _shown(path: str) -> str:
    from sctune.report.sanitize import clean

    return "standard output" if path == "-" else clean(path) or "''"
