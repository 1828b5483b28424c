"""The only door by which sctune writes to a machine.

It writes values of the kernel's below /proc/sys and /sys, and whole files elsewhere, and refuses everything that would be neither:
paths that leave these places, what is no regular file (a link to /dev/null masks a file of systemd's), and files or folders that
others may write, since who can change a name below us can make us write somewhere else.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from sctune.tuning.calls import Calls, label_of
from sctune.tuning.operations import FileState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed
    from sctune.unavailable import Unavailable

FILE_LIMIT = 4 * 1024 * 1024
"""Bytes of a file that is replaced: it is kept in memory and in the journal."""
_MAX_LINKS = 40  # as the kernel's own limit (path_resolution(7))
_VALUES = ("/proc/sys/", "/sys/")
_NO_FILES = ("/proc/", "/sys/", "/dev/")
_KEPT_ATTRIBUTES = ("system.posix_acl_access", "user.")
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Refused(Exception):
    """Something that sctune does not do, in words for the operator; nothing was changed by what was refused."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Writer(Protocol):
    """What can be done to a machine. All raise OSError where the machine refuses, `Refused` where sctune does."""

    def read_value(self, path: str) -> str:
        """The text of a value, as the kernel prints it."""
        ...

    def read_text(self, path: str) -> str:
        """The text of a file of the kernel's below /proc or /sys, which is only looked at."""
        ...

    def write_value(self, path: str, value: str) -> None:
        """Writes a value in one write(2), with a line feed as echo(1) does."""
        ...

    def read_file(self, path: str) -> FileState | None:
        """A file as it is, links followed; None where there is none."""
        ...

    def write_file(self, path: str, state: FileState | None, *, temporary: str) -> None:
        """Replaces a file as a whole, links followed, or removes it. `temporary` is the name it has until it is whole."""
        ...

    def remove_temporary(self, path: str, temporary: str) -> None:
        """Removes what an interrupted write_file of `path` left behind."""
        ...

    def missing_folders(self, path: str) -> tuple[str, ...]:
        """The folders that would have to be made for a file, the outermost first."""
        ...

    def make_folder(self, path: str) -> None:
        """Makes one, 0755."""
        ...

    def remove_folder(self, path: str) -> None:
        """Removes an empty one."""
        ...

    def place(self, path: str) -> str:
        """Where a path leads, links followed: tells a device from another that has its name now."""
        ...

    def finds(self, tool: str) -> bool:
        """Whether `run` would find a tool."""
        ...

    def run(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
        """Runs a tool to its end, or to the deadline."""
        ...

    def boot_id(self) -> str:
        """Differs after each boot; "" where the kernel does not tell."""
        ...


class LiveWriter:
    """This machine, or a file tree at `root` in its place: all paths are below it, links too. Tools are not confined to it."""

    def __init__(self, *, root: str = "", calls: Calls | None = None) -> None:
        self._root = root.rstrip("/")
        self._calls = calls or Calls()

    def read_value(self, path: str) -> str:
        """Reads a value."""
        return self._calls.get_value(self._value(path)).decode("utf-8", "replace")

    def read_text(self, path: str) -> str:
        """Reads what the kernel says."""
        return self._calls.get_value(self._resolve(path)).decode("utf-8", "replace")

    def write_value(self, path: str, value: str) -> None:
        """Writes a value."""
        self._calls.put_value(self._value(path), value.encode() + b"\n")

    def read_file(self, path: str) -> FileState | None:
        """Reads a regular file with what belongs to it."""
        real = self._file(path)
        try:
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Refused(f"{path} is no regular file")
            content = bytearray()
            while part := os.read(descriptor, 262144):
                content += part
                if len(content) > FILE_LIMIT:
                    raise Refused(f"{path} is larger than 4 MiB")
            return FileState(
                content=bytes(content),
                mode=stat.S_IMODE(found.st_mode),
                uid=found.st_uid,
                gid=found.st_gid,
                label=label_of(descriptor),
            )
        finally:
            os.close(descriptor)

    def write_file(self, path: str, state: FileState | None, *, temporary: str) -> None:
        """Writes beside the place, syncs, renames over it, syncs the folder. A failure leaves the old file and nothing else."""
        real = self._writable(path)
        folder = os.path.dirname(real)
        if state is None:
            self._calls.unlink(real)
        else:
            beside = os.path.join(folder, temporary)
            self.remove_temporary(path, temporary)
            try:
                self._fill(beside, real, state)
                self._calls.rename(beside, real)
            except BaseException:
                with suppress(OSError):
                    self._calls.unlink(beside)
                raise
        self._calls.sync_folder(folder)

    def _fill(self, beside: str, real: str, state: FileState) -> None:
        """A new file with all that the one in its place is to have, before it gets there."""
        descriptor = self._calls.create(beside, 0o600)
        try:
            self._calls.write(descriptor, state.content)
            # chown clears the set-id bits, and an access control list changes the mode: hence in this order.
            self._calls.set_owner(descriptor, state.uid, state.gid)
            for name, value in _attributes(real):
                self._calls.set_attribute(descriptor, name, value)
            if state.label and state.label != label_of(descriptor):
                self._calls.set_label(descriptor, state.label)
            self._calls.set_mode(descriptor, state.mode)
            self._calls.sync(descriptor)
        finally:
            os.close(descriptor)

    def remove_temporary(self, path: str, temporary: str) -> None:
        """Removes a file that never got to its place."""
        beside = os.path.join(os.path.dirname(self._file(path)), temporary)
        if os.path.lexists(beside):
            self._calls.unlink(beside)

    def missing_folders(self, path: str) -> tuple[str, ...]:
        """Folders that are not there, in the words of the machine (without the root)."""
        missing: list[str] = []
        folder = os.path.dirname(self._file(path))
        while len(folder) > len(self._root) + 1 and not os.path.isdir(folder):
            missing.append(folder.removeprefix(self._root))
            folder = os.path.dirname(folder)
        return tuple(reversed(missing))

    def make_folder(self, path: str) -> None:
        """Makes a folder, unless it is there."""
        real = self._file(path)
        self._check_folders(os.path.dirname(real))
        if not os.path.isdir(real):
            self._calls.make_folder(real, 0o755)
            self._calls.sync_folder(os.path.dirname(real))

    def remove_folder(self, path: str) -> None:
        """Removes a folder, unless it is gone."""
        real = self._file(path)
        if os.path.isdir(real):
            self._calls.remove_folder(real)
            self._calls.sync_folder(os.path.dirname(real))

    def place(self, path: str) -> str:
        """Resolves every link."""
        return self._resolve(path).removeprefix(self._root)

    def finds(self, tool: str) -> bool:
        """Looks on the tool path."""
        return self._calls.finds(tool)

    def run(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
        """Runs a tool."""
        return self._calls.run(argv, seconds)

    def boot_id(self) -> str:
        """Reads it from the kernel."""
        try:
            return self.read_value(_BOOT_ID).strip()
        except OSError:
            return ""

    def _value(self, path: str) -> str:
        real = self._resolve(path)
        if not all(one.startswith(_VALUES) for one in (path, real.removeprefix(self._root))):
            raise Refused(f"{path} is no value of the kernel's")
        return real

    def _file(self, path: str) -> str:
        real = self._resolve(path)
        if real.removeprefix(self._root).startswith(_NO_FILES):
            raise Refused(f"{path} leads to {real.removeprefix(self._root)}, which is no file to replace")
        return real

    def _writable(self, path: str) -> str:
        """The real file of a path that nobody but root and us can change."""
        real = self._file(path)
        self._check_folders(os.path.dirname(real))
        with suppress(FileNotFoundError):
            found = os.lstat(real)
            if not stat.S_ISREG(found.st_mode):
                raise Refused(f"{path} is no regular file")
            if found.st_mode & stat.S_IWOTH:
                raise Refused(f"anybody may write {path}", "Take that right away first: chmod o-w.")
        return real

    def _check_folders(self, folder: str) -> None:
        """Raises Refused where somebody else can change what a name below `folder` means. A sticky folder on the way (/tmp) does
        not let others rename what is ours; in one as the last they could still put names of theirs."""
        inner = folder
        while True:
            found = os.stat(folder or "/")
            others = found.st_mode & stat.S_IWOTH and (folder == inner or not found.st_mode & stat.S_ISVTX)
            group = found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid())
            if others or group or found.st_uid not in (0, os.geteuid()):
                raise Refused(f"others may write in {folder.removeprefix(self._root) or '/'}", "Make it root's alone first.")
            if len(folder) <= len(self._root) or folder == "/":
                return
            folder = os.path.dirname(folder)

    def _resolve(self, path: str) -> str:
        """Follows links as the kernel would if `root` were /."""
        if not path.startswith("/") or "\0" in path:
            raise Refused(f"{path!r} is no absolute path")
        pending = path.split("/")[::-1]
        current = self._root
        links = 0
        while pending:
            name = pending.pop()
            if name in ("", "."):
                continue
            if name == "..":
                current = os.path.dirname(current) if len(current) > len(self._root) else current
                continue
            step = f"{current.rstrip('/')}/{name}"
            try:
                target = os.readlink(step)
            except OSError:
                current = step
                continue
            links += 1
            if links > _MAX_LINKS:
                raise Refused(f"{path}: too many levels of symbolic links")
            if target.startswith("/"):
                current = self._root
            pending.extend(target.split("/")[::-1])
        return current or "/"


def _attributes(path: str) -> list[tuple[str, bytes]]:
    """Access control list and users' attributes of the file that is replaced."""
    try:
        names = [name for name in os.listxattr(path) if name.startswith(_KEPT_ATTRIBUTES)]
        return [(name, os.getxattr(path, name)) for name in names]
    except OSError:
        return []
